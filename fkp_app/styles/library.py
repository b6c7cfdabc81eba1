"""Styles by name or by file. A style is a picture with alpha and a small TOML file with its place on the face."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fkp_app.errors import FkpError, UsageError
from fkp_app.styles.drawn_face import face_keypoints
from fkp_app.styles.file import anchors_of, read_file
from fkp_app.styles.overlay import Layer, Shadow, make_layers
from fkp_app.styles.picture import read_overlay, read_tint
from fkp_app.styles.placing import Anchor, place
from fkp_app.tables import Range

DIRECTORY = Path(__file__).parents[1] / "assets"
DEFAULT = "sunglasses"


@dataclass(frozen=True, eq=False)
class Style:
    """A style ready to wear.

    anchors: its points on the face. perspective: map the anchors by a perspective, not by a similarity. fades: the
    angles to the side, in degrees, at which it begins to fade and is gone. size: the picture's width and height, in
    pixels. layers: see `overlay.make_layers`.
    """

    name: str
    description: str
    anchors: tuple[Anchor, ...]
    perspective: bool
    fades: Range
    size: tuple[int, int]
    layers: tuple[Layer, ...]


def names() -> tuple[str, ...]:
    """The names of the styles that come with the program, the default first."""
    return tuple(sorted((path.stem for path in DIRECTORY.glob("*.toml")), key=lambda name: (name != DEFAULT, name)))


def load_style(name_or_toml: str | Path) -> Style:
    """The style with this name, or the one in this TOML file.

    UsageError if it is neither, FkpError if the file or its picture cannot be used.
    """
    if str(name_or_toml) in names():
        return _built_in(str(name_or_toml))
    path = Path(name_or_toml)
    if path.suffix.lower() != ".toml":
        raise UsageError(f"--style must be one of {', '.join(names())}, or a .toml file of yours; got {name_or_toml}")
    return read_style(path)


@cache
def _built_in(name: str) -> Style:
    return read_style(DIRECTORY / f"{name}.toml")


def read_style(path: Path) -> Style:
    """The style in a TOML file. FkpError, one line that names the file, if it cannot be used."""
    table = read_file(path)
    anchors = anchors_of(table)
    rgba = read_overlay(path.parent / table.picture)
    size = (rgba.shape[1], rgba.shape[0])
    tint = read_tint(path.parent / table.tint, size) if table.tint else None
    # The shadow is in eye distances. An ordinary face, placed on the anchors, gives that distance in the picture.
    face = face_keypoints()
    matrix = place(face, anchors, False, size)
    if matrix is None:
        raise FkpError(f"{path}: the anchors' keypoints lie in one place; choose others")
    eye_distance = float(np.hypot(*(face[42:48].mean(axis=0) - face[36:42].mean(axis=0))) / np.hypot(*matrix[:2, 0]))
    shadow = Shadow((table.shadow.offset[0], table.shadow.offset[1]), table.shadow.blur, table.shadow.strength)
    if shadow.reach(eye_distance) > max(size):
        raise FkpError(f"{path}: the shadow falls farther than the picture is large; lessen its offset or blur")
    layers = make_layers(rgba, tint, shadow, eye_distance)
    return Style(path.stem, table.description, anchors, table.warp == "perspective", table.fades, size, layers)
