"""The TOML file of a style, read strictly: any mistake is one line that names the file and what to do."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from fkp_app.errors import FkpError
from fkp_app.styles.placing import Anchor
from fkp_app.tables import Range, Share, Within, read_table, read_toml
from numpynet.strict_json import shown
from numpynet.typing import Array

FLAT = 1e-3
"""If the 8th singular value is below this share of the largest, the anchors do not determine a perspective."""


@dataclass(frozen=True)
class AnchorTable:
    """The mean of `keypoints` (their numbers) lies `at` [x, y] of the picture, in pixels from its upper left corner."""

    keypoints: tuple[Annotated[int, Within(0, 67)], ...]
    at: tuple[Annotated[float, Within(-1e5, 1e5)], ...]


@dataclass(frozen=True)
class ShadowTable:
    """As `overlay.Shadow`, in units of the distance between the eyes. offset: [to the right, downwards]."""

    offset: tuple[Annotated[float, Within(-0.5, 0.5)], ...] = (0.0, 0.05)
    blur: Annotated[float, Within(0, 0.25)] = 0.04
    strength: Share = 0.3


@dataclass(frozen=True)
class StyleTable:
    """The content of a style's file.

    picture, tint: names of files in the same folder. warp: how the picture follows the anchors. fades: the angles to
    the side, in degrees, at which the picture begins to fade and at which it is gone.
    """

    description: str
    picture: str
    anchors: tuple[AnchorTable, ...]
    warp: Literal["similarity", "perspective"] = "similarity"
    tint: str = ""
    shadow: ShadowTable = field(default_factory=lambda: ShadowTable(strength=0.0))
    fades: Annotated[Range, Within(0, 90)] = (40.0, 60.0)


def read_file(path: Path) -> StyleTable:
    """The content of a style's file. FkpError if it is missing, not TOML, or describes no style."""
    table = read_table(StyleTable, read_toml(path), path)
    for key, name in (("picture", table.picture), ("tint", table.tint)):
        if name and (name != Path(name).name or "\\" in name or not name.isprintable()):
            raise FkpError(f"{path}: {key} must be the name of a file in the same folder, got {shown(name)}")
    if len(table.shadow.offset) != 2:
        raise FkpError(f"{path}: shadow.offset must be [to the right, downwards], got {list(table.shadow.offset)}")
    _check_anchors(table, path)
    return table


def anchors_of(table: StyleTable) -> tuple[Anchor, ...]:
    """The anchors of a checked file."""
    return tuple(Anchor(anchor.keypoints, (anchor.at[0], anchor.at[1])) for anchor in table.anchors)


def _check_anchors(table: StyleTable, path: Path) -> None:
    """FkpError if the anchors of the file cannot place a picture."""
    for i, anchor in enumerate(table.anchors):
        if not anchor.keypoints:
            raise FkpError(f"{path}: anchors[{i}].keypoints is empty; name one or more of 0 .. 67")
        if len(anchor.at) != 2:
            raise FkpError(f"{path}: anchors[{i}].at must be [x, y], got {list(anchor.at)}")
        for k, other in enumerate(table.anchors[:i]):
            if other.at == anchor.at or set(other.keypoints) == set(anchor.keypoints):
                raise FkpError(f"{path}: anchors[{k}] and anchors[{i}] coincide; give each its own keypoints and place")
    least = 4 if table.warp == "perspective" else 2
    if len(table.anchors) < least:
        raise FkpError(f"{path}: warp {table.warp} needs at least {least} anchors, got {len(table.anchors)}; add some")
    if table.warp == "perspective" and _is_flat(np.array([anchor.at for anchor in table.anchors])):
        raise FkpError(f"{path}: warp perspective needs four anchors no three of which lie on a line; move some")


def _is_flat(points: Array) -> bool:
    """Whether points (N, 2) determine no perspective: all of them, or all but one, lie nearly on a line."""
    x, y = ((points - points.mean(axis=0)) / points.std()).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    # The linear equations of the perspective that leaves every point in place: 9 coefficients up to a common factor,
    # so 8 unknowns. They are determined if the 8th singular value is not 0.
    rows = [[x, y, one, zero, zero, zero, -x * x, -x * y, -x], [zero, zero, zero, x, y, one, -x * y, -y * y, -y]]
    equations = np.concatenate([np.stack(row, axis=1) for row in rows])  # (2 N, 9)
    singular = np.linalg.svd(equations, compute_uv=False)
    return bool(singular[7] < FLAT * singular[0])
