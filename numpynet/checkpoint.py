"""Weights on disk: safetensors, with everything needed to use them in the file's own metadata.

Files are written all or nothing, and nothing is ever unpickled.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from numpynet.files import atomic
from numpynet.init import no_init
from numpynet.models import ARCHITECTURES, HourglassNet, KeypointNet, build
from numpynet.typing import AnyArray

FORMAT_VERSION = 1


class CheckpointError(ValueError):
    """A file that cannot be used as weights; the message is one line that names it and what to do."""


@dataclasses.dataclass(frozen=True)
class WeightsCard:
    """What a weights file says of itself.

    arguments: of the architecture's constructor. input_size: side of the square input, in pixels. framing: how a
    crop is cut from an image (read by the application). A keypoint in pixels of the crop is
    keypoint_offset + keypoint_scale * output. training: where the weights come from, free of form.
    """

    arguments: dict[str, Any]
    input_size: int
    framing: dict[str, Any]
    keypoint_offset: float
    keypoint_scale: float
    architecture: str = "KeypointNet"
    format_version: int = FORMAT_VERSION
    training: dict[str, Any] = dataclasses.field(default_factory=dict)

    def to_metadata(self) -> dict[str, str]:
        """As the text-to-text table that safetensors keeps."""
        return {"numpynet": json.dumps(dataclasses.asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], path: Path) -> Self:
        """From that table. CheckpointError where it is not ours, or of a later format."""
        if "numpynet" not in metadata:
            raise CheckpointError(
                f"{path}: holds tensors but not the description that numpynet writes beside them; "
                "read it with numpynet.checkpoint.load_tensors and save it again with save_weights"
            )
        try:
            fields = json.loads(metadata["numpynet"])
            if fields["format_version"] > FORMAT_VERSION:
                raise CheckpointError(
                    f"{path}: is of format version {fields['format_version']}, and this numpynet reads up to "
                    f"{FORMAT_VERSION}; update numpynet"
                )
            known = {field.name for field in dataclasses.fields(cls)}
            return cls(**{name: value for name, value in fields.items() if name in known})
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise CheckpointError(f"{path}: its description is damaged ({error}); get the file again") from None


def save_tensors(path: str | Path, tensors: Mapping[str, AnyArray], metadata: Mapping[str, str]) -> None:
    """Write `tensors` and `metadata` to the safetensors file `path`, all or nothing. OSError where it cannot be."""
    with atomic(path) as temporary:
        try:
            save_file({key: np.asarray(array, order="C") for key, array in tensors.items()}, temporary, dict(metadata))
        except SafetensorError as error:  # such as a full disk
            raise OSError(f"{path}: cannot be written ({error})") from None


def load_tensors(path: str | Path) -> tuple[dict[str, AnyArray], dict[str, str]]:
    """Every tensor of a safetensors file, and its metadata. CheckpointError where it is anything else."""
    path = Path(path)
    _refuse_what_is_not_safetensors(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{path}: is truncated or damaged ({reason}); get the file again") from None


def save_weights(path: str | Path, state_dict: Mapping[str, AnyArray], card: WeightsCard) -> None:
    """Write a network's state dict with its card. OSError where the file cannot be written."""
    save_tensors(path, state_dict, card.to_metadata())


def load_weights(path: str | Path) -> tuple[dict[str, AnyArray], WeightsCard]:
    """The state dict and the card that `save_weights` wrote. CheckpointError where there is no such thing."""
    tensors, metadata = load_tensors(path)
    return tensors, WeightsCard.from_metadata(metadata, Path(path))


def load_net(path: str | Path) -> tuple[KeypointNet | HourglassNet, WeightsCard]:
    """The network that a weights file describes, with its weights, in evaluation mode; and the card.

    CheckpointError where the file cannot be used or its tensors do not fit the network it names.
    """
    state, card = load_weights(path)
    if card.architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"{path}: holds a {card.architecture}, which this numpynet does not know; update numpynet"
        )
    try:
        with no_init():
            net = build(card.architecture, card.arguments)
        net.load_state_dict(state)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: does not fit the network it describes ({error})") from None
    return net.eval(), card


def _refuse_what_is_not_safetensors(path: Path) -> None:
    """CheckpointError, saying what the file is, where its first bytes cannot be a safetensors header."""
    if path.is_dir():
        raise CheckpointError(f"{path}: is a directory; name a .safetensors file")
    try:
        with path.open("rb") as file:
            head = file.read(512)
        size = path.stat().st_size
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from None
    if not head:
        raise CheckpointError(f"{path}: is empty; get the file again")
    if head.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path}: is an HTML page, not weights; download the file itself, not its web page")
    if (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or head[:4] == b"PK\x03\x04":
        raise CheckpointError(
            f"{path}: is a pickle, which may run any code and is never opened here; save it as .safetensors"
        )
    header = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{" or header < 2:
        raise CheckpointError(f"{path}: is not a .safetensors file")
    if 8 + header > size:
        raise CheckpointError(f"{path}: is truncated; get the file again")
