"""A face with its points: as text, and as an animated SVG."""

from collections.abc import Sequence

import numpy as np

from numpynet.learn.showing.png import gray_uri
from numpynet.typing import Array

SHADES = " .:-=+"
"""From dark to bright. They are all fainter than POINT."""
POINT = "@"
COLUMNS = 64
ZOOM = 4
SECONDS = 0.8
"""How long the animation takes from one moment to the next."""


def as_text(image: Array, points: Array) -> str:
    """A gray image (S, S), 0 to 1, in characters, with points (P, 2) in pixels marked. A character is twice as high
    as it is wide.
    """
    size, rows = len(image), COLUMNS // 2
    row_of = (np.arange(rows) + 0.5) * size / rows
    column_of = (np.arange(COLUMNS) + 0.5) * size / COLUMNS
    shades = (image[row_of.astype(int)][:, column_of.astype(int)] * (len(SHADES) - 1)).round().astype(int)
    canvas = [[SHADES[shade] for shade in row] for row in shades]
    for x, y in points:
        row, column = int(np.floor((y + 0.5) * rows / size)), int(np.floor((x + 0.5) * COLUMNS / size))
        if 0 <= row < rows and 0 <= column < COLUMNS:
            canvas[row][column] = POINT
    return "\n".join("  " + "".join(line).rstrip() for line in canvas)


def as_svg(image: Array, moments: Sequence[tuple[int, Array]]) -> str:
    """An SVG of a gray image (S, S), 0 to 1, on which points (P, 2) in pixels move from one moment to the next.

    moments: the number of steps done, and the points then. A viewer who prefers reduced motion sees the last moment.
    """
    size, last = len(image), len(moments) - 1
    shares = [100 * i / (len(moments) + 3) for i in range(len(moments))]  # the last moment stays a while
    rules, circles, labels = [], [], []
    for p, end in enumerate(moments[last][1]):
        stops = "".join(
            f"{share:.1f}%{{transform:translate({x - end[0]:.1f}px,{y - end[1]:.1f}px)}}"
            for share, (x, y) in zip(shares, (points[p] for _, points in moments), strict=True)
        )
        rules.append(f"@keyframes p{p}{{{stops}100%{{transform:none}}}}")
        circles.append(f'<circle style="animation-name:p{p}" cx="{end[0] + 0.5:.2f}" cy="{end[1] + 0.5:.2f}" r="0.9"/>')
    for i, (step, _) in enumerate(moments):
        stops = ("" if i == 0 else "0%{opacity:0}") + f"{shares[i]:.1f}%{{opacity:1}}"
        stops += "" if i == last else f"{shares[i + 1]:.1f}%,100%{{opacity:0}}"
        rules.append(f"@keyframes s{i}{{{stops}}}")
        opacity = int(i == last)
        labels.append(f'<text style="animation-name:s{i}" opacity="{opacity}" x="2" y="{size - 3}">step {step}</text>')
    duration = SECONDS * (len(moments) + 3)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size * ZOOM}" '
        f'height="{size * ZOOM}" role="img" aria-labelledby="title desc">',
        '<title id="title">Points settle on a face while a network learns</title>',
        f'<desc id="desc">{len(circles)} points on a photo of a face. They move from where the network puts them after '
        f"{moments[0][0]} training steps to where it puts them after {moments[last][0]}.</desc>",
        "<style>circle{fill:#ffd54a;stroke:#222;stroke-width:.2}text{font:5px sans-serif;fill:#fff;stroke:#000;"
        "stroke-width:.8px;paint-order:stroke}",
        f"circle,text{{animation:{duration:g}s infinite}}text{{animation-timing-function:step-end}}",
        *rules,
        "@media (prefers-reduced-motion:reduce){circle,text{animation:none}}</style>",
        f'<image width="{size}" height="{size}" href="{gray_uri(image)}"/>',
        *circles,
        *labels,
        "</svg>",
        "",
    ])  # fmt: skip
