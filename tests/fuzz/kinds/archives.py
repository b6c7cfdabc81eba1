"""Zip archives of the data set."""

import io
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from fkp_app.data.unpacking import ArchiveError
from tests.fuzz.changes import rebuilt
from tests.fuzz.reader import Case, Reader

FILE = "archive.zip"
FILES = {
    "training/a.jpg": b"x" * 3000,
    "training/b.jpg": bytes(range(256)) * 9,
    "test/c.jpg": b"c",
    "faces.csv": b"1,2\n" * 50,
}
NAMES = [
    "../a.jpg",
    "/etc/a.jpg",
    "C:\\a.jpg",
    "data/faces.csv",
    "faces.csv",
    "training\\a.jpg",
    "a" * 300,
    "\0",
    "x/" * 99,
]


def _packed(members: list[tuple[str, bytes]], kinds: list[int]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as pack:
        warnings.simplefilter("ignore")  # a name twice
        for (name, content), kind in zip(members, kinds, strict=True):
            pack.writestr(name, content, kind)
    return file.getvalue()


def _seeds() -> list[Case]:
    members = list(FILES.items())
    folder = [(f"data/{name}", content) for name, content in members]
    deflated = [zipfile.ZIP_DEFLATED] * len(members)
    return [
        {FILE: _packed(members, deflated)},
        {FILE: _packed(folder, [zipfile.ZIP_STORED] * len(members))},
        {FILE: _packed([*members, ("README", b"?")], [*deflated, zipfile.ZIP_STORED])},
    ]


def _structure(case: Case) -> st.SearchStrategy[Case]:
    def build(rng: np.random.Generator) -> bytes:
        members = list(FILES.items())
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(members)))
            name, content = members[at]
            way = rng.integers(5)
            if way == 0:
                members[at] = (str(rng.choice(NAMES)) or "x", content)
            elif way == 1:
                members[at] = (name, content[: int(rng.integers(len(content) + 1))])
            elif way == 2:
                members[at] = (name, content + bytes(int(rng.choice([1, 1000, 10_000_000]))))
            elif way == 3:
                members.append((str(rng.choice(NAMES)) or "x", content))
            else:
                members += [(f"{i}", b"") for i in range(int(rng.choice([10, 1000, 2000])))]
        kinds = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        return _packed(members, [kinds[i] for i in rng.choice(4, len(members), p=[0.3, 0.5, 0.1, 0.1])])

    return rebuilt(case, FILE, build)


def _read(path: Path) -> None:
    """Unpack it, and look that no file has another size or lies elsewhere."""
    from fkp_app.data.unpacking import unpack

    sizes = {name: len(content) for name, content in FILES.items()}
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(path, Path(folder) / "inside", sizes)
        finally:
            found = [one for one in Path(folder).rglob("*") if one.is_file()]
            assert all(
                one.stat().st_size <= sizes[one.relative_to(Path(folder) / "inside").as_posix()] for one in found
            )


READERS = [Reader("archive", _seeds, FILE, _read, (ArchiveError,), structure=_structure)]
