"""Pictures with alpha, read from files. Files are checked before they are decoded."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from fkp_app.errors import FkpError
from fkp_app.media.images import colour
from fkp_app.media.images.contents import RefusedError
from fkp_app.media.images.reading import decode, one_line, upright
from numpynet.typing import AnyArray

MOST_BYTES = 1 << 24  # of a file
MOST_SIDE = 2048  # pixels


def read_bytes(path: Path) -> bytes:
    """A file's content. FkpError if it is missing, empty, cannot be read, or has more than MOST_BYTES."""
    try:
        if not path.exists():
            raise FkpError(f"{path}: no such file")
        if not path.is_file():
            raise FkpError(f"{path}: is no file; name one")
        size = path.stat().st_size
        if size == 0:
            raise FkpError(f"{path}: is empty")
        if size > MOST_BYTES:
            raise FkpError(f"{path}: is too large, {size} bytes; make it {MOST_BYTES} at most")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise FkpError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def read_overlay(path: Path) -> AnyArray:
    """A picture with alpha, uint8 RGBA (H, W, 4). FkpError if it has no alpha, is too large, or wholly transparent."""
    rgba, has_alpha = _decoded(path)
    if not has_alpha:
        raise FkpError(f"{path}: has no transparency; save it as a PNG with an alpha channel")
    if not rgba[:, :, 3].any():
        raise FkpError(f"{path}: is wholly transparent; draw something on it")
    return rgba


def read_tint(path: Path, size: tuple[int, int]) -> AnyArray:
    """A picture of colours that multiply the image below, uint8 RGB (H, W, 3). Transparent parts become white.

    FkpError if it is no picture, too large, or its width and height are not `size`.
    """
    rgba, _ = _decoded(path)
    got = rgba.shape[1], rgba.shape[0]
    if got != size:
        raise FkpError(
            f"{path}: must be as large as the style's picture, {size[0]} x {size[1]}, got {got[0]} x {got[1]}"
        )
    white = Image.new("RGBA", size, "white")
    return np.asarray(Image.alpha_composite(white, Image.fromarray(rgba)).convert("RGB"))


def _decoded(path: Path) -> tuple[AnyArray, bool]:
    """The picture in a file, uint8 RGBA (H, W, 4), and whether it has transparency. FkpError if it is no picture."""
    file = io.BytesIO(read_bytes(path))
    remarks: list[str] = []
    too_large = f"is too large; make it {MOST_SIDE} pixels at most on each side"
    with one_line(str(path), too_large, "; save it as a PNG with an alpha channel"):
        picture, contents = decode(file, _check_size, remarks)
        rgba = np.asarray(colour.to_rgba(picture, contents, remarks))
        return upright(rgba, contents.orientation), picture.has_transparency_data


def _check_size(width: int, height: int) -> None:
    """RefusedError if a picture of this size is too large."""
    if max(width, height) > MOST_SIDE:
        most = f"make it {MOST_SIDE} at most on each side"
        raise RefusedError(f"is too large, {width} x {height} pixels; {most}")
