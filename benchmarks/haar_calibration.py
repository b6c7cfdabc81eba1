"""How the Haar cascade's boxes lie to the labelled faces: the constants of `fkp_app.faces.detector`, and how far single
faces stray from them, which is what the jitter of training crops should cover."""

import argparse
from pathlib import Path

import numpy as np

from fkp_app.data.dataset import load_split
from fkp_app.faces.detector import FaceDetector, square_from_box
from fkp_app.geometry.framing import Square, face_square
from numpynet.typing import AnyArray


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data set; its training split is measured")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth frame")
    options = parser.parse_args()
    measure(options.data, options.every)


def measure(data: Path, every: int = 1) -> None:
    """Print the median relation between box and face square, its spread, and how many faces were found."""
    dataset, detector = load_split(data, "training"), FaceDetector()
    frames = range(0, len(dataset), every)
    relations: list[tuple[float, float, float]] = []
    extra, course = 0, []
    for i in frames:
        sample = dataset[i]
        cx, cy, side = face_square(sample["keypoints"])
        course.append(min(sample["image"].shape[:2]) * 224 / 250 / side)
        boxes = detector.detect(sample["image"])
        hits = [box for box in boxes if is_right(square_from_box(box), (cx, cy, side))]
        relations += [((cx - x - (w - 1) / 2) / w, (cy - y - (h - 1) / 2) / w, side / w) for x, y, w, h in hits[:1]]
        extra += len(boxes) - len(hits[:1])
    share, rate = 100 * len(relations) / len(frames), extra / len(frames)
    print(f"{len(frames)} frames: {share:.1f} % found, {rate:.3f} false a frame")
    print(f"course project's crop over face square: median {np.median(course):.3f}")
    report(np.array(relations))


def is_right(square: Square, labelled: Square) -> bool:
    """Whether a face square is about where, and about as large as, the labelled one."""
    strayed = max(abs(square[0] - labelled[0]), abs(square[1] - labelled[1]))
    return strayed < 0.4 * labelled[2] and 0.4 < square[2] / labelled[2] < 1.6


def report(relations: AnyArray) -> None:
    """Print medians and spread of (offset x, offset y, side) in box sides (n, 3)."""
    middle = np.median(relations, axis=0)
    for name, column in zip(("CENTRE_X", "CENTRE_Y", "SIDE"), relations.T, strict=True):
        _line(name, column, "box sides")
    strayed = (relations[:, :2] - middle[:2]) / relations[:, 2:]
    _line("face right of the crop's middle", strayed[:, 0], "face squares")
    _line("face below the crop's middle", strayed[:, 1], "face squares")
    _line("crop larger than it should be", middle[2] / relations[:, 2], "times")


def _line(name: str, column: AnyArray, unit: str) -> None:
    low, middle, high = np.percentile(column, [5, 50, 95])
    print(f"{name:32s} median {middle:+.3f}   5 % {low:+.3f}   95 % {high:+.3f}   {unit}")
