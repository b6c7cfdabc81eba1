"""Reads image files: uint8 sRGB arrays (H, W, 3), upright, as a viewer would show them."""

import io
import logging
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from fkp_app.media.images import colour
from fkp_app.media.images.contents import Contents, ImageError, RefusedError
from fkp_app.media.images.formats import HEAD, kind_of, what_else
from numpynet.typing import AnyArray

# Pillow warns of odd metadata in pictures that it can read; errors are reported below, in one line each.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())

MAX_PIXELS = 250_000_000
"""Larger images are not decoded: a file of a few kilobytes can claim gigabytes of pixels. Phones make 200 million."""
MAX_JPEG2000 = 100_000_000
"""Limit of JPEG 2000, which needs 20 bytes per pixel to decode, and ten times as long as JPEG."""
MAX_SIDE = 100_000
"""Pixels. Pillow takes minutes for longer rows, as it copies a row's bytes again with each block that it reads."""
MAX_BYTES = 1 << 31
"""Larger files are not read."""

if Image.MAX_IMAGE_PIXELS is not None:  # Pillow's own limit is below a phone's 200 million pixels
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, MAX_PIXELS)

Source = str | os.PathLike[str] | BinaryIO


class Decoded(NamedTuple):
    """A picture with all its pixels, not yet upright, and the rest of its file's contents."""

    picture: Image.Image
    contents: Contents


def read_image(path: Source, notes: list[str] | None = None, max_pixels: int = MAX_PIXELS) -> AnyArray:
    """The image in a file, uint8 sRGB (H, W, 3), EXIF orientation applied, transparency laid on white.

    path: a file's path, or a file that was opened for reading bytes. The content decides the format, not the name; for
    the formats see `formats.SUFFIXES`. Levels of more than 8 bits are scaled to 8, other colours converted to sRGB.
    notes: gets a line for everything that was left out, converted or guessed. ImageError if the file is missing, empty,
    truncated, no image, unreadable or larger than max_pixels, which is checked before its pixels are read.
    """
    name, remarks = _name(path), list[str]()

    def check(width: int, height: int) -> None:
        check_size(width, height, max_pixels)

    with one_line(name, f"has far more than {max_pixels / 1e6:.0f} million pixels; make it smaller"):
        with opened(path) as file:
            picture, contents = decode(file, check, remarks)
        image = colour.to_rgb(picture, contents, remarks)
        del picture  # a large photo takes nearly a gigabyte
        image = upright(image, contents.orientation)
    if notes is not None:
        notes += [f"{name}: {remark}" for remark in dict.fromkeys(remarks)]
    return image


def read_head(path: Source) -> tuple[int, int, int]:
    """An image's width and height as stored, and its orientation as EXIF numbers it. No pixel is decoded.

    ImageError as in `read_image`; the size is not checked.
    """
    with one_line(_name(path), "has far too many pixels; make it smaller"), opened(path) as file:
        contents = _contents(file)
        with Image.open(contents.stream, formats=[contents.kind]) as picture:
            turn = turn_of(picture) if contents.kind == "AVIF" else contents.orientation
            return picture.width, picture.height, turn


