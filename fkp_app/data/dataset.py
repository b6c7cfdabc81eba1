"""Data sets of labelled frames: the published YouTube Faces keypoints or a user's own, and their splits."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np

from fkp_app.data.frames import Frames, read_frames, read_own_frames
from fkp_app.data.labels import DatasetError
from fkp_app.data.people import Side, Told, describe, divide, person, split_of, tell_people
from fkp_app.data.transforms import Sample, Transform
from fkp_app.media.images import read_image

__all__ = ["DatasetError", "FacialKeypointsDataset", "LabelledData", "Split", "load_data", "load_split", "person"]
__all__ += ["split_of"]

Split = Literal["training", "validation", "report", "test"]
"""The splits that `load_data` describes."""

PUBLISHED = ("training", "test")
"""The folders of the published layout. Beside each folder is its CSV, NAME_frames_keypoints.csv."""
OWN_LABELS = "keypoints.csv"
"""The label file of a user's folder that holds several CSV files."""


class FacialKeypointsDataset:
    """Frames with their 68 keypoints.

    csv_file: one row per face: the name of its file, then x and y of each keypoint in pixels; there may be a column
    `person`. root_dir: the folder of the frames; other files there are ignored. transform: applied to every sample.
    own: True for a user's own labels: a row that cannot be used is left out, and `PictureFiles` looks for the files.
    False for published ones: such a row is an error.

    A sample is {"image": uint8 RGB (H, W, 3), "keypoints": (68, 2) float32}. people: the person in each frame. notes:
    one line for each thing that was left out or assumed. reading_notes: for each picture read so far that was converted
    or guessed, the first line that `read_image` says of it; all views of the same frames share them. DatasetError if
    the CSV or a file that it names is missing, or if labels are no numbers or cannot be right.
    """

    def __init__(
        self, csv_file: str | Path, root_dir: str | Path, transform: Transform | None = None, own: bool = False
    ) -> None:
        frames: Frames = (read_own_frames if own else read_frames)(Path(csv_file), Path(root_dir))
        self.names, self.paths, self.keypoints = frames.names, frames.paths, frames.keypoints
        self.files, self.column, self.notes = frames.files, frames.column, frames.notes
        self.people = tell_people(self.files, self.column)[0]
        self.transform = transform
        self.reading_notes: dict[Path, str] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        notes: list[str] = []
        sample: Sample = {"image": read_image(self.paths[index], notes), "keypoints": self.keypoints[index].copy()}
        if notes:
            self.reading_notes[self.paths[index]] = notes[0]
        return sample if self.transform is None else self.transform(sample)

    def with_transform(self, transform: Transform | None) -> Self:
        """The same frames with another transform."""
        other = copy.copy(self)
        other.transform = transform
        return other

    def subset(self, indices: Sequence[int]) -> Self:
        """The frames at `indices`, in that order."""
        other = copy.copy(self)
        for name in ("names", "paths", "files", "people"):
            setattr(other, name, [getattr(self, name)[i] for i in indices])
        other.column = None if self.column is None else [self.column[i] for i in indices]
        other.keypoints = self.keypoints[np.asarray(indices, np.intp)]
        return other

    def __add__(self, more: "FacialKeypointsDataset") -> Self:
        """These frames, then those of `more`, all with the transform of these."""
        other = copy.copy(self)
        for name in ("names", "paths", "files", "people", "notes"):
            setattr(other, name, getattr(self, name) + getattr(more, name))
        columns = [self.column or [""] * len(self), more.column or [""] * len(more)]
        other.column = None if self.column is more.column is None else columns[0] + columns[1]
        other.keypoints = np.concatenate([self.keypoints, more.keypoints])
        other.reading_notes = self.reading_notes | more.reading_notes
        return other


@dataclass(frozen=True)
class LabelledData:
    """A data set, divided into splits.

    told: how people are told apart. people: a line that says so, and how many people and frames each split has. notes:
    other lines for the user. usual: whether the data have the published layout and every file is named after a person.
    """

    splits: dict[str, FacialKeypointsDataset]
    told: Told
    people: str
    notes: list[str]
    usual: bool

    @property
    def remarks(self) -> list[str]:
        """The lines for the user: the notes, and how people are divided unless the data are the usual ones."""
        return [*self.notes, *([] if self.usual else [self.people])]


