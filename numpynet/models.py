"""The networks: the course project's, its compact sibling, and the two that are shipped: hourglass and finder."""

from collections.abc import Sequence
from typing import Any, Self

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

Step = str | Module | list["Step"]
"""One step of a route: the name of an attribute, a layer without parameters, or the body of a Residual."""


class _Network(Chain):
    """A chain along `route`, which the constructor builds while it sets the layers as attributes.

    The route holds names, not the layers: set another layer as `net.fc3`, and the network computes with that one.
    """

    route: list[Step]
    arguments: dict[str, Any]
    """The constructor's arguments, as a weights file holds them."""

    def path(self) -> list[Module]:
        return self._layers(self.route)

    def _layers(self, route: list[Step]) -> list[Module]:
        return [self._layer(step) for step in route]

    def _layer(self, step: Step) -> Module:
        if isinstance(step, str):
            layer: Module = getattr(self, step)
            return layer
        return Residual(*self._layers(step)) if isinstance(step, list) else step

    def _add(self, name: str, layer: Module) -> str:
        """Set the layer as the attribute `name`, and return the name for the route."""
        setattr(self, name, layer)
        return name

    def _stem(self, stem: Sequence[int], rng: Seed) -> int:
        """Begin the route: for each entry a block, and a pool to half the size. Returns the number of maps."""
        self.route, maps = [], 1
        for i, filters in enumerate(stem, 1):
            self.route += [*self._block(f"stem{i}", maps, filters, rng), "pool"]
            maps = filters
        return maps

    def _block(self, name: str, maps: int, filters: int, rng: Seed) -> list[Step]:
        """A 3 x 3 convolution from `maps` to `filters` maps that keeps their size, its batch norm, and ReLU."""
        return [
            self._add(name, Conv2d(maps, filters, 3, padding=1, bias=False, rng=rng)),
            self._add(f"{name}_bn", BatchNorm2d(filters)),
            ReLU(),
        ]


class KeypointNet(_Network):
    """Grayscale faces (N, 1, size, size) -> 68 points (N, 136): x and y alternate, in normalised units.

    For each entry of `channels`: 3 x 3 convolution (with `padding`), batch norm, ReLU, 2 x 2 max pooling. Then, for
    each entry of `hidden`: linear, batch norm, ReLU, dropout. A last linear layer gives the points.

    By default it is the course project's network: 152 million weights, 147 million of them in fc1.

    rng: a seed or generator; the first weights and the dropout draw from separate streams.

    ValueError if an argument is out of range, or if the images are too small for one pooling per entry of `channels`.
    """

    def __init__(
        self,
        size: int = 224,
        channels: Sequence[int] = (32, 64, 128, 256),
        hidden: Sequence[int] = (4000, 1000),
        padding: int = 0,
        dropout: float = 0.4,
        *,
        rng: Seed = None,
    ) -> None:
        size, padding = whole(size, "KeypointNet: size"), whole(padding, "KeypointNet: padding", 0)
        channels, hidden = wholes(channels, "KeypointNet: channels"), wholes(hidden, "KeypointNet: hidden")
        dropout = number(dropout, "KeypointNet: dropout", least=0, most=1)
        self.arguments = {
            "size": size,
            "channels": list(channels),
            "hidden": list(hidden),
            "padding": padding,
            "dropout": dropout,
        }
        init_rng, dropout_rng = spawn(rng, 2)
        self.route = []
        maps, side = 1, size
        for i, filters in enumerate(channels, 1):
            self.route += [
                self._add(f"conv{i}", Conv2d(maps, filters, 3, padding=padding, rng=init_rng)),
                self._add(f"conv{i}_bn", BatchNorm2d(filters)),
                ReLU(),
                "pool",
            ]
            maps, side = filters, output_size(output_size(side, 3, 1, padding, 1), 2, 2, 0, 1)
        if side < 1:
            raise ValueError(f"KeypointNet: images of size {size} are too small for {len(channels)} poolings")
        self.pool = MaxPool2d(2)
        self.route += [Flatten()]
        features = maps * side * side
        for i, units in enumerate(hidden, 1):
            self.route += [
                self._add(f"fc{i}", Linear(features, units, rng=init_rng)),
                self._add(f"fc{i}_bn", BatchNorm1d(units)),
                ReLU(),
                "dropout",
            ]
            features = units
        self.route += [self._add(f"fc{len(hidden) + 1}", Linear(features, 2 * KEYPOINTS, rng=init_rng))]
        self.dropout = Dropout(dropout, rng=dropout_rng)

    @classmethod
    def compact(
        cls,
        size: int = 96,
        channels: Sequence[int] = (16, 32, 64, 128, 128),
        hidden: Sequence[int] = (256,),
        padding: int = 1,
        dropout: float = 0.1,
        *,
        rng: Seed = None,
    ) -> Self:
        """A sibling small enough to ship: the same kinds of layers, with these defaults."""
        return cls(size, channels, hidden, padding, dropout, rng=rng)

    def _get_name(self) -> str:
        return "Net"  # the class's name in the course project


