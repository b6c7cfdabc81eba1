"""Files <-> images: uint8 RGB arrays (H, W, 3), upright, as a viewer would show them."""

import logging
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fkp_app.errors import FkpError, UsageError
from numpynet.files import atomic
from numpynet.typing import AnyArray

SUFFIXES = frozenset(
    [".bmp", ".gif", ".jpeg", ".jpg", ".jp2", ".png", ".pgm", ".pnm", ".ppm", ".tif", ".tiff", ".webp"]
)
"""What counts as an image in a folder. What a file really is decides its content."""


# Pillow warns of odd metadata in pictures that it reads well; what it cannot read we say ourselves, in one line.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


MAX_PIXELS = 100_000_000
"""Larger images are not opened: a file of a few kilobytes can claim pixels for gigabytes."""
ANIMATED = ("GIF", "WEBP", "PNG")


class ImageError(FkpError):
    """A file that cannot be read as an image."""


def read_image(path: str | Path, notes: list[str] | None = None, max_pixels: int = MAX_PIXELS) -> AnyArray:
    """The image in a file, uint8 RGB (H, W, 3), EXIF orientation applied, transparency laid on white.

    The content decides the format, not the name. 16-bit images are scaled to 8 bits; of an animation it is the first
    frame, which a line appended to `notes` says. ImageError where the file is missing, empty, truncated, no image,
    unreadable or larger than max_pixels, which is seen before its pixels are read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ImageError(f"{path}: is a directory, not an image")
        if path.stat().st_size == 0:
            raise ImageError(f"{path}: is empty")
        with Image.open(path) as picture:
            _check_size(path, picture, max_pixels)
            frames = getattr(picture, "n_frames", 1) if picture.format in ANIMATED else 1
            if frames > 1 and notes is not None:
                notes.append(f"{path}: is an animation of {frames} frames, of which the first is used")
            upright = ImageOps.exif_transpose(picture)  # reads all pixels; OSError where they end early
            return _to_rgb(upright)
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: is not an image that can be read") from None
    except PermissionError:
        raise ImageError(f"{path}: cannot be read (permission denied)") from None
    except Image.DecompressionBombError:
        raise ImageError(f"{path}: has far more than {max_pixels / 1e6:.0f} million pixels; make it smaller") from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError) as error:
        # Pillow's decoders raise any of these on damaged data.
        raise ImageError(f"{path}: is truncated or damaged ({_reason(error)})") from None


def open_picture(path: Path) -> Image.Image:
    return Image.open(path)


def write_image(path: str | Path, image: AnyArray) -> None:
    """Write an RGB image, all or nothing; the suffix says how. FkpError where that cannot be done."""
    path = Path(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:  # some formats can only be read
        raise UsageError(f"{path}: end the name in .png or .jpg, so that the format is known")
    try:
        with atomic(path) as temporary:
            Image.fromarray(image).save(temporary, quality=95)  # which formats without loss pass over
    except (OSError, ValueError) as error:  # ValueError: a format that cannot hold RGB
        raise FkpError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None


def _check_size(path: Path, picture: Image.Image, most: int) -> None:
    width, height = picture.size
    if width * height > most:
        raise ImageError(f"{path}: has {width} x {height} pixels, more than {most / 1e6:.0f} million; make it smaller")


def _to_rgb(picture: Image.Image) -> AnyArray:
    """Any of Pillow's modes as uint8 RGB (H, W, 3)."""
    if picture.mode.startswith(("I;16", "I")):
        # 16-bit gray, which Pillow may hold in 32: scaled by 65535 / 255, where its own conversion would clip.
        gray = np.clip(np.asarray(picture).astype(np.int64), 0, 65535)
        return np.repeat(((gray + 128) // 257).astype(np.uint8)[:, :, None], 3, axis=2)  # (H, W) -> (H, W, 3)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return np.array(picture.convert("RGB"))


def _reason(error: BaseException) -> str:
    return str(error).split("\n")[0] or type(error).__name__
