"""Pixels of whatever `fkp_app.detect` gets as an image."""

import io
import os
from typing import Any

import numpy as np
from PIL import Image

from fkp_app.media.images import colour
from fkp_app.media.images.contents import Contents, RefusedError
from fkp_app.media.images.exif import orientation_of
from fkp_app.media.images.profiles import adobe_rgb, png_profile
from fkp_app.media.images.reading import check_size, one_line, read_image, turn_of, upright
from numpynet.typing import AnyArray

WANTED = "image: must be a file's path, an opened file, a PIL image or a uint8 RGB array (H, W, 3)"


def pixels_of(image: Any) -> AnyArray:
    """Pixels, uint8 RGB (H, W, 3), of a path, an opened binary file, a PIL image or an array of that form.

    ImageError if a file or PIL image cannot be read, ValueError if `image` is anything else.
    """
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(f"image: must be uint8 RGB (H, W, 3), got {image.dtype} {image.shape}{_hint(image)}")
        return np.ascontiguousarray(image)
    if isinstance(image, Image.Image):
        return _of_picture(image)
    if isinstance(image, str | os.PathLike):
        return read_image(image)
    if image is None:
        raise ValueError(f"{WANTED}, got None, which cv2.imread gives for a file that it cannot read")
    if isinstance(image, bytes | bytearray | memoryview):
        raise ValueError(f"{WANTED}, got {type(image).__name__}; give a file's content as io.BytesIO(...)")
    if hasattr(image, "getbuffer") or (callable(getattr(image, "read", None)) and hasattr(image, "seekable")):
        if hasattr(image, "encoding"):
            raise ValueError(f"{WANTED}, got a file opened as text; open it with mode 'rb'")
        if getattr(image, "closed", False) is True:
            raise ValueError(f"{WANTED}, got a file that is closed")
        return read_image(image)
    raise ValueError(f"{WANTED}, got {type(image).__name__}")


def _of_picture(picture: Image.Image) -> AnyArray:
    """Pixels of a PIL image, as if read from the file that it came from. The PIL image itself is not changed."""
    with one_line("image", "is too large; make it smaller"):
        check_size(*picture.size)
        if picture.width * picture.height == 0:
            raise RefusedError("has no pixels")
        picture.load()
        info = picture.info
        profile = info.get("icc_profile")
        if "icc_profile" not in info and orientation_of(info.get("exif"), None, [])[1]:
            profile = adobe_rgb()
        elif "icc_profile" not in info and "srgb" not in info and "gamma" in info:
            corners = info.get("chromaticity")
            profile = png_profile(
                round(100_000 * info["gamma"]), corners and tuple(round(100_000 * value) for value in corners)
            )
        white = 65535 if picture.format in ("PNG", "PPM") else 0  # Pillow keeps their 16 bits in 32-bit levels
        contents = Contents(picture.format or "", io.BytesIO(), turn_of(picture), profile, white=white)
        return upright(colour.to_rgb(picture, contents, []), contents.orientation)


def _hint(image: AnyArray) -> str:
    """How to make an image of an array that is none."""
    if image.dtype == object:
        return "; this is no array of numbers"
    if image.ndim == 2:
        return "; repeat a gray image: np.stack([image] * 3, axis=2)"
    if image.ndim == 3 and image.shape[2] == 4:
        return "; leave the alpha out: image[:, :, :3]"
    if image.dtype != np.uint8:
        return "; scale its levels to 0 .. 255 and use astype('uint8')"
    return ""
