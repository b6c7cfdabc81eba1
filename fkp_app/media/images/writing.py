"""Writes image files."""

from pathlib import Path

from PIL import Image

from fkp_app.errors import FkpError, UsageError
from numpynet.files import atomic
from numpynet.typing import AnyArray


def write_image(path: str | Path, image: AnyArray) -> None:
    """Write an RGB image: a whole file or none. The suffix decides the format. UsageError if no format that can be
    written has this suffix, FkpError if writing fails."""
    path = Path(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:  # Pillow only reads some formats
        raise UsageError(f"{path}: end the name in .png or .jpg, so that the format is known")
    try:
        with atomic(path, durable=False) as temporary:  # a lost picture is quickly made again
            Image.fromarray(image).save(temporary, quality=95)  # lossless formats ignore it
    except (OSError, ValueError) as error:  # ValueError: a format that cannot hold RGB
        raise FkpError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
