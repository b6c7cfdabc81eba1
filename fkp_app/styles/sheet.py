"""One picture of all styles, worn by drawn people."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fkp_app.faces.keypoints import Face
from fkp_app.styles.drawn_face import PEOPLE, draw_person
from fkp_app.styles.library import Style, load_style, names
from fkp_app.styles.wear import wear
from numpynet.typing import AnyArray

TILE = (300, 330)  # width, height; all sizes in pixels
CAPTION = 58
GAP = 12
COLUMNS = 4
PAPER, INK, FAINT = (255, 255, 255), (30, 34, 40), (110, 116, 124)
EYE_DISTANCE = 62.0
MIDDLE = (149.5, 180.0)


def sheet() -> AnyArray:
    """An RGB picture of every style that comes with the program."""
    return draw_sheet([load_style(name) for name in names()])


def draw_sheet(styles: Sequence[Style]) -> AnyArray:
    """An RGB picture with one tile per style: a drawn person who wears it, its name and its description."""
    columns = min(COLUMNS, len(styles))
    rows = -(-len(styles) // columns)
    step = (TILE[0] + GAP, TILE[1] + CAPTION + GAP)
    paper = Image.new("RGB", (columns * step[0] + GAP, rows * step[1] + GAP), PAPER)
    for i, style in enumerate(styles):
        left, top = GAP + i % columns * step[0], GAP + i // columns * step[1]
        # Each row begins with the next person, so that nobody stands below herself.
        person = PEOPLE[(i + i // columns) % len(PEOPLE)]
        image, keypoints = draw_person(person, TILE, EYE_DISTANCE, MIDDLE)
        face = Face((0, 0, *TILE), None, keypoints)
        paper.paste(Image.fromarray(wear(image, [face], style)), (left, top))
        draw = ImageDraw.Draw(paper)
        draw.text((left + 2, top + TILE[1] + 6), style.name, INK, ImageFont.load_default(22))
        draw.text((left + 2, top + TILE[1] + 33), style.description, FAINT, ImageFont.load_default(14))
    return np.array(paper)
