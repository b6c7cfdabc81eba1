"""A face cut out upright: the eyes level, always as large, with some room around it."""

from fkp_app.faces.keypoints import Face, upright
from fkp_app.geometry.framing import Framing, crop_matrix, face_square, warp
from numpynet.typing import AnyArray

SIZE = 256
ROOM = 1.6
"""The crop's side over the face square's: the forehead and the chin are in it."""


def aligned_crop(image: AnyArray, face: Face, size: int = SIZE) -> AnyArray:
    """A face of an RGB image (H, W, 3), turned upright by its eyes: RGB (size, size, 3).

    Beyond the image's edge its last pixels are repeated.
    """
    square, angle = upright(face.keypoints, face_square(face.keypoints))
    return warp(image, crop_matrix(square, Framing("face", size, ROOM), angle), size)
