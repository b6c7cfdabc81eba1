"""What the networks' constructors may be given by a file that anybody may have written."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from numpynet.strict_json import is_number, shown

MOST_PIXELS = 1024
"""The side of the largest crop: memory and time grow with its square."""
MOST_LAYERS = 16
MOST_FILTERS, MOST_UNITS = 4096, 65_536
MOST_NUMBERS = 1 << 25
"""What a convolution may make of one crop: filters times pixels. The full network's first one makes 1.6 million."""


class Limits(NamedTuple):
    """Of one argument: whether it is a whole number, or a list of them, and between what each must lie."""

    low: float
    high: float
    whole: bool = True
    many: bool = False

    def allow(self, value: object) -> bool:
        """Whether `value` keeps to them."""
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
}


def check_arguments(architecture: str, arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """ValueError where the architecture has no such argument, or it is of another type or outside its limits.

    defaults: of those that are not given.
    """
    limits = LIMITS[architecture]
    for name, value in arguments.items():
        if name not in limits:
            raise ValueError(f"{architecture} takes {', '.join(limits)}, not {shown(name)}")
        if not limits[name].allow(value):
            raise ValueError(f"{name} must be {limits[name]}, got {shown(value)}")
    for side, filters in _convolutions(defaults | dict(arguments)):
        if side * side * filters > MOST_NUMBERS:
            raise ValueError(f"{filters} filters of {side} x {side} pixels are too many; at most {MOST_NUMBERS} numbers")


def _convolutions(arguments: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """The side and the filters of what each convolution makes, of which the next pool makes half the side."""
    side, around = arguments["size"], 2 * arguments.get("padding", 1) - 2
    for filters in (*arguments.get("channels", ()), *arguments.get("stem", ()), *arguments.get("levels", ())):
        side = max(0, side + around)
        yield side, filters
        side //= 2
