"""Converts pictures of any Pillow mode and any colour profile to sRGB on white."""

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image

from fkp_app.media.images.contents import Contents
from numpynet.typing import AnyArray

STRIP = 1 << 22
"""Pixels per conversion, so that memory does not hold several copies of a large picture."""
_NEAR = 3
"""A profile that differs from sRGB by at most this many levels counts as sRGB."""
_GUESSED = "is CMYK without a colour profile; its colours are a guess"
_GUESSED_BESIDE_PROFILE = "is CMYK with a colour profile that cannot be read; its colours are a guess"
_UNREADABLE = "has a colour profile that cannot be read; its colours are taken for sRGB"
_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode for each colour space of a profile."""

Convert = Callable[[Image.Image], Image.Image]


def to_rgb(picture: Image.Image, contents: Contents, remarks: list[str]) -> AnyArray:
    """A decoded picture as uint8 sRGB (H, W, 3), transparency on white. remarks: gets a line for each conversion."""
    scale = to_8_bits(picture, contents, remarks)
    colours = conversion(picture, contents.profile, remarks)
    width, height = picture.size
    out = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        box = (0, top, width, min(height, top + rows))
        strip = scale(picture if rows >= height else picture.crop(box))
        out[box[1] : box[3]] = np.asarray(_on_white(strip, colours))
    return out


def to_rgba(picture: Image.Image, contents: Contents, remarks: list[str]) -> Image.Image:
    """A decoded picture as sRGB with alpha."""
    picture, colours = (
        to_8_bits(picture, contents, remarks)(picture),
        conversion(picture, contents.profile, remarks),
    )
    if not picture.has_transparency_data:
        return colours(picture).convert("RGBA")
    whole = picture.convert("RGBA")
    result = colours(whole.convert("RGB"))
    result.putalpha(whole.getchannel("A"))
    return result


def to_8_bits(picture: Image.Image, contents: Contents, remarks: list[str]) -> Convert:
    """The function that scales levels of more than 8 bits to 8. If white must be guessed, a remark says so."""
    mode = picture.mode
    if mode != "F" and not mode.startswith("I"):
        return lambda strip: strip
    white = float(contents.white)
    low, high = (float(most) for most in np.asarray(picture.getextrema())) if mode in ("F", "I") else (0.0, white)
    wraps = low < 0 and mode == "I" and not contents.signed  # Pillow reads levels from 2 ** 31 on as negative
    if wraps:
        high = float(np.asarray(picture).view(np.uint32).max())
    elif not np.isfinite(high):
        numbers = np.asarray(picture)
        high = float(numbers.max(initial=0, where=np.isfinite(numbers)))
    if mode == "F":
        white = next((white for white in (1.0, 255.0, 65535.0) if not high > white), high)
        remarks.append(f"holds floating-point numbers, of which {white:g} is taken for white")
    elif not white or high > white:
        white = next((white for white in (255.0, 32767.0, 65535.0) if not high > white), high)
        remarks.append(f"holds signed or 32-bit levels, of which {white:g} is taken for white")

    def scaled(strip: Image.Image) -> Image.Image:
        levels = np.asarray(strip).view(np.uint32) if wraps else np.asarray(strip)
        with np.errstate(invalid="ignore"):  # NaN
            numbers = np.nan_to_num(levels.astype(np.float64), posinf=white)
        share = np.clip(numbers / (white or 1), 0, 1)
        if contents.inverted and mode.startswith("I;16"):
            share = 1 - share
        return Image.fromarray((255 * share + 0.5).astype(np.uint8))

    return scaled


def conversion(picture: Image.Image, profile: bytes | None, remarks: list[str]) -> Convert:
    """The function from a picture's colours to sRGB, mode RGB: Pillow's own if there is no profile, or it is sRGB."""
    mode = "L" if picture.mode in ("1", "L", "LA", "La", "F") or picture.mode.startswith("I") else "RGB"
    mode = picture.mode if picture.mode in ("CMYK", "LAB") else mode
    found = transform(profile or b"", mode) if profile or mode == "LAB" else None
    if found is None and mode == "CMYK":
        remarks.append(_GUESSED if profile is None else _GUESSED_BESIDE_PROFILE)
    elif found is None and profile is not None:
        remarks.append(_UNREADABLE)
    if found is None or found.same:
        return as_rgb
    remarks.append(f"has the colours of {found.name}, which were converted to sRGB")
    return lambda strip: found.apply(strip.convert(found.mode))


def as_rgb(picture: Image.Image) -> Image.Image:
    """A picture in mode RGB, whose colours are sRGB or are taken for sRGB."""
    return picture if picture.mode == "RGB" else picture.convert("RGB")


class Transform:
    """Converts from a profile's colours to sRGB. name: the profile's name; mode: Pillow's mode of the pictures that
    `apply` takes; same: whether the profile is sRGB. ValueError if the profile is not for pictures of this mode."""

    def __init__(self, profile: bytes, mode: str) -> None:
        from PIL import ImageCms

        source = ImageCms.createProfile("LAB") if mode == "LAB" else ImageCms.getOpenProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space if isinstance(source, ImageCms.ImageCmsProfile) else "Lab "
        self.mode = "LAB" if space == "Lab " else _SPACES[space]
        if mode not in (self.mode, "L") or (mode == "L" and self.mode == "CMYK"):
            raise ValueError("a profile for other colours")
        self._transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), self.mode, "RGB")
        self.name = "CIELAB" if mode == "LAB" else _name(ImageCms.getProfileDescription(source))
        self.same = self.mode in ("RGB", "L") and self._is_srgb()

    def apply(self, picture: Image.Image) -> Image.Image:
        """The picture, which must have this `mode`, in sRGB, mode RGB."""
        return self._transform.apply(picture)

    def _is_srgb(self) -> bool:
        """Whether a chart of colours stays the same: about a hundred different profiles mean sRGB."""
        steps = np.linspace(0, 255, 17).round().astype(np.uint8)
        chart = np.stack(np.meshgrid(steps, steps, steps), axis=3).reshape(289, 17, 3)
        picture = Image.fromarray(chart if self.mode == "RGB" else np.arange(256, dtype=np.uint8)[None])
        difference = np.asarray(self.apply(picture)).astype(int) - np.asarray(picture.convert("RGB"))
        return bool(np.abs(difference).max() <= _NEAR)


@lru_cache(maxsize=8)
def transform(profile: bytes, mode: str) -> Transform | None:
    """The conversion of pictures of a mode; None if the profile cannot be read, or is for other modes."""
    try:
        return Transform(profile, mode)
    except Exception:  # lcms and its wrapper raise many types; the picture can be read without
        return None


def _on_white(strip: Image.Image, colours: Convert) -> Image.Image:
    if not strip.has_transparency_data:
        return colours(strip)
    whole = strip.convert("RGBA")
    alpha = whole.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return colours(whole.convert("RGB"))
    if colours is not as_rgb:
        whole = colours(whole.convert("RGB"))
        whole.putalpha(alpha)
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def _name(description: str) -> str:
    """A profile's name, in one line of printable characters."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in description).split())
    return text[:60] or "another colour profile"
