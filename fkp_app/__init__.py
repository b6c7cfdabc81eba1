"""Facial keypoints: find faces, place 68 points on each, put sunglasses on them.

from fkp_app import detect

for face in detect("party.jpg"):
    print(face.box, face.keypoints[30])  # x, y, width, height; the tip of the nose
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike
    from typing import BinaryIO

    from PIL import Image

    from fkp_app.faces.keypoints import Face
    from numpynet.typing import AnyArray

__all__ = ["detect"]


def detect(
    image: "str | PathLike[str] | BinaryIO | Image.Image | AnyArray",
    *,
    backend: str = "numpy",
    weights: "str | Path | None" = None,
    min_confidence: float | None = None,
) -> "list[Face]":
    """Every face in an image, the largest first: box, confidence and 68 keypoints (68, 2), in pixels of the image.

    image: a file's path; a file opened for reading bytes, such as io.BytesIO(content); a PIL image, whose EXIF
    orientation and colour profile count as they would in the file; or an RGB uint8 array (H, W, 3). backend: "numpy",
    "torch" or "onnx". weights: a .safetensors file (for onnx also an .onnx file), the shipped one where None.
    min_confidence: 0 .. 1, faces less sure are left out; the command's default where None. errors.FkpError where the
    image cannot be read or the backend is not installed, numpynet.CheckpointError where the weights cannot be used,
    ValueError where `image` is nothing of all that: None, bytes, a list, a gray or RGBA array, another dtype.

    Network and cascades are loaded at the first call and kept for the next. May be called from several threads.
    """
    from fkp_app.faces import loaded
    from fkp_app.media.images.given import pixels_of

    pixels = pixels_of(image)
    return loaded.finder(backend, None if weights is None else Path(weights), min_confidence)(pixels)
