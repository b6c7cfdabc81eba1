"""Label files: CSV files with the 68 points of faces, beside their pictures."""

import contextlib
import csv
import io
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from fkp_app.data.labels import DatasetError
from tests.fuzz.changes import rebuilt
from tests.fuzz.reader import Case, Reader

FILE = "keypoints.csv"
CELLS = ["", " ", "nan", "inf", "-1", "1e400", "1,5", '"', "x", "é", "\0", "../a.jpg", "/etc/passwd", "a" * 300, "=1+1"]


def _seeds() -> list[Case]:
    import tempfile

    from tests.drawn import write_own_photos

    with tempfile.TemporaryDirectory() as folder:
        root = write_own_photos(Path(folder) / "faces", 6, side=64)
        case = {path.name: path.read_bytes() for path in sorted(root.iterdir())}
    rows = list(csv.reader(io.StringIO(case[FILE].decode())))
    semicolons = "sep=;\n" + "".join(";".join(row) + "\n" for row in rows)
    people = "".join(
        ",".join([row[0], "person" if i == 0 else f"P{i % 3}", *row[1:]]) + "\n" for i, row in enumerate(rows)
    )
    return [case, case | {FILE: semicolons.encode("utf-16")}, case | {FILE: people.encode("utf-8-sig")}]


def _structure(case: Case) -> st.SearchStrategy[Case]:
    text = case[FILE].decode("utf-16" if case[FILE][:1] == b"\xff" else "utf-8-sig")
    lines = text.splitlines()
    separator = ";" if ";" in text else ","
    rows = [line.split(separator) for line in lines if not line.startswith("sep=")]

    def build(rng: np.random.Generator) -> bytes:
        changed = [list(row) for row in rows]
        for _ in range(int(rng.integers(1, 5))):
            row = changed[rng.integers(len(changed))]
            at, way = int(rng.integers(len(row) or 1)), rng.integers(9)
            if way < 3 and row:
                row[at] = str(rng.choice(CELLS))
            elif way == 3:
                row.insert(at, str(rng.choice(CELLS)))
            elif way == 4 and row:
                del row[at]
            elif way == 5:
                changed[rng.integers(len(changed))] = list(row)
            elif way == 6:
                row += [str(rng.choice(["", "1", "x"]))] * int(rng.choice([1, 100, 5000, 100_000]))
            elif way == 7:
                changed += [[str(rng.choice(["a", "", "1"]))]] * int(rng.choice([1, 100, 5000, 100_000]))
            else:
                for other in changed:
                    if at < len(other):
                        del other[at]
        joined = "\n".join(separator.join(row) for row in changed)
        return joined.encode(str(rng.choice(["utf-8", "utf-8-sig", "utf-16"])), "replace")

    return rebuilt(case, FILE, build)


def _read(path: Path) -> None:
    from fkp_app.data.frames import read_frames, read_own_frames

    with contextlib.suppress(DatasetError):
        read_frames(path, path.parent)
    read_own_frames(path, path.parent)


MEMORY = 600
"""In MiB: the most rows, of two KiB each."""

READERS = [Reader("label CSV", _seeds, FILE, _read, (DatasetError,), structure=_structure, memory=MEMORY)]