def check_size(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """RefusedError if a picture is larger than max_pixels or a side is longer than MAX_SIDE."""
    if max(width, height) > MAX_SIDE:
        raise RefusedError(f"has {width} x {height} pixels, with a side of more than {MAX_SIDE}; make it smaller")
    if width * height > max_pixels:
        most = f"{max_pixels / 1e6:.0f} million"
        raise RefusedError(f"has {width} x {height} pixels, more than {most}; make it smaller")


def decode(file: BinaryIO, check: Callable[[int, int], None], remarks: list[str]) -> Decoded:
    """The first picture of an opened file. check: called with width and height before the pixels are read.

    Raises RefusedError, or any error of Pillow's, if there is no picture that can be read.
    """
    contents = _contents(file)
    with Image.open(contents.stream, formats=[contents.kind]) as picture:
        check(*picture.size)
        if contents.kind == "JPEG2000":
            check_size(*picture.size, MAX_JPEG2000)
        frames = max(contents.frames, getattr(picture, "n_frames", 1) if contents.kind == "AVIF" else 1)
        if frames > 1:
            remarks.append(f"{contents.parts.format(frames)}, of which the first is used")
        picture.load()
        if contents.kind == "AVIF":
            contents.orientation = turn_of(picture)
            contents.profile = picture.info.get("icc_profile") or contents.profile
    contents.stream = io.BytesIO()  # frees the bytes of a large file
    remarks += contents.remarks
    return Decoded(picture, contents)


def turn_of(picture: Image.Image) -> int:
    """The orientation that Pillow finds in a picture, 1 if it finds none."""
    try:
        turn = picture.getexif().get(274, 1)
    except Exception:  # metadata may hold anything
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def upright(image: AnyArray, orientation: int) -> AnyArray:
    """A uint8 image (H, W, C) turned and mirrored as this EXIF orientation demands."""
    channels = image.shape[2]
    pixels = image.view(f"V{channels}")[:, :, 0]  # (H, W): one item per pixel copies twice as fast
    if orientation >= 5:
        pixels = pixels.T
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    pixels = np.ascontiguousarray(pixels)
    return pixels.view(np.uint8).reshape(*pixels.shape, channels)


@contextmanager
def one_line(name: str, too_large: str, no_image: str = "") -> Iterator[None]:
    """Turn every error about a file into an ImageError of one line that names the file.

    too_large: the text if Pillow's own limit is exceeded; no_image: appended to the text if the file is no image.
    """
    try:
        yield
    except ImageError:
        raise
    except RefusedError as error:
        problem = str(error) + (no_image if str(error).endswith("can be read") else "")
    except (FileNotFoundError, NotADirectoryError):
        problem = "no such file"
    except UnidentifiedImageError:
        problem = f"is not an image that can be read{no_image or ' (damaged, or of an unusual kind)'}"
    except PermissionError:
        problem = "cannot be read (permission denied)"
    except Image.DecompressionBombError:
        problem = too_large
    except MemoryError:
        problem = "needs more memory than there is; make it smaller"
    except Exception as error:  # decoders raise errors of all types on damaged data
        if isinstance(error, OSError) and error.strerror:  # the operating system's message
            problem = f"cannot be read ({error.strerror})"
        else:
            problem = f"is truncated or damaged ({' '.join(str(error).split())[:200] or type(error).__name__})"
    else:
        return
    raise ImageError(f"{name}: {problem}")


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """A file to read bytes from, at its start. RefusedError if it is no regular file, or is empty or too large."""
    if not isinstance(source, str | os.PathLike):
        yield _checked(source)
        return
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 (a path may be any PathLike)
    except ValueError:  # a null character
        raise FileNotFoundError from None
    if stat.S_ISDIR(mode):
        raise RefusedError("is a directory, not an image")
    if not stat.S_ISREG(mode):  # opening a pipe would wait for a writer
        raise RefusedError("is no regular file; name one")
    with open(source, "rb") as file:  # noqa: PTH123
        yield _checked(file)


def _checked(file: BinaryIO) -> BinaryIO:
    if not file.seekable():
        file = io.BytesIO(file.read(MAX_BYTES + 1))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size == 0:
        raise RefusedError("is empty")
    if size > MAX_BYTES:
        raise RefusedError(f"is larger than {MAX_BYTES >> 30} GB; make it smaller")
    return file


def _contents(file: BinaryIO) -> Contents:
    """The contents of a file, by the reader of its format."""
    head = file.read(HEAD)
    file.seek(0)
    kind = kind_of(head)
    if kind is None:
        raise RefusedError(what_else(head))
    plugin = {"JPEG": "Jpeg", "WEBP": "WebP", "JPEG2000": "Jpeg2K"}.get(kind, kind.capitalize())
    import_module(f"PIL.{plugin}ImagePlugin")  # else Pillow loads all its plugins to find the format
    if kind == "BMP":  # a BMP holds little besides pixels
        return Contents(kind, file)
    reader = getattr(import_module(f"fkp_app.media.images.{kind.lower()}"), f"read_{kind.lower()}")
    contents: Contents = reader(file if kind in ("TIFF", "JPEG2000") else file.read())
    return contents


def _name(source: Source) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "image"
