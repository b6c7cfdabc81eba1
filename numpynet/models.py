"""The networks: the course project's with its compact sibling, and the hourglass that is shipped."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from numpynet.arguments import check_arguments
from numpynet.checks import number, whole, wholes
from numpynet.functional.windows import output_size
from numpynet.init import spawn
from numpynet.layers import (
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    SoftArgmax2d,
    Upsample,
)
from numpynet.module import Chain, Module, Residual
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
        size, padding = whole(size, "KeypointNet: size"), whole(padding, "KeypointNet: padding", 0)
        channels, hidden = wholes(channels, "KeypointNet: channels"), wholes(hidden, "KeypointNet: hidden")
        self.arguments: dict[str, Any] = {
            "size": size,
            "channels": list(channels),
            "hidden": list(hidden),
            "padding": padding,
            "dropout": number(dropout, "KeypointNet: dropout", least=0, most=1),
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


HOURGLASS: dict[str, Any] = {"size": 96, "stem": (16, 32), "levels": (64, 128, 256)}
"""The network that is shipped: 1.4 million weights."""


class HourglassNet(Chain):
    """A grayscale face in, (N, 1, size, size), 68 points out, (N, 136): x and y in turn, the crop's edges at -1 and 1.

    The stem halves the picture once for each of its entries: 3 x 3 convolution, batch norm, ReLU, 2 x 2 max pooling.
    Then an hourglass (Newell et al. 2016) of as many `levels`, each with so many filters: a level is two convolutions;
    a pool to half the size, the next level there, and back up, which is added to what went down; and a convolution. So
    every pixel of the first level has seen the whole face, and its own surroundings sharply. The head turns each into a
    score for every point, and a soft argmax turns a point's 68 maps of scores into positions.

    rng: a seed or generator, from which initialisation draws.

    ValueError where the images cannot be halved so often.
    """

    def __init__(
        self,
        size: int = HOURGLASS["size"],
        stem: Sequence[int] = HOURGLASS["stem"],
        levels: Sequence[int] = HOURGLASS["levels"],
        *,
        rng: Seed = None,
    ) -> None:
        size = whole(size, "HourglassNet: size")
        stem, levels = wholes(stem, "HourglassNet: stem"), wholes(levels, "HourglassNet: levels")
        self.arguments: dict[str, Any] = {"size": size, "stem": list(stem), "levels": list(levels)}
        halvings = len(stem) + len(levels) - 1
        if not levels:
            raise ValueError("HourglassNet: levels must hold one number of filters at least")
        if size % 2**halvings:
            raise ValueError(
                f"HourglassNet: size {size} must be a multiple of {2**halvings}, to be halved {halvings} times"
            )
        (init_rng,) = spawn(rng, 1)
        width = 1
        for i, filters in enumerate(stem, 1):
            width = self._add_block(f"stem{i}", width, filters, init_rng)
        for i, filters in enumerate(levels, 1):
            width = self._add_block(f"down{i}a", width, filters, init_rng)
            width = self._add_block(f"down{i}b", width, filters, init_rng)
        for i in range(len(levels) - 1, 0, -1):
            setattr(self, f"back{i}", Conv2d(levels[i], levels[i - 1], 1, bias=False, rng=init_rng))
            self._add_block(f"up{i}", levels[i - 1], levels[i - 1], init_rng)
        self.head = Conv2d(levels[0], KEYPOINTS, 1, bias=False, rng=init_rng)  # softmax would not see a bias
        self.pool = MaxPool2d(2)
        self.upsample = Upsample(2)
        self.soft_argmax = SoftArgmax2d()

    def path(self) -> list[Module]:
        layers: list[Module] = []
        for i in range(1, len(self.arguments["stem"]) + 1):
            layers += [*self._block(f"stem{i}"), self.pool]
        return [*layers, *self._level(1), self.head, self.soft_argmax]

    def _level(self, i: int) -> list[Module]:
        """The layers of level i, with those of all deeper levels inside."""
        down = [*self._block(f"down{i}a"), *self._block(f"down{i}b")]
        if i == len(self.arguments["levels"]):
            return down
        deeper = Residual(self.pool, *self._level(i + 1), getattr(self, f"back{i}"), self.upsample)
        return [*down, deeper, *self._block(f"up{i}")]

    def _add_block(self, name: str, width: int, filters: int, rng: Seed) -> int:
        setattr(self, name, Conv2d(width, filters, 3, padding=1, bias=False, rng=rng))
        setattr(self, f"{name}_bn", BatchNorm2d(filters))
        return filters

    def _block(self, name: str) -> list[Module]:
        return [getattr(self, name), getattr(self, f"{name}_bn"), ReLU()]


ARCHITECTURES: dict[str, type[KeypointNet | HourglassNet]] = {"KeypointNet": KeypointNet, "HourglassNet": HourglassNet}
"""The networks that weights files and recipes know by name."""


def build(architecture: str, arguments: Mapping[str, Any], rng: Seed = None) -> KeypointNet | HourglassNet:
    """A network by the name of its class and the class's arguments, which may come from anybody's file.

    ValueError for another name, or where an argument is unknown, of another type, or outside `arguments.LIMITS`.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}, got {architecture}")
    check_arguments(architecture, arguments, NET if architecture == "KeypointNet" else HOURGLASS)
    return ARCHITECTURES[architecture](**arguments, rng=rng)


MODELS = {"net": NET, "compact": COMPACT}
"""The networks that commands know by name: arguments of KeypointNet (and of its PyTorch twin)."""
