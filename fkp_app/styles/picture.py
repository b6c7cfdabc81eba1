"""Pictures with alpha from files, checked before they are decoded."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from fkp_app.errors import FkpError
from numpynet.typing import AnyArray

MOST_BYTES = 1 << 24
MOST_SIDE = 2048  # pixels


def read_bytes(path: Path, most: int) -> bytes:
    """A file's content. FkpError where it is missing, empty, cannot be read, or is larger than `most` bytes."""
    try:
        if not path.exists():
            raise FkpError(f"{path}: no such file")
        if not path.is_file():
            raise FkpError(f"{path}: is no file; name one")
        size = path.stat().st_size
        if size == 0:
            raise FkpError(f"{path}: is empty")
        if size > most:
            raise FkpError(f"{path}: is too large, {size} bytes; make it {most} at most")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise FkpError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def read_overlay(path: Path) -> AnyArray:
    """A picture with alpha, uint8 RGBA (H, W, 4). FkpError where it is none, too large, or nothing of it is seen."""
    picture = _decoded(path)
    if not picture.has_transparency_data:
        raise FkpError(f"{path}: has no transparency; save it as a PNG with an alpha channel")
    rgba = np.asarray(picture.convert("RGBA"))
    if not rgba[:, :, 3].any():
        raise FkpError(f"{path}: is wholly transparent; draw something on it")
    return rgba


def read_tint(path: Path, size: tuple[int, int]) -> AnyArray:
    """A picture of colours that multiply what lies below, uint8 RGB (H, W, 3); clear parts are white.

    FkpError as above, and where its width and height are not `size`.
    """
    picture = _decoded(path).convert("RGBA")
    if picture.size != size:
        raise FkpError(f"{path}: must be as large as the style's picture, {size[0]} x {size[1]}, got {_size(picture)}")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", size, "white"), picture).convert("RGB"))


def _decoded(path: Path) -> Image.Image:
    """The picture in a file, all its pixels read."""
    try:
        picture = Image.open(io.BytesIO(read_bytes(path, MOST_BYTES)))
        if min(picture.size) < 1:
            raise FkpError(f"{path}: has no pixels")
        if max(picture.size) > MOST_SIDE:
            raise FkpError(f"{path}: is too large, {_size(picture)} pixels; make it {MOST_SIDE} at most on each side")
        picture.load()
    except UnidentifiedImageError:
        raise FkpError(f"{path}: is not an image that can be read; save it as a PNG with an alpha channel") from None
    except Image.DecompressionBombError:
        raise FkpError(f"{path}: is too large; make it {MOST_SIDE} pixels at most on each side") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError) as error:
        # Pillow's decoders raise any of these on damaged data.
        raise FkpError(f"{path}: is truncated or damaged ({str(error).splitlines()[0] or 'no reason'})") from None
    return picture


def _size(picture: Image.Image) -> str:
    return f"{picture.width} x {picture.height}"
