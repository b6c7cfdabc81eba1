"""Labelled frames: the published YouTube Faces keypoints, or a folder of somebody's own; and how people are divided."""

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
"""See `load_data`."""

PUBLISHED = ("training", "test")
"""Folders of the published layout; beside each stands its CSV, NAME_frames_keypoints.csv."""
OWN_LABELS = "keypoints.csv"
"""The label file of an own folder that holds several CSV files."""


class FacialKeypointsDataset:
    """Frames with their 68 keypoints.

    csv_file: a row a face: its file's name, then x and y of every keypoint in turn, in pixels; perhaps a column
    `person`. root_dir: where frames lie; files there that the CSV does not name are no matter. transform: applied to
    every sample. own: whether a row that cannot be used is left out, and files are looked for as `PictureFiles` does;
    otherwise such a row is an error.

    A sample is {"image": uint8 RGB (H, W, 3), "keypoints": (68, 2) float32}. people: of each frame, who it is; notes: a
    line each for what was left out or taken for granted. DatasetError where the CSV or a file it names is missing, or
    labels are no numbers or cannot be meant.
    """

    def __init__(
        self, csv_file: str | Path, root_dir: str | Path, transform: Transform | None = None, own: bool = False
    ) -> None:
        frames: Frames = (read_own_frames if own else read_frames)(Path(csv_file), Path(root_dir))
        self.names, self.paths, self.keypoints = frames.names, frames.paths, frames.keypoints
        self.files, self.column, self.notes = frames.files, frames.column, frames.notes
        self.people = tell_people(self.files, self.column)[0]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        sample: Sample = {"image": read_image(self.paths[index]), "keypoints": self.keypoints[index].copy()}
        return sample if self.transform is None else self.transform(sample)

    def with_transform(self, transform: Transform | None) -> Self:
        """The same frames through another transform."""
        other = copy.copy(self)
        other.transform = transform
        return other

    def subset(self, indices: Sequence[int]) -> Self:
        """Those of the frames, in that order."""
        other = copy.copy(self)
        for name in ("names", "paths", "files", "people"):
            setattr(other, name, [getattr(self, name)[i] for i in indices])
        other.column = None if self.column is None else [self.column[i] for i in indices]
        other.keypoints = self.keypoints[np.asarray(indices, np.intp)]
        return other

    def __add__(self, more: "FacialKeypointsDataset") -> Self:
        """These frames, then those of `more`, through this one's transform."""
        other = copy.copy(self)
        for name in ("names", "paths", "files", "people", "notes"):
            setattr(other, name, getattr(self, name) + getattr(more, name))
        columns = [self.column or [""] * len(self), more.column or [""] * len(more)]
        other.column = None if self.column is more.column is None else columns[0] + columns[1]
        other.keypoints = np.concatenate([self.keypoints, more.keypoints])
        return other


@dataclass(frozen=True)
class LabelledData:
    """A data set, divided. told: by what people are told; people: a line that says that and how they are divided;
    notes: what else should be known; usual: whether it is the published layout, and all its files are called after
    people."""

    splits: dict[str, FacialKeypointsDataset]
    told: Told
    people: str
    notes: list[str]
    usual: bool

    @property
    def remarks(self) -> list[str]:
        """What somebody who knows the published data set could not know."""
        return [*self.notes, *([] if self.usual else [self.people])]


def load_data(place: str | Path) -> LabelledData:
    """A data set and its splits. place: a folder in the published layout, a folder of pictures with a CSV, or that CSV.

    Three splits divide the people: training holds about eight in ten; validation, on which everything is chosen, and
    report, which is for figures and nothing else, hold one in ten each. In the published layout (DIR/training/,
    DIR/test/ and their CSV files) training holds training frames alone, the other two hold frames from both files; and
    test is the published test file, whole. It leaks: all its people, and all its videos, are in the published training
    file as well. DatasetError where it cannot be used.
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
    """One of the splits that `load_data` gives. DatasetError as there, ValueError for another split."""
    if split not in get_args(Split):
        raise ValueError(f"split must be one of {', '.join(get_args(Split))}, got {split!r}")
    splits = load_data(place).splits
    if split not in splits:
        raise DatasetError(f"{place}: own data has no {split} split; choose {', '.join(splits)}")
    return splits[split].with_transform(transform)


def _divided(frames: FacialKeypointsDataset, training: int | None = None) -> LabelledData:
    """All frames by side. training: how many of them, the first ones, are of the published training file."""
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
    """The label file of an own folder, and the other CSV files in it."""
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
