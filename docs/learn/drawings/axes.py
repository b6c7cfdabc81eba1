"""A small pair of axes on a Drawing."""

from collections.abc import Sequence
from dataclasses import dataclass

from numpynet.learn.grids import Drawing, shown

Range = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """A rectangle of the drawing that shows x from `across[0]` to `across[1]` and y from `up[0]` to `up[1]`."""

    drawing: Drawing
    left: float
    top: float
    width: float
    height: float
    across: Range
    up: Range

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where (x, y) lies in the drawing."""
        right = (x - self.across[0]) / (self.across[1] - self.across[0])
        high = (y - self.up[0]) / (self.up[1] - self.up[0])
        return self.left + self.width * right, self.top + self.height * (1 - high)

    def frame(self, xs: Sequence[float], ys: Sequence[float], title: str = "") -> None:
        """Faint lines with their numbers at `xs` and `ys`, and a title above."""
        for x in xs:
            at = self.at(x, self.up[0])
            self.drawing.add(f'<path class="faint" d="M{at[0]:.1f} {self.top:.1f}V{at[1]:.1f}"/>')
            self.drawing.text(at[0], at[1] + 16, shown(x), size=12, kind="note")
        for y in ys:
            at = self.at(self.across[0], y)
            self.drawing.add(f'<path class="faint" d="M{at[0]:.1f} {at[1]:.1f}h{self.width:.1f}"/>')
            self.drawing.text(at[0] - 5, at[1] + 4, shown(y), size=12, kind="note", anchor="end")
        if title:
            self.drawing.text(self.left, self.top - 8, title, size=15, anchor="start", bold=True)

    def curve(self, points: Sequence[Range], *, kind: str = "", thick: float = 2.5, dashes: str = "") -> None:
        """A line through the points (x, y)."""
        self.drawing.line([self.at(x, y) for x, y in points], kind=kind, thick=thick, dashes=dashes)

    def dot(self, x: float, y: float, *, kind: str = "", radius: float = 4.5, hollow: bool = False) -> None:
        """A disc, or a ring if `hollow`."""
        at = self.at(x, y)
        look = (
            f'class="page"/><circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius}" class="ink {kind}" stroke-width="2"'
        )
        look = look if hollow else f'class="tip {kind}"'
        self.drawing.add(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius}" {look}/>')

    def label(self, x: float, y: float, text: str, *, kind: str = "", anchor: str = "start", size: float = 14) -> None:
        """A text at (x, y)."""
        at = self.at(x, y)
        self.drawing.text(at[0], at[1], text, size=size, kind=kind, anchor=anchor)
