"""Pictures turned as their file wants them shown: phones store what they see lying on its side, and say so."""

from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

from numpynet.typing import AnyArray

SKEW = 0.05
"""A matrix whose smaller part is larger than this share of its other part is no quarter turn."""


def oriented(image: AnyArray, frame: VideoFrame, notes: list[str]) -> AnyArray:
    """The image turned and mirrored by quarter turns, as the frame's display matrix wants it shown.

    notes gets a line, once, where the matrix wants something else, and the nearest quarter turn is made.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return image
    # Rows (a, b, u), (c, d, v), (x, y, w): a stored point (p, q) is shown at (a p + c q + x, b p + d q + y).
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(cast(SideData, data)), np.int32)[:5])
    turned = abs(b) > abs(a)
    main, rest = ((b, c), (a, d)) if turned else ((a, d), (b, c))
    note = "is to be shown turned by no quarter turn, or skewed; it is turned to the nearest"
    if max(abs(value) for value in rest) > SKEW * min(abs(value) for value in main) and note not in notes:
        notes.append(note)
    if turned:  # columns become rows
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)
