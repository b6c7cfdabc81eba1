"""Reads and writes image files: uint8 RGB arrays (H, W, 3), sRGB, upright, as a viewer would show them."""

from fkp_app.media.images.contents import ImageError
from fkp_app.media.images.formats import SUFFIXES
from fkp_app.media.images.reading import MAX_PIXELS, read_image
from fkp_app.media.images.writing import write_image

__all__ = ["MAX_PIXELS", "SUFFIXES", "ImageError", "read_image", "write_image"]
