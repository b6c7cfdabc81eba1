"""Photos with labelled faces: JSON files in the form of `fkp detect --json`, or short."""

import json
from pathlib import Path

from hypothesis import strategies as st

from fkp_app.errors import FkpError
from tests.fuzz.changes import changed_json, mapped
from tests.fuzz.reader import Case, Reader

FILE = "faces.json"


def _seeds() -> list[Case]:
    import io

    from PIL import Image

    from tests.drawn import face_shape

    data = io.BytesIO()
    Image.new("RGB", (32, 24)).save(data, "PNG")
    points = (16 + 8 * face_shape()).tolist()
    short = {"a.png": [{"box": [1, 2, 3.5, 4]}, {"keypoints": points, "ignore": True}], "b.png": []}
    long = [{"image": "a.png", "faces": [{"box": [0, 0, 9, 9], "keypoints": points, "confidence": 0.5}], "seconds": 1}]
    pictures = {"a.png": data.getvalue(), "b.png": data.getvalue()}
    return [pictures | {FILE: json.dumps(tree).encode()} for tree in (short, long)]


def _structure(case: Case) -> st.SearchStrategy[Case]:
    return mapped(case, FILE, changed_json(json.loads(case[FILE])))


def _read(path: Path) -> None:
    from fkp_app.data.labelled_photos import read_labelled_photos

    read_labelled_photos(path.parent, path)


READERS = [Reader("photo labels", _seeds, FILE, _read, (FkpError,), structure=_structure)]
