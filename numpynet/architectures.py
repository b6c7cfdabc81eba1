"""Networks from files that anybody may have written: known names, and arguments within limits."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from numpynet.models import FinderNet, HourglassNet, KeypointNet
from numpynet.strict_json import is_number, shown
from numpynet.typing import Seed

Network = KeypointNet | HourglassNet | FinderNet

ARCHITECTURES: dict[str, type[Network]] = {
    "KeypointNet": KeypointNet,
    "HourglassNet": HourglassNet,
    "FinderNet": FinderNet,
}
"""The networks that weights files and recipes name."""

MOST_PIXELS = 1024
"""The side of the largest crop: memory and time grow with its square."""
MOST_LAYERS = 16
MOST_FILTERS, MOST_UNITS = 4096, 65_536
MOST_NUMBERS = 1 << 25
"""In the output of one convolution for one crop: filters times pixels. The full network's first makes 1.6 million."""


class Limits(NamedTuple):
    """The limits of one argument: a number, or a list of them, each from `low` to `high`."""

    low: float
    high: float
    whole: bool = True
    many: bool = False

    def allow(self, value: object) -> bool:
        """Whether `value` is within the limits."""
        if self.many:
            return isinstance(value, list | tuple) and len(value) <= MOST_LAYERS and all(map(self._allow, value))
        return self._allow(value)

    def _allow(self, value: object) -> bool:
        return is_number(value, self.low, self.high) and (isinstance(value, int) or not self.whole)

    def __str__(self) -> str:
        kind = "whole number" if self.whole else "number"
        words = f"a list of at most {MOST_LAYERS} {kind}s, each" if self.many else f"a {kind}"
        return f"{words} from {self.low:g} to {self.high:g}"


FILTERS = Limits(1, MOST_FILTERS, many=True)
LIMITS: dict[str, dict[str, Limits]] = {
    "KeypointNet": {
        "size": Limits(1, MOST_PIXELS),
        "channels": FILTERS,
        "hidden": Limits(1, MOST_UNITS, many=True),
        "padding": Limits(0, 16),
        "dropout": Limits(0, 0.999, whole=False),
    },
    "HourglassNet": {"size": Limits(1, MOST_PIXELS), "stem": FILTERS, "levels": FILTERS},
    "FinderNet": {"size": Limits(1, MOST_PIXELS), "stem": FILTERS, "body": FILTERS},
}


def build(architecture: str, arguments: Mapping[str, Any], rng: Seed = None) -> Network:
    """The network with this class name and these constructor arguments.

    ValueError for another name, or if an argument is unknown, of another type, or outside LIMITS.
    """
    if architecture not in ARCHITECTURES:
        got = shown(architecture).strip("'")
        raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}, got {got}")
    check_arguments(architecture, arguments)
    return ARCHITECTURES[architecture](**arguments, rng=rng)


def defaults(constructor: Callable[..., object]) -> dict[str, Any]:
    """The defaults of a network's constructor, such as KeypointNet or KeypointNet.compact, without `rng`."""
    parameters = inspect.signature(constructor).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name != "rng"}


def check_arguments(architecture: str, arguments: Mapping[str, Any]) -> None:
    """ValueError if the architecture has no such argument, or if one is of another type or outside its limits."""
    limits = LIMITS[architecture]
    for name, value in arguments.items():
        if name not in limits:
            raise ValueError(f"{architecture} takes {', '.join(limits)}, not {shown(name)}")
        if not limits[name].allow(value):
            raise ValueError(f"{name} must be {limits[name]}, got {shown(value)}")
    for side, filters in _convolutions(defaults(ARCHITECTURES[architecture]) | dict(arguments)):
        if side * side * filters > MOST_NUMBERS:
            raise ValueError(
                f"{filters} filters of {side} x {side} pixels are too many; at most {MOST_NUMBERS} numbers"
            )


def _convolutions(arguments: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Side and number of the maps that each convolution makes; the pool behind it halves the side, but in a body."""
    side, around = arguments["size"], 2 * arguments.get("padding", 1) - 2
    for filters in (*arguments.get("channels", ()), *arguments.get("stem", ()), *arguments.get("levels", ())):
        side = max(0, side + around)
        yield side, filters
        side //= 2
    for filters in arguments.get("body", ()):
        yield side, filters