class HourglassNet(_Network):
    """Grayscale faces (N, 1, size, size) -> 68 points (N, 136): x and y alternate, the crop's edges are at -1 and 1.

    A stem, an hourglass (Newell et al. 2016), and a head. A block is a 3 x 3 convolution, batch norm and ReLU::

        stem      for each entry of `stem`: block, pool to half the size
        level i   block ─ block ─┬──────────────────────────────────(+)── block
                                 └─ pool ─ level i + 1 ─ 1 x 1 ─ upsample ─┘
        head      1 x 1 to 68 maps of scores, one per point ─ soft argmax

    The level i has levels[i - 1] filters; the deepest is its first two blocks alone. So every pixel of the first level
    has seen the whole face through the deeper levels, and its own surroundings at full resolution. The soft argmax
    turns each map of scores into a position.

    By default it is the network that is shipped: 1.4 million weights.

    rng: a seed or generator, from which the first weights are drawn.

    ValueError if an argument is out of range, or if the images cannot be halved once per entry of the stem and once
    more per level but the first.
    """

    def __init__(
        self,
        size: int = 96,
        stem: Sequence[int] = (16, 32),
        levels: Sequence[int] = (64, 128, 256),
        *,
        rng: Seed = None,
    ) -> None:
        size = whole(size, "HourglassNet: size")
        stem, levels = wholes(stem, "HourglassNet: stem"), wholes(levels, "HourglassNet: levels")
        self.arguments = {"size": size, "stem": list(stem), "levels": list(levels)}
        halvings = len(stem) + len(levels) - 1
        if not levels:
            raise ValueError("HourglassNet: levels must hold one number of filters at least")
        if size % 2**halvings:
            raise ValueError(
                f"HourglassNet: size {size} must be a multiple of {2**halvings}, to be halved {halvings} times"
            )
        (rng,) = spawn(rng, 1)
        maps = self._stem(stem, rng)
        down: list[list[Step]] = []  # the first two blocks of each level
        for i, filters in enumerate(levels, 1):
            first = self._block(f"down{i}a", maps, filters, rng)
            down.append([*first, *self._block(f"down{i}b", filters, filters, rng)])
            maps = filters
        level = down.pop()  # the steps of the deepest level, then of each level around it
        for i in range(len(levels) - 1, 0, -1):
            back = self._add(f"back{i}", Conv2d(levels[i], levels[i - 1], 1, bias=False, rng=rng))
            up = self._block(f"up{i}", levels[i - 1], levels[i - 1], rng)
            level = [*down.pop(), ["pool", *level, back, "upsample"], *up]
        # The softmax inside the soft argmax would cancel a bias of the head.
        head = self._add("head", Conv2d(levels[0], KEYPOINTS, 1, bias=False, rng=rng))
        self.pool = MaxPool2d(2)
        self.upsample = Upsample(2)
        self.soft_argmax = SoftArgmax2d()
        self.route += [*level, head, "soft_argmax"]


class FinderNet(_Network):
    """Grayscale images (N, 1, H, W) -> what each cell of a grid says about faces (N, 6, H / 8, W / 8).

    A block is a 3 x 3 convolution, batch norm and ReLU::

        stem      for each entry of `stem`: block, pool to half the size
        body      for each entry of `body`: block, around which x is added if the number of maps stays the same
        head      1 x 1 to the six OUTPUTS

    It is fully convolutional: `size` is the side of the images it learns from, and any size gives a grid. With three
    entries in the stem a cell is 8 pixels wide.

    By default it is the network that is shipped: 140 thousand weights.

    rng: a seed or generator, from which the first weights are drawn.

    ValueError if an argument is out of range, or if the images cannot be halved once per entry of the stem.
    """

    OUTPUTS = 6

    def __init__(
        self,
        size: int = 128,
        stem: Sequence[int] = (8, 16, 32),
        body: Sequence[int] = (64, 64, 64, 64),
        *,
        rng: Seed = None,
    ) -> None:
        size = whole(size, "FinderNet: size")
        stem, body = wholes(stem, "FinderNet: stem"), wholes(body, "FinderNet: body")
        self.arguments = {"size": size, "stem": list(stem), "body": list(body)}
        if size % 2 ** len(stem):
            raise ValueError(
                f"FinderNet: size {size} must be a multiple of {2 ** len(stem)}, to be halved {len(stem)} times"
            )
        (rng,) = spawn(rng, 1)
        maps = self._stem(stem, rng)
        for i, filters in enumerate(body, 1):
            block = self._block(f"body{i}", maps, filters, rng)
            self.route += [block] if filters == maps else block
            maps = filters
        self.route += [self._add("head", Conv2d(maps, self.OUTPUTS, 1, rng=rng))]
        self.pool = MaxPool2d(2)
