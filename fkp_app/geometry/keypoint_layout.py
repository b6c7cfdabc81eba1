"""The 68-point layout of the iBUG 300-W annotation (Sagonas et al. 2013): who is who, and who mirrors whom.

"Right" and "left" are the person's own, so the right eye is on the picture's left.
"""

import numpy as np

RANGES = {
    "jaw": range(0, 17),
    "right brow": range(17, 22),
    "left brow": range(22, 27),
    "nose": range(27, 36),
    "right eye": range(36, 42),
    "left eye": range(42, 48),
    "mouth": range(48, 68),
}

OUTER_EYES = (36, 45)
"""The outer corners of the right and the left eye, whose distance is the unit of NME."""

_PAIRS = [
    *((i, 16 - i) for i in range(8)),  # jaw; 8 is the chin
    *((17 + i, 26 - i) for i in range(5)),  # brows
    *((31, 35), (32, 34)),  # nostrils; 27 to 30 and 33 lie on the middle line
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),  # eyes
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),  # outer lips
    *((60, 64), (61, 63), (65, 67)),  # inner lips
]


def _flip_order() -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    order = np.arange(68)
    for one, other in _PAIRS:
        order[one], order[other] = other, one
    return order


FLIP_ORDER = _flip_order()
"""In a mirrored picture point i is what point FLIP_ORDER[i] was."""
