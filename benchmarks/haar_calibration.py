"""How the Haar cascade's boxes lie to the labelled faces: the constants of `fkp_app.detector`."""

import argparse
from pathlib import Path

import numpy as np

from fkp_app.dataset import load_split
from fkp_app.detector import FaceDetector
from fkp_app.framing import face_square


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data set; its training split is measured")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth frame")
    measure(parser.parse_args())


def measure(options: argparse.Namespace) -> None:
    """Print the median relation between box and face square, its spread, and how many faces were found."""
    dataset, detector = load_split(options.data, "training"), FaceDetector()
    frames = range(0, len(dataset), options.every)
    relations, extra = [], 0
    course = []
    for i in frames:
        sample = dataset[i]
        cx, cy, side = face_square(sample["keypoints"])
        course.append(min(sample["image"].shape[:2]) * 224 / 250 / side)
        found = False
        for x, y, w, h in detector.detect(sample["image"]):
            dx, dy, ratio = (cx - x - (w - 1) / 2) / w, (cy - y - (h - 1) / 2) / w, side / w
            if abs(dx) < 0.4 and abs(dy) < 0.4 and 0.4 < ratio < 1.6 and not found:
                relations.append((dx, dy, ratio))
                found = True
            else:
                extra += 1
    found_share, false_rate = 100 * len(relations) / len(frames), extra / len(frames)
    print(f"{len(frames)} frames: {found_share:.1f} % found, {false_rate:.3f} false a frame")
    table = np.array(relations)
    for name, column in zip(("CENTRE_X", "CENTRE_Y", "SIDE"), table.T, strict=True):
        low, middle, high = np.percentile(column, [5, 50, 95])
        print(f"{name:9s} median {middle:+.3f}   5 % {low:+.3f}   95 % {high:+.3f}")
    print(f"course project's crop over face square: median {np.median(course):.2f}")
