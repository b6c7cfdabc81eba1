"""What a weights file says of a finder's grid."""

from typing import Any, Self

from fkp_app.geometry.face_grid import CELL, OUTPUTS, SIDE
from numpynet.checkpoint import CheckpointError, WeightsCard

GRID: dict[str, Any] = {"cell": CELL, "side": SIDE, "outputs": list(OUTPUTS)}
"""The grid that this program decodes."""


class FinderCard(WeightsCard):
    """The card of a network that proposes faces: its `grid` is the meaning of cells and outputs."""

    @classmethod
    def describe(cls, arguments: dict[str, Any], training: dict[str, Any]) -> Self:
        """The card for new weights."""
        return cls(arguments, arguments["size"], {"grid": GRID}, "FinderNet", training=training)

    @classmethod
    def of(cls, card: WeightsCard, file: object) -> Self:
        """The card that was read from `file`. CheckpointError if it is that of another network or another grid."""
        if card.architecture != "FinderNet":
            raise CheckpointError(
                f"{file}: holds a {card.architecture}, which places keypoints; a finder needs those of a FinderNet"
            )
        if card.application.get("grid") != GRID:
            raise CheckpointError(f"{file}: its grid is not the one that this program knows; update it")
        return cls(**vars(card))
