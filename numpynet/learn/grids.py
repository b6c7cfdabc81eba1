"""Arrays as SVG grids with their numbers, still or animated.

A Drawing is readable in light and dark, and as `<img>`: its colours are in a style sheet of its own, which asks for the
reader's colour scheme. Forward numbers are black (white in the dark), gradients red. A cell is blue if its number is
positive and orange if it is negative (numpynet.learn.colours); a legend below says so.

An animation is a number of frames that follow each other for ever. What is drawn inside `with drawing.during(k)` shows
in frame k alone, inside `with drawing.since(k)` from frame k on, and everything else always. Whoever asks for reduced
motion, and a program that knows no animation, gets a still picture: the last frame, with what belongs to frame `still`.

The same calls give the same bytes: numbers are rounded, and nothing depends on the day or the machine.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from itertools import pairwise

import numpy as np

from numpynet.learn.colours import filled_in
from numpynet.typing import AnyArray

STYLE = filled_in("""\
text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;text-anchor:middle;fill:#1f2328}
.page{fill:#fff}.line{fill:none;stroke:#59636e}.ink{fill:none;stroke:#1f2328}.tip{fill:#1f2328}.faint{fill:none;stroke:#d1d9e0}
text.back,.back text{fill:#a40e26}.tip.back{fill:#cf222e}.line.back,.ink.back{stroke:#cf222e}
text.cool,.cool text,.tip.cool{fill:#0969da}.line.cool,.ink.cool{stroke:#0969da}
text.note,.note text{fill:#59636e}.pos{fill:rgb(@POSITIVE@)}.neg{fill:rgb(@NEGATIVE@)}
.c0{fill:#e8590c}.c1{fill:#1c7ed6}.c2{fill:#2f9e44}.c3{fill:#f2c200}.c4{fill:#9c36b5}
.c5{fill:#0aa2a2}.c6{fill:#e64980}.c7{fill:#868e96}.c8{fill:#8d6e4a}
@media (prefers-color-scheme:dark){
text{fill:#f0f6fc}.page{fill:#0d1117}.line{stroke:#9198a1}.ink{stroke:#f0f6fc}.tip{fill:#f0f6fc}.faint{stroke:#3d444d}
text.back,.back text,.tip.back{fill:#ffa198}.line.back,.ink.back{stroke:#ff7b72}
text.cool,.cool text,.tip.cool{fill:#79c0ff}.line.cool,.ink.cool{stroke:#79c0ff}
text.note,.note text{fill:#9198a1}.pos{fill:rgb(@POSITIVE_ON_DARK@)}
.neg{fill:rgb(@NEGATIVE_ON_DARK@)}}""")  # fmt: skip

LEGEND = 22
"""Height of the line below a drawing that says what the colours of its cells mean."""
PALEST, DEEPEST, DEEPEST_BACK = 0.06, 0.53, 0.32
"""Opacities of a cell's colour. Red digits need a paler ground than black ones."""
ROUNDING = 1e-9
"""A smaller share of the largest number is an error of rounding, which differs between machines: it gets no colour."""

Kind = str
"""Whose colour: "" for the forward pass, "back" for gradients, "cool" for a second curve, "note" for a remark."""


def shown(value: float, digits: int = 4) -> str:
    """A number as it stands in a cell: at most `digits` digits after the point, and no zeros at the end."""
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class Drawing:
    """One SVG picture, `width` x `height` units; at 360 units or so a phone shows it in full size."""

    def __init__(
        self,
        width: float,
        height: float,
        title: str,
        description: str,
        *,
        frames: int = 1,
        seconds: float = 1.0,
        still: int = 0,
    ) -> None:
        """title, description: what a screen reader says. seconds: the length of a frame.

        ValueError if there is no frame, or no frame `still`.
        """
        if not 0 <= still < frames:
            raise ValueError(f"Drawing: still must lie in 0 .. {frames - 1}, got {still}")
        self.width, self.height, self.title, self.description = width, height, title, description
        self.frames, self.seconds, self.still = frames, seconds, still
        self._parts: list[str] = []
        self._signed = False

    def add(self, markup: str) -> None:
        """Any SVG markup, drawn over what is there."""
        self._parts.append(markup)

    @contextmanager
    def during(self, frame: int) -> Iterator[None]:
        """What is drawn inside shows in this frame alone."""
        self._within(frame)
        still = " s" if frame == self.still else ""
        delay = _short((frame - self.frames) * self.seconds)
        self.add(f'<g class="o{still}" style="animation-delay:{delay}s">')
        yield
        self.add("</g>")

    @contextmanager
    def since(self, frame: int) -> Iterator[None]:
        """What is drawn inside shows from this frame on."""
        self._within(frame)
        self.add(f'<g class="f{frame}">')
        yield
        self.add("</g>")

    def text(
        self, x: float, y: float, text: str, *, size: float = 15, kind: Kind = "", anchor: str = "", bold: bool = False
    ) -> None:
        """A line of text with its baseline at y. anchor: "start" or "end" if x is not its middle."""
        style = f"font-size:{_short(size)}px" + (f";text-anchor:{anchor}" if anchor else "")
        style += ";font-weight:600" if bold else ""
        self.add(f'<text x="{_short(x)}" y="{_short(y)}"{_class(kind)} style="{style}">{escape(text)}</text>')

    def grid(
        self,
        x: float,
        y: float,
        values: AnyArray | Sequence[Sequence[float]],
        *,
        cell: float = 40,
        wide: float | None = None,
        title: str = "",
        kind: Kind = "",
        numbers: bool = True,
        digits: int = 4,
        largest: float | None = None,
        colours: AnyArray | None = None,
        where: AnyArray | None = None,
        size: float | None = None,
    ) -> None:
        """A matrix with its numbers, its upper left corner at (x, y) and `title` above it.

        cell, wide: a cell's height and width, equal if `wide` is None. largest: the absolute value of the strongest
        colour; by default that of the largest number. colours (rows, columns): the index of a colour for each cell, in
        place of the colour of the number; -1 for none. where (rows, columns): which cells to draw, each with a
        background of its own, so that it hides what is under it. size: of the digits, by default what fits.

        ValueError if `values` is not a matrix.
        """
        matrix = np.asarray(values, dtype=np.float64)
        if matrix.ndim != 2:
            raise ValueError(f"grid: values must be a matrix, got shape {matrix.shape}")
        wide = cell if wide is None else wide
        largest = float(np.abs(matrix).max(initial=0)) if largest is None else largest
        texts = [[shown(value, digits) for value in row] for row in matrix]
        longest = max((len(text) for row in texts for text in row), default=1)
        size = min(16.0, 0.48 * cell, 1.55 * wide / max(longest, 2)) if size is None else size
        deepest = DEEPEST_BACK if kind == "back" else DEEPEST
        if title:
            self.text(x + wide * matrix.shape[1] / 2, y - 8, title, kind=kind)
        self.add(f'<g{_class(kind)} transform="translate({_short(x)} {_short(y)})" style="font-size:{_short(size)}px">')
        for row, column in np.argwhere(np.ones(matrix.shape, bool) if where is None else where):
            left, top, value = column * wide, row * cell, matrix[row, column]
            box = f'x="{_short(left)}" y="{_short(top)}" width="{_short(wide)}" height="{_short(cell)}"'
            if where is not None:
                self.add(f'<rect {box} class="page"/>')
            colour = ("pos" if value > 0 else "neg") if colours is None else f"c{colours[row, column]}"
            share = (abs(value) / largest if largest else 0) if colours is None else float(colours[row, column] >= 0)
            if share > ROUNDING:
                opacity = PALEST + (deepest - PALEST) * min(share, 1)
                self.add(f'<rect {box} class="{colour}" fill-opacity="{_short(opacity, 2)}"/>')
                self._signed |= colours is None
            if where is not None:
                self.add(f'<rect {box} class="faint"/>')
            if numbers:
                middle, base = _short(left + wide / 2), _short(top + cell / 2 + 0.35 * size)
                self.add(f'<text x="{middle}" y="{base}">{texts[row][column]}</text>')
        rows, columns = matrix.shape
        if where is None:
            across = "".join(f"M0 {_short(i * cell)}h{_short(columns * wide)}" for i in range(1, rows))
            down = "".join(f"M{_short(i * wide)} 0v{_short(rows * cell)}" for i in range(1, columns))
            if across or down:
                self.add(f'<path class="faint" d="{across}{down}"/>')
        self.add(
            f'<rect width="{_short(columns * wide)}" height="{_short(rows * cell)}" class="{_with("line", kind)}"/>'
        )
        self.add("</g>")

    def outline(self, x: float, y: float, width: float, height: float, *, kind: Kind = "", thick: float = 3) -> None:
        """A thick frame, such as a window's."""
        box = f'x="{_short(x)}" y="{_short(y)}" width="{_short(width)}" height="{_short(height)}"'
        self.add(f'<rect {box} rx="2" class="{_with("ink", kind)}" stroke-width="{_short(thick)}"/>')

    def line(
        self, points: Sequence[tuple[float, float]], *, kind: Kind = "", thick: float = 2, dashes: str = ""
    ) -> None:
        """A line through the points (x, y)."""
        path = "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.add(f'<path d="{path}" class="{_with("ink", kind)}" stroke-width="{_short(thick)}"{dashed}/>')

    def arrow(self, points: Sequence[tuple[float, float]], *, kind: Kind = "", thick: float = 2) -> None:
        """A line through the points with a tip at the last. ValueError if it ends where it comes from."""
        (x0, y0), (x1, y1) = list(pairwise(points))[-1]
        length = float(np.hypot(x1 - x0, y1 - y0))
        if length == 0:
            raise ValueError(f"arrow: the last two points are the same, {points[-1]}")
        dx, dy, size = (x1 - x0) / length, (y1 - y0) / length, 4 + 2 * thick
        back = (x1 - size * dx, y1 - size * dy)
        sides = [(back[0] + s * dy * size / 2, back[1] - s * dx * size / 2) for s in (1, -1)]
        self.line([*points[:-1], back], kind=kind, thick=thick)
        tip = " ".join(f"{_short(x)},{_short(y)}" for x, y in [(x1, y1), *sides])
        self.add(f'<polygon points="{tip}" class="{_with("tip", kind)}"/>')

    def svg(self) -> str:
        """The whole file. A drawing with coloured numbers is LEGEND units higher than `height`."""
        height = self.height + (LEGEND if self._signed else 0)
        size = f'width="{_short(self.width)}" height="{_short(height)}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_short(self.width)} {_short(height)}" '
                f'{size} role="img" aria-labelledby="title desc">',
                f'<title id="title">{escape(self.title)}</title>',
                f'<desc id="desc">{escape(self.description)}</desc>',
                f"<style>{STYLE}{self._motion()}</style>",
                f'<rect {size} class="page"/>',
                *self._parts,
                *self._legend(),
                "</svg>",
                "",
            ]
        )

    def _legend(self) -> list[str]:
        """What the colours of the cells mean, in the last line, if there are any."""
        if not self._signed:
            return []
        line = Drawing(self.width, self.height + LEGEND, "", "")
        left, base = self.width / 2 - 162, self.height + LEGEND - 8
        for x, colour, word in ((0, "pos", "positive"), (74, "neg", "negative")):
            box = f'x="{_short(left + x)}" y="{_short(base - 10)}" width="12" height="12"'
            line.add(f'<rect {box} class="{colour}" fill-opacity="{DEEPEST}"/>')
            line.text(left + x + 16, base, word, size=12, kind="note", anchor="start")
        line.text(left + 152, base, "deeper colour: larger number", size=12, kind="note", anchor="start")
        return line._parts

    def _motion(self) -> str:
        """The style sheet of the frames: without motion the last one, with motion one after the other."""
        if self.frames == 1:
            return ""
        n, whole = self.frames, _short(self.frames * self.seconds)
        rules = [f"@keyframes o{{0%{{opacity:1}}{_short(100 / n, 3)}%{{opacity:0}}}}"]
        rules += [f"@keyframes f{k}{{0%{{opacity:0}}{_short(100 * k / n, 3)}%{{opacity:1}}}}" for k in range(1, n)]
        rules += [f".o{{animation:o {whole}s step-end infinite}}"]
        rules += [f".f{k}{{animation:f{k} {whole}s step-end infinite}}" for k in range(1, n)]
        return (
            "\n.o{opacity:0}.o.s{opacity:1}\n@media (prefers-reduced-motion:no-preference){\n"
            + "\n".join(rules)
            + "\n}"
        )

    def _within(self, frame: int) -> None:
        if not 0 <= frame < self.frames:
            raise ValueError(f"Drawing: there is no frame {frame} of {self.frames}")


def _short(value: float, digits: int = 1) -> str:
    return shown(float(value), digits)


def _class(kind: Kind) -> str:
    return f' class="{kind}"' if kind else ""


def _with(name: str, kind: Kind) -> str:
    return f"{name} {kind}" if kind else name
