"""Makes numpynet/learn/faces.npz, the 12 crops that the learning area trains on: `python docs/make_learn_crops.py`.

Run from the project's root with the test extra installed. The photo, of Grace Hopper, is public domain and comes with
matplotlib. Each crop turns, enlarges and moves the face by other amounts.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from fkp_app.commands.demo import sample_photo  # noqa: E402
from fkp_app.geometry.framing import Framing, apply, crop_matrix, face_square, to_gray, warp  # noqa: E402
from fkp_app.media.images import read_image  # noqa: E402
from numpynet.typing import AnyArray  # noqa: E402

FRAMING = Framing("face", 96, 1.3)
"""As the shipped network sees faces."""
POINTS = ROOT / "docs" / "hopper.csv"
"""The 68 points of the photo, x and y in its pixels. The shipped network placed them when the pages were written, which
quote numbers of these crops: they must not move with the search or the weights."""
COUNT = 12


def crops() -> tuple[AnyArray, AnyArray]:
    """The crops (12, 96, 96) uint8, gray, and their points (12, 68, 2) float32 in pixels of the crop."""
    photo = read_image(sample_photo())
    points = np.loadtxt(POINTS, np.float32, delimiter=",")
    rng = np.random.default_rng(0)
    images, keypoints = [], []
    for _ in range(COUNT):
        matrix = crop_matrix(
            face_square(points),
            FRAMING,
            angle=rng.uniform(-20, 20),
            scale=rng.uniform(1.0, 1.3),
            shift=(rng.uniform(-0.05, 0.05), rng.uniform(-0.05, 0.05)),
        )
        images.append(np.rint(to_gray(warp(photo, matrix, FRAMING.size)) * 255).astype(np.uint8))
        keypoints.append(apply(matrix, points).astype(np.float32))
    return np.stack(images), np.stack(keypoints)


if __name__ == "__main__":
    images, points = crops()
    np.savez_compressed(ROOT / "numpynet" / "learn" / "faces.npz", images=images, points=points)
