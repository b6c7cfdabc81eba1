"""From a label file and a folder to frames: all rows, or, of a user's own file, the rows that can be used."""

import os
from dataclasses import dataclass
from pathlib import Path

from fkp_app.data.label_checks import Faults, listed, misplaced, no_numbers, refuse_other_units
from fkp_app.data.labels import DatasetError, Labels, read_labels
from fkp_app.data.picture_files import PictureFiles
from fkp_app.wording import count_of, named
from numpynet.typing import Array

REPEATED = "the same points as an earlier row of the same picture"
HELP = "docs/own-data.md says what it should hold"


@dataclass(frozen=True)
class Frames:
    """Labelled frames, one row per face.

    names: as they stand in the CSV. files: paths from the root, with slashes. column: the cells of the column `person`,
    None without one. notes: one line for each thing that was left out or assumed.
    """

    names: list[str]
    paths: list[Path]
    files: list[str]
    column: list[str] | None
    keypoints: Array
    notes: list[str]


def read_frames(csv_file: Path, root: Path) -> Frames:
    """All rows of a label file. DatasetError if one of them cannot be used."""
    notes: list[str] = []
    labels = read_labels(csv_file, notes)
    _refuse(csv_file, labels, no_numbers(labels.keypoints))
    paths = [root / name for name in labels.names]
    for path in paths:
        if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for names that are too long)
            name = named(path.name)
            raise DatasetError(f"{csv_file}: labels {name}, which is not in {root}; add the file or drop its row")
    refuse_other_units(csv_file, labels.keypoints, paths)
    _refuse(csv_file, labels, misplaced(labels.keypoints, paths, must_open=False))
    files = [Path(name).as_posix() for name in labels.names]
    return Frames(labels.names, paths, files, labels.people, labels.keypoints, notes)


def read_own_frames(csv_file: Path, root: Path) -> Frames:
    """The rows of a user's label file that can be used. DatasetError if most cannot: the file has another meaning."""
    notes: list[str] = []
    labels = read_labels(csv_file, notes)
    pictures = PictureFiles(root)
    found = [pictures.find(name) for name in labels.names]
    refuse_other_units(csv_file, labels.keypoints, [path for path in found if isinstance(path, Path)])
    faults: Faults = {i: wrong for i, wrong in enumerate(found) if isinstance(wrong, str)}
    faults |= no_numbers(labels.keypoints)
    sound = [i for i in range(len(found)) if i not in faults]
    places = {i: path for i, path in enumerate(found) if isinstance(path, Path)}
    wrong = misplaced(labels.keypoints[sound], [places[i] for i in sound], must_open=True)
    faults |= {sound[k]: fault for k, fault in wrong.items()}
    kept: list[int] = []
    seen: set[tuple[Path, bytes]] = set()
    for i in sound:
        face = (places[i], labels.keypoints[i].tobytes())
        if i not in faults and face in seen:
            faults[i] = REPEATED
        elif i not in faults:
            seen.add(face)
            kept.append(i)
    if faults:
        what = f"{len(faults)} of {len(found)} rows"
        if 2 * len(faults) > len(found):
            raise DatasetError(f"{csv_file}: {what} cannot be used; correct the file: {listed(labels, faults)}; {HELP}")
        notes.append(f"{csv_file}: left out {what}: {listed(labels, faults)}")
    paths = [places[i] for i in kept]
    names = [labels.names[i] for i in kept]
    notes += _remarks(csv_file, root, names, paths, pictures.unlabelled(list(places.values())))
    column = None if labels.people is None else [labels.people[i] for i in kept]
    return Frames(names, paths, [_inside(root, path) for path in paths], column, labels.keypoints[kept], notes)


def _refuse(csv_file: Path, labels: Labels, faults: Faults) -> None:
    if faults:
        count = f"{len(faults)} of {len(labels.names)} rows are wrong: " if len(faults) > 1 else ""
        raise DatasetError(f"{csv_file}: {count}{listed(labels, faults)}; correct or drop {'them' if count else 'it'}")


def _remarks(csv_file: Path, root: Path, names: list[str], paths: list[Path], bare: list[Path]) -> list[str]:
    """A line for names that differ from their files', one for pictures with several rows, one for `bare` pictures."""
    lines = []
    other = [i for i, name in enumerate(names) if root / name != paths[i]]
    if other:
        example = f"{named(names[other[0]])} for {_inside(root, paths[other[0]])}"
        lines.append(
            f"{csv_file}: found {count_of(len(other), 'file')} in other folders or spellings, such as {example}"
        )
    several = len(paths) - len(set(paths))
    if several:
        lines.append(
            f"{csv_file}: has {count_of(several, 'further row')} for pictures with a row; each row is one face"
        )
    if bare:
        lines.append(
            f"{root}: left out {count_of(len(bare), 'picture')} without a row, such as {_inside(root, bare[0])}"
        )
    return lines


def _inside(root: Path, path: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
