"""Put a style on faces."""

from collections.abc import Sequence

import numpy as np

from fkp_app.faces.keypoints import Face
from fkp_app.styles.library import Style
from fkp_app.styles.overlay import blend
from fkp_app.styles.placing import place, yaw
from numpynet.typing import AnyArray, Array


def wear(image: AnyArray, faces: Sequence[Face], style: Style) -> AnyArray:
    """A copy of an RGB image (H, W, 3) uint8 on which every face wears the style (see `library.load_style`).

    Small faces come first, so that near faces cover far ones. The style follows the face's roll and size, fades as the
    face turns to the side, and is cut off at the image's edge. Faces whose keypoints are not finite are left out.
    """
    result = np.ascontiguousarray(image).copy()
    for face in sorted(faces, key=lambda face: face.box[2] * face.box[3]):
        matrix = place(face.keypoints, style.anchors, style.perspective, style.size)
        if matrix is not None:
            blend(result, style.layers, matrix, visible(face.keypoints, style))
    return result


def visible(keypoints: Array, style: Style) -> float:
    """The opacity of a style on a face with keypoints (68, 2): 1 from the front, 0 if turned too far to the side."""
    begins, gone = style.fades
    turn = abs(yaw(keypoints))
    if not begins < turn < gone:
        return 1.0 if turn <= begins else 0.0
    return (gone - turn) / (gone - begins)
