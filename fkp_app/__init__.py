"""Facial keypoints: find faces, place 68 points on each, put sunglasses on them::

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
    detector: str | None = None,
    quality: str = "fast",
) -> "list[Face]":
    """Every face in an image, the largest first: box, confidence and keypoints (68, 2), in pixels of the image.

    image: the path of a file; a file opened for reading bytes, such as io.BytesIO(content); a PIL image, whose EXIF
        orientation and colour profile are applied as for a file; or an RGB uint8 array (H, W, 3).
    backend: "numpy", "torch" or "onnx".
    weights: a .safetensors file (for onnx also an .onnx file); None for the shipped weights.
    detector: "haar", "net" or "both"; None for the default of `fkp detect`.
    min_confidence: 0 .. 1; faces with less confidence are left out. None for the default of `fkp detect`.
    quality: "best" lets the mean of several networks place the points; the faces are those of "fast".

    fkp_app.errors.FkpError if the image cannot be read, the backend is not installed or there is no such quality;
    numpynet.CheckpointError if the weights cannot be used; ValueError if `image` is anything else, such as None, bytes,
    a list, a gray or RGBA array, or an array of another dtype.

    The first call loads the network and the cascades; later calls reuse them. Several threads may call it at once.
    """
    from fkp_app.faces import loaded
    from fkp_app.media.images.given import pixels_of

    pixels = pixels_of(image)
    path = None if weights is None else Path(weights)
    return loaded.finder(backend, path, min_confidence, detector, quality)(pixels)
