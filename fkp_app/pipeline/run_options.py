"""What a user asked `fkp detect` or `fkp filter` to do, as one object that runs of images, videos and cameras read."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fkp_app.faces.drawing import Draw, Look
from fkp_app.faces.finder import FaceFinder, load_finder
from fkp_app.pipeline.results import SourceResult

Save = Callable[[list[SourceResult]], bool]
"""Writes results to the files that the user named. Returns whether all of them could be written."""

LOCAL = "local"
"""In place of a cluster's address: a cluster of this machine, which lasts as long as the run."""


@dataclass(frozen=True)
class RunOptions:
    """The options of one run. The fields are named as the options of the command line, but for three:

    draw_image: draws the pictures that are written. looks: styles for video frames; a window offers them all, a video
    that is written uses the first. save: writes the results; None if the user wants none.
    """

    draw_image: Draw
    looks: Sequence[Look]
    backend: str = "numpy"
    weights: Path | None = None
    detector: str | None = None
    threads: int | None = None
    min_confidence: float | None = None
    quality: str = "fast"
    out: Path | None = None
    crops: Path | None = None
    recursive: bool = False
    workers: int = 1
    cluster: str | None = None
    parts: Path | None = None
    smooth: bool = True
    window: bool | None = None
    record: Path | None = None
    save: Save | None = None

    @property
    def draw_frame(self) -> Draw:
        """Draws the frames of the videos that are written."""
        return self.looks[0].draw

    @property
    def keep(self) -> bool:
        """Whether anybody wants the results."""
        return self.save is not None or self.parts is not None

    def load_finder(self) -> FaceFinder:
        """The finder of this run. Errors as in `load_finder`."""
        return load_finder(self.backend, self.weights, self.threads, self.min_confidence, self.detector, self.quality)

    def settings(self) -> dict[str, str | float | bool | None]:
        """What the results and the places of the pictures depend on. OSError if the weights cannot be read."""
        from numpynet import __version__

        return {
            "version": __version__,
            "backend": self.backend,
            "weights": None if self.weights is None else f"{self.weights.name}, CRC-32 {_crc32(self.weights):08x}",
            "detector": self.detector,
            "min_confidence": self.min_confidence,
            "quality": self.quality,
            "smooth": self.smooth,
            "out": None if self.out is None else str(self.out.resolve()),
            "crops": None if self.crops is None else str(self.crops.resolve()),
        }

    def for_worker(self, threads: int) -> "RunOptions":
        """These options for a worker process, which uses this number of threads and saves nothing."""
        return replace(self, threads=threads, save=None)


def _crc32(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc
