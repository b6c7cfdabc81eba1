"""Facial keypoints: find faces, place 68 points on each, put sunglasses on them.

from fkp_app import detect

for face in detect("party.jpg"):
    print(face.box, face.keypoints[30])  # x, y, width, height; the tip of the nose
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fkp_app.keypoints import Face
    from numpynet.typing import AnyArray

__all__ = ["detect"]


def detect(
    image: "str | Path | AnyArray", *, backend: str = "numpy", weights: "str | Path | None" = None
) -> "list[Face]":
    """Every face in an image, the largest first, with its box and 68 keypoints in pixels of the image.

    image: a file, or an RGB uint8 array (H, W, 3). backend: "numpy" or "torch". weights: a .safetensors file, the
    shipped one where None. errors.FkpError where the image cannot be read or the backend is not installed,
    numpynet.CheckpointError where the weights cannot be used, ValueError where the array is no RGB image.
    """
    from fkp_app.backends import get_predictor
    from fkp_app.detector import FaceDetector
    from fkp_app.images import read_image
    from fkp_app.keypoints import find_faces

    pixels = read_image(image) if isinstance(image, str | Path) else image
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != "uint8" or pixels.size == 0:
        raise ValueError(f"image: must be uint8 RGB (H, W, 3), got {pixels.dtype} {pixels.shape}")
    predictor = get_predictor(backend, None if weights is None else Path(weights))
    return find_faces(pixels, FaceDetector(), predictor)