def load_data(place: str | Path) -> LabelledData:
    """A data set and its splits. place: a folder in the published layout, a folder of pictures with a CSV, or that CSV.

    Three splits divide the people. Training holds about eight in ten. Validation, on which every choice is made, and
    report, which is used for figures only, hold one in ten each. In the published layout (DIR/training/, DIR/test/ and
    their CSV files) the training split holds frames of the training file only, and the other two hold frames of both
    files. A fourth split, test, is the whole published test file. It leaks: all its people and all its videos are in
    the published training file too. DatasetError if the data cannot be used.
    """
    place = Path(place)
    if place.is_file():
        return _divided(FacialKeypointsDataset(place, place.parent, own=True))
    if not place.is_dir():
        raise DatasetError(f"{place}: no such directory; `fkp data download` fetches the data set")
    if not any(_csv(place, name).is_file() for name in PUBLISHED):
        chosen, others = _own_csv(place)
        frames = FacialKeypointsDataset(chosen, place, own=True)
        if others:
            frames.notes.append(f"{place}: left out {len(others)} other CSV files, such as {others[0].name}")
        return _divided(frames)
    test, training = (FacialKeypointsDataset(_csv(place, name), place / name) for name in reversed(PUBLISHED))
    for name, part in (("training", training), ("test", test)):
        part.files = [f"{name}/{file}" for file in part.files]
    return _divided(training + test, training=len(training))


def load_split(place: str | Path, split: Split, transform: Transform | None = None) -> FacialKeypointsDataset:
    """One of the splits of `load_data`, which also says when it raises DatasetError. ValueError for any other split."""
    if split not in get_args(Split):
        raise ValueError(f"split must be one of {', '.join(get_args(Split))}, got {split!r}")
    splits = load_data(place).splits
    if split not in splits:
        raise DatasetError(f"{place}: data of your own have no {split} split; choose {', '.join(splits)}")
    return splits[split].with_transform(transform)


def _divided(frames: FacialKeypointsDataset, training: int | None = None) -> LabelledData:
    """The splits of all frames. training: the number of frames, from the first on, of the published training file."""
    frames.people, told = tell_people(frames.files, frames.column)
    alone = len({file for file, who in zip(frames.files, frames.people, strict=True) if file == who})
    usual = training is not None and told == "name" and not alone
    sides: dict[str, Side] = {who: split_of(who) for who in frames.people} if usual else divide(frames.people)
    places: dict[str, list[int]] = {
        side: [
            i
            for i, who in enumerate(frames.people)
            if sides[who] == side and (side != "training" or training is None or i < training)
        ]
        for side in get_args(Side)
    }
    if training is not None:
        places["test"] = list(range(training, len(frames)))
    splits = {split: frames.subset(chosen) for split, chosen in places.items()}
    line = describe({side: splits[side].people for side in get_args(Side)}, told, alone)
    return LabelledData(splits, told, line, frames.notes, usual)


def _csv(folder: Path, name: str) -> Path:
    return folder / f"{name}_frames_keypoints.csv"


def _own_csv(folder: Path) -> tuple[Path, list[Path]]:
    """The label file of a user's folder, and the other CSV files in it."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".csv" and path.is_file()]
    found = [path for path in found if not path.name.startswith(".")]
    chosen = [path for path in found if path.name == OWN_LABELS] or found
    if not chosen:
        raise DatasetError(
            f"{_csv(folder, 'test')}: no such file, nor any other CSV of labels in this folder; `fkp data download` "
            "fetches the data set, docs/own-data.md says how to label pictures of your own"
        )
    if len(chosen) > 1:
        names = ", ".join(path.name for path in chosen[:4])
        raise DatasetError(f"{folder}: holds {len(chosen)} CSV files ({names}); name one in place of the folder")
    return chosen[0], [path for path in found if path not in chosen]
