"""The YouTube Faces keypoints: a CSV of labels beside folders of frames, and how people are divided."""

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
import pandas as pd

from fkp_app.errors import FkpError
from fkp_app.images import read_image
from fkp_app.transforms import Sample, Transform
from numpynet.typing import Array

Split = Literal["training", "validation", "report", "test"]
"""See `load_split`."""


class DatasetError(FkpError):
    """A data set that cannot be used."""


class FacialKeypointsDataset:
    """Frames with their 68 keypoints.

    csv_file: a row a frame: its name, then x and y of every keypoint in turn, in pixels. root_dir: where frames lie;
    files there that the CSV does not name are no matter. transform: applied to every sample.

    A sample is {"image": uint8 RGB (H, W, 3), "keypoints": (68, 2) float32}. DatasetError where the CSV or a file it
    names is missing, or a label is no number.
    """

    def __init__(self, csv_file: str | Path, root_dir: str | Path, transform: Transform | None = None) -> None:
        self.names, self.keypoints = _read_labels(Path(csv_file))
        self.paths = [Path(root_dir) / name for name in self.names]
        self.transform = transform
        for path in self.paths:
            if not path.is_file():
                raise DatasetError(
                    f"{csv_file}: labels {path.name}, which is not in {root_dir}; get it or drop its row"
                )

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
        other.names = [self.names[i] for i in indices]
        other.paths = [self.paths[i] for i in indices]
        other.keypoints = self.keypoints[np.asarray(indices, np.intp)]
        return other

    def __add__(self, more: "FacialKeypointsDataset") -> Self:
        """These frames, then those of `more`, through this one's transform."""
        other = copy.copy(self)
        other.names, other.paths = self.names + more.names, self.paths + more.paths
        other.keypoints = np.concatenate([self.keypoints, more.keypoints])
        return other


def load_split(data_dir: str | Path, split: Split, transform: Transform | None = None) -> FacialKeypointsDataset:
    """A split of the published layout: DIR/training/, DIR/test/ and their CSV files.

    Three divide the people: training holds the training frames of about eight in ten; validation, on which everything
    is chosen, and report, which is for figures and nothing else, hold all frames, from both files, of one in ten each.
    test is the published test file, whole. It leaks: all its people, and all its videos, are in the published training
    file as well. DatasetError as above, ValueError for another split.
    """
    if split not in get_args(Split):
        raise ValueError(f"split must be one of {', '.join(get_args(Split))}, got {split!r}")
    data_dir = Path(data_dir)
    if not data_dir.is_dir():
        raise DatasetError(f"{data_dir}: no such directory; `fkp data download` fetches the data set")
    test = FacialKeypointsDataset(data_dir / "test_frames_keypoints.csv", data_dir / "test", transform)
    if split == "test":
        return test
    labelled = FacialKeypointsDataset(data_dir / "training_frames_keypoints.csv", data_dir / "training", transform)
    frames = labelled if split == "training" else labelled + test
    return frames.subset([i for i, name in enumerate(frames.names) if split_of(person(name)) == split])


def person(name: str) -> str:
    """The person in a frame called `Name_VF.jpg`, where V is the video and F the frame."""
    return name.rpartition("_")[0] or Path(name).stem


def split_of(name: str) -> Literal["training", "validation", "report"]:
    """A person's side, by a hash of the name that never changes: one in ten is validation, one in ten report."""
    share = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 10
    return "validation" if share == 0 else "report" if share == 1 else "training"


def _read_labels(csv_file: Path) -> tuple[list[str], Array]:
    """Names and keypoints (n, 68, 2) float32 of a label file."""
    try:
        table = pd.read_csv(csv_file, low_memory=False)  # else pandas warns of a column that mixes text and numbers
    except FileNotFoundError:
        raise DatasetError(f"{csv_file}: no such file; `fkp data download` fetches the data set") from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise DatasetError(f"{csv_file}: cannot be read as CSV ({str(error).splitlines()[0]})") from None
    if table.shape[1] != 137:
        raise DatasetError(f"{csv_file}: must have 137 columns (name, then x and y of 68 points), has {table.shape[1]}")
    if table.empty:
        raise DatasetError(f"{csv_file}: has no rows; a row a frame is needed")
    numbers = table.iloc[:, 1:].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    names = [str(name) for name in table.iloc[:, 0]]
    bad = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
    if len(bad):
        raise DatasetError(f"{csv_file}: row {bad[0] + 2} ({names[bad[0]]}) has a label that is no number; mend it")
    return names, numbers.reshape(-1, 68, 2)  # (n, 136) -> (n, 68, 2)
