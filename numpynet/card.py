"""The description inside a weights file. Each field is checked before a network is built from it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from numpynet.architectures import MOST_PIXELS
from numpynet.strict_json import is_number, read_json, shown
from numpynet.tensors import CheckpointError

FORMAT_VERSION = 1
LONGEST_CARD = 1 << 20
"""In characters."""


@dataclasses.dataclass(frozen=True)
class WeightsCard:
    """The description inside a weights file.

    architecture: the name of the network's class. arguments: the arguments of its constructor. input_size: the side of
    the square input, in pixels. application: what the application needs to know, such as the meaning of the outputs;
    numpynet stores it and does not look at it. training: where the weights come from, in any form.
    """

    arguments: dict[str, Any]
    input_size: int
    application: dict[str, Any] = dataclasses.field(default_factory=dict)
    architecture: str = "KeypointNet"
    format_version: int = FORMAT_VERSION
    training: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """The card as metadata of a safetensors file: one entry, whose value is JSON."""
        table: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            table |= value if field.name == "application" else {field.name: value}
        return {"numpynet": json.dumps(table)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: Path) -> Self:
        """The card that `to_metadata` wrote. CheckpointError if it is missing, too new, or has an invalid field."""
        if "numpynet" not in metadata:
            raise CheckpointError(
                f"{path}: holds tensors but not the description that numpynet writes beside them; "
                "read it with numpynet.checkpoint.load_tensors and save it again with save_weights"
            )
        try:
            if len(metadata["numpynet"]) > LONGEST_CARD:
                raise ValueError(f"it has {len(metadata['numpynet'])} characters")
            table = read_json(metadata["numpynet"], finite=False)
            if not isinstance(table, dict):
                raise ValueError(f"it is {shown(table)}")
            if _is_whole(table.get("format_version"), FORMAT_VERSION + 1, 1 << 62):
                raise CheckpointError(
                    f"{path}: is of format version {table['format_version']}, and this numpynet reads up to "
                    f"{FORMAT_VERSION}; update numpynet"
                )
            fields = {field.name: field for field in dataclasses.fields(cls) if field.name != "application"}
            for name, field in fields.items():
                needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
                if name in table:
                    _check(name, table[name])
                elif needed:
                    raise ValueError(f"{name} is missing")
            own = {name: value for name, value in table.items() if name in fields}
            return cls(application={name: value for name, value in table.items() if name not in fields}, **own)
        except CheckpointError:
            raise
        except ValueError as error:
            raise CheckpointError(f"{path}: its description is damaged ({error}); get the file again") from None


def _check(name: str, value: object) -> None:
    """ValueError if `value` is not valid for the field `name`."""
    if name in ("arguments", "training"):
        right, words = isinstance(value, dict), "a table"
    elif name == "architecture":
        right, words = isinstance(value, str) and value.isidentifier() and len(value) <= 64, "a name"
    elif name == "format_version":
        right, words = _is_whole(value, 1, FORMAT_VERSION), f"a whole number from 1 to {FORMAT_VERSION}"
    else:
        right, words = _is_whole(value, 1, MOST_PIXELS), f"a whole number from 1 to {MOST_PIXELS}"
    if not right:
        raise ValueError(f"{name} must be {words}, got {shown(value)}")


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and is_number(value, low, high)
