"""The facial-keypoint network and its compact sibling."""

from collections.abc import Sequence
from typing import Any, Self

from numpynet.functional.windows import output_size
from numpynet.init import spawn
from numpynet.layers import BatchNorm1d, BatchNorm2d, Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU
from numpynet.module import Chain, Module
from numpynet.typing import Seed

KEYPOINTS = 68

NET: dict[str, Any] = {
    "size": 224,
    "channels": (32, 64, 128, 256),
    "hidden": (4000, 1000),
    "padding": 0,
    "dropout": 0.4,
}
"""The course project's network: 152 million weights, 147 million of them in fc1."""

COMPACT: dict[str, Any] = {
    "size": 96,
    "channels": (16, 32, 64, 128, 128),
    "hidden": (256,),
    "padding": 1,
    "dropout": 0.1,
}
"""A sibling small enough to ship."""


class KeypointNet(Chain):
    """A grayscale face in, (N, 1, size, size), 68 points out, (N, 136): x and y in turn, in normalised units.

    For each entry of `channels`: 3 x 3 convolution (with `padding`), batch norm, ReLU, 2 x 2 max pooling. Then, for
    each entry of `hidden`: linear, batch norm, ReLU, dropout. A last linear layer gives the points.

    rng: a seed or generator, from which initialisation and dropout draw in streams of their own.

    ValueError where the images are too small for so many poolings.
    """

    def __init__(
        self,
        size: int = NET["size"],
        channels: Sequence[int] = NET["channels"],
        hidden: Sequence[int] = NET["hidden"],
        padding: int = NET["padding"],
        dropout: float = NET["dropout"],
        *,
        rng: Seed = None,
    ) -> None:
        self.arguments: dict[str, Any] = {
            "size": size,
            "channels": list(channels),
            "hidden": list(hidden),
            "padding": padding,
            "dropout": dropout,
        }
        init_rng, dropout_rng = spawn(rng, 2)
        width, side = 1, size
        for i, filters in enumerate(channels, 1):
            setattr(self, f"conv{i}", Conv2d(width, filters, 3, padding=padding, rng=init_rng))
            setattr(self, f"conv{i}_bn", BatchNorm2d(filters))
            width, side = filters, output_size(output_size(side, 3, 1, padding, 1), 2, 2, 0, 1)
        if side < 1:
            raise ValueError(f"KeypointNet: images of size {size} are too small for {len(channels)} poolings")
        self.pool = MaxPool2d(2)
        features = width * side * side
        for i, units in enumerate(hidden, 1):
            setattr(self, f"fc{i}", Linear(features, units, rng=init_rng))
            setattr(self, f"fc{i}_bn", BatchNorm1d(units))
            features = units
        setattr(self, f"fc{len(hidden) + 1}", Linear(features, 2 * KEYPOINTS, rng=init_rng))
        self.dropout = Dropout(dropout, rng=dropout_rng)

    @classmethod
    def compact(cls, *, rng: Seed = None, **arguments: Any) -> Self:
        """The compact sibling: the same layers with the arguments of `COMPACT`, or others given by name."""
        return cls(**(COMPACT | arguments), rng=rng)

    def path(self) -> list[Module]:
        parts = vars(self)
        layers: list[Module] = []
        for i in range(1, len(self.arguments["channels"]) + 1):
            layers += [parts[f"conv{i}"], parts[f"conv{i}_bn"], ReLU(), self.pool]
        layers += [Flatten()]
        hidden = len(self.arguments["hidden"])
        for i in range(1, hidden + 1):
            layers += [parts[f"fc{i}"], parts[f"fc{i}_bn"], ReLU(), self.dropout]
        return [*layers, parts[f"fc{hidden + 1}"]]

    def __repr__(self) -> str:
        return super().__repr__().replace(type(self).__name__, "Net", 1)  # the name in the course project


MODELS = {"net": NET, "compact": COMPACT}
"""The networks that commands know by name: arguments of KeypointNet (and of its PyTorch twin)."""
