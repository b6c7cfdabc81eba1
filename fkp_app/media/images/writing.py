"""Images -> files."""

from pathlib import Path

from PIL import Image

from fkp_app.errors import FkpError, UsageError
from numpynet.files import atomic
from numpynet.typing import AnyArray


def write_image(path: str | Path, image: AnyArray) -> None:
    """Write an RGB image, all or nothing; the suffix says how. FkpError where that cannot be done."""
    path = Path(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:  # some formats can only be read
        raise UsageError(f"{path}: end the name in .png or .jpg, so that the format is known")
    try:
        with atomic(path, durable=False) as temporary:  # a picture is soon made again
            Image.fromarray(image).save(temporary, quality=95)  # which formats without loss pass over
    except (OSError, ValueError) as error:  # ValueError: a format that cannot hold RGB
        raise FkpError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
