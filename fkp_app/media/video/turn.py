"""Turns pictures as their file demands: phones store them as the sensor lies, and state how to turn them."""

from typing import cast

import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

from numpynet.typing import AnyArray

SKEW = 0.05
"""A matrix is no quarter turn if an element that should be 0 exceeds this share of the others."""


def oriented(image: AnyArray, frame: VideoFrame, notes: list[str]) -> AnyArray:
    """The image, turned and mirrored by quarter turns, as the frame's display matrix demands.

    If the matrix demands another angle or a skew, the nearest quarter turn is made, and notes gets a line, once.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return image
    # Rows (a, b, u), (c, d, v), (x, y, w): a stored point (p, q) is shown at (a p + c q + x, b p + d q + y).
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(cast(SideData, data)), np.int32)[:5])
    turned = abs(b) > abs(a)
    main, rest = ((b, c), (a, d)) if turned else ((a, d), (b, c))
    note = "is to be shown turned by no multiple of 90 degrees, or skewed; it is turned by the nearest one"
    if max(abs(value) for value in rest) > SKEW * min(abs(value) for value in main) and note not in notes:
        notes.append(note)
    if turned:  # columns become rows
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)
