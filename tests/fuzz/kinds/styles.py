"""Styles of one's own: a TOML file and the pictures that it names."""

import tomllib
from pathlib import Path

from hypothesis import strategies as st

from fkp_app.errors import FkpError
from tests.fuzz.changes import changed_toml, mapped
from tests.fuzz.reader import Case, Reader

FILE = "style.toml"
STYLES = ("sunglasses", "moustache")
SMALLER = 8
"""The pictures are made smaller by this factor: the fuzzer changes more files in the same time."""


def _seeds() -> list[Case]:
    import io

    from PIL import Image

    from fkp_app.styles.library import DIRECTORY
    from tests.fuzz.changes import toml

    found = []
    for name in STYLES:
        table = tomllib.loads((DIRECTORY / f"{name}.toml").read_text("utf-8"))
        for anchor in table["anchors"]:
            anchor["at"] = [value / SMALLER for value in anchor["at"]]
        case = {FILE: toml(table).encode()}
        for key in ("picture", "tint"):
            if key in table:
                picture = Image.open(DIRECTORY / table[key])
                data = io.BytesIO()
                picture.resize((picture.width // SMALLER, picture.height // SMALLER)).save(data, "PNG")
                case[table[key]] = data.getvalue()
        found.append(case)
    return found


def _structure(case: Case) -> st.SearchStrategy[Case]:
    return mapped(case, FILE, changed_toml(tomllib.loads(case[FILE].decode())))


def _read(path: Path) -> None:
    """Read a style and put it on a face."""
    import numpy as np

    from fkp_app.faces.keypoints import Face
    from fkp_app.styles.drawn_face import face_keypoints
    from fkp_app.styles.library import load_style
    from fkp_app.styles.wear import wear

    style = load_style(path)
    keypoints = (60 + 30 * face_keypoints()).astype(np.float32)
    image = np.full((120, 120, 3), 128, np.uint8)
    assert wear(image, [Face((20, 20, 80, 80), None, keypoints)], style).shape == image.shape


READERS = [Reader("style", _seeds, FILE, _read, (FkpError,), structure=_structure, memory=400)]
