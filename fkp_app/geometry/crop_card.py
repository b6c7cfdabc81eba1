"""What a weights file says of crops and keypoints: how to cut the input, and what the outputs mean."""

from dataclasses import replace
from typing import Any, Self

from fkp_app.errors import FkpError
from fkp_app.geometry.framing import Framing
from fkp_app.geometry.units import Units
from numpynet.checkpoint import CheckpointError, WeightsCard
from numpynet.strict_json import is_number, shown

LARGEST = 1e6
"""The limit of the offset and of the scale of keypoints, in pixels."""


class CropCard(WeightsCard):
    """The card of a network for crops of faces.

    A keypoint, in pixels of the crop, is keypoint_offset + keypoint_scale * output.
    """

    @classmethod
    def describe(
        cls,
        arguments: dict[str, Any],
        input_size: int,
        framing: dict[str, Any],
        keypoint_offset: float,
        keypoint_scale: float,
        architecture: str = "KeypointNet",
        training: dict[str, Any] | None = None,
    ) -> Self:
        """The card for new weights. framing: as `Framing.as_dict` gives it."""
        application = {"framing": framing, "keypoint_offset": keypoint_offset, "keypoint_scale": keypoint_scale}
        return cls(arguments, input_size, application, architecture, training=training or {})

    @classmethod
    def of(cls, card: WeightsCard, file: object) -> Self:
        """The card that was read from `file`.

        CheckpointError if it lacks a field, a field is invalid, or its crops are not what its network takes.
        """
        if card.architecture == "FinderNet":
            raise CheckpointError(f"{file}: holds a FinderNet, which proposes faces; keypoints need other weights")
        try:
            for name in ("framing", "keypoint_offset", "keypoint_scale"):
                if name not in card.application:
                    raise ValueError(f"{name} is missing")
                _check(name, card.application[name])
        except ValueError as error:
            raise CheckpointError(f"{file}: its description is damaged ({error}); get the file again") from None
        checked = cls(**vars(card))
        try:
            size = Framing.from_dict(checked.framing).size
        except FkpError as error:
            raise CheckpointError(f"{file}: {error}") from None
        if size != card.input_size:
            reason = f"input size {card.input_size}, crops of {size}"
            raise CheckpointError(f"{file}: its description is damaged ({reason}); get the file again")
        return checked

    def with_framing(self, framing: dict[str, Any]) -> Self:
        """This card, for crops framed in another way."""
        return replace(self, application=self.application | {"framing": framing})

    @property
    def framing(self) -> dict[str, Any]:
        """How to cut a crop from an image; `Framing.from_dict` reads it."""
        framing: dict[str, Any] = self.application["framing"]
        return framing

    @property
    def keypoint_offset(self) -> float:
        """Pixels of the crop at which an output is 0."""
        return float(self.application["keypoint_offset"])

    @property
    def keypoint_scale(self) -> float:
        """Pixels of the crop per unit of output."""
        return float(self.application["keypoint_scale"])

    @property
    def units(self) -> Units:
        """The map between the network's outputs and pixels of the crop."""
        return Units(self.keypoint_offset, self.keypoint_scale)


def _check(name: str, value: object) -> None:
    """ValueError if the value is not valid for the field of this name."""
    if name == "framing":
        right, words = isinstance(value, dict), "a table"
    elif name == "keypoint_scale":
        right, words = is_number(value, 0, LARGEST) and value != 0, f"a number above 0, at most {LARGEST:g}"
    else:
        right, words = is_number(value, -LARGEST, LARGEST), f"a number from {-LARGEST:g} to {LARGEST:g}"
    if not right:
        raise ValueError(f"{name} must be {words}, got {shown(value)}")
