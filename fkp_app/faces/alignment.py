"""A face cut out upright: level eyes, a fixed size, and some room around the face."""

from fkp_app.faces.keypoints import Face
from fkp_app.geometry.framing import Framing, crop_matrix, face_square, upright, warp
from numpynet.typing import AnyArray

SIZE = 256
"""Side of the crop, in pixels."""
ROOM = 1.6
"""The crop's side over the face square's side: enough to show the forehead and the chin."""


def aligned_crop(image: AnyArray, face: Face, size: int = SIZE) -> AnyArray:
    """Cut a face from an RGB image (H, W, 3) and turn it until the eyes are level: RGB (size, size, 3).

    Beyond the image's edge the last pixels repeat.
    """
    square, angle = upright(face.keypoints, face_square(face.keypoints))
    return warp(image, crop_matrix(square, Framing("face", size, ROOM), angle), size)
