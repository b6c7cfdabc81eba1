"""Videos whose faces are bright squares, and a detector and a network that see only such squares."""

from types import SimpleNamespace

import cv2
import numpy as np

from fkp_app.faces.detector import Candidate
from fkp_app.geometry.framing import Framing
from tests.app.faces.test_keypoints import SHAPE

FRAMING = Framing("face", 64, 1.3)
WIDTH, HEIGHT = 320, 240
FACE_LEVEL = 95
"""Grey level from which a square is a face. Each face has its own level."""


def scene(faces, size=(HEIGHT, WIDTH), wall=0):
    """A frame with faces {level: (cx, cy, side)}, the last one in front. wall: number of the background."""
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    walls = (columns / width, 1 - columns / width, (rows / height - 0.5) ** 2 * 4, (columns // 40 + rows // 40) % 2)
    image = np.repeat((80 * walls[wall]).astype(np.uint8)[:, :, None], 3, axis=2)
    for level, (cx, cy, side) in faces.items():
        low = round(cx - side / 2), round(cy - side / 2)
        high = low[0] + round(side) - 1, low[1] + round(side) - 1
        cv2.rectangle(image, low, high, (level,) * 3, -1)
    return image


def middle_of(face):
    """The centre of the square around a tracked face's points."""
    return (face.keypoints.min(axis=0) + face.keypoints.max(axis=0)) / 2


class Squares:
    """A detector that returns bright squares in random order. angle: the only angle at which it sees them."""

    def __init__(self, angle=0.0, blind_to=()):
        self.angle, self.blind_to = angle, set(blind_to)
        self.asked = []
        self.rng = np.random.default_rng(3)

    def candidates(self, image, angle=0.0, margin=0.0):
        self.asked.append((angle, margin, image.shape[1]))
        if angle != self.angle or margin:
            return []
        gray = image[:, :, 0]
        found = []
        for level in set(np.unique(gray[gray >= FACE_LEVEL]).tolist()) - self.blind_to:
            rows, columns = np.nonzero(gray == level)
            side = max(np.ptp(rows), np.ptp(columns)) + 1
            if len(rows) < 0.6 * side * side:  # partly hidden
                continue
            square = ((columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2, float(side))
            found.append(Candidate((int(columns.min()), int(rows.min()), side, side), square, angle, 1e9, 1000))
        return [found[i] for i in self.rng.permutation(len(found))]

    @property
    def searches(self):
        """Number of searches of the plain image, neither turned nor extended."""
        return sum(angle == margin == 0 for angle, margin, _ in self.asked)


class Network:
    """Puts SHAPE on the bright square nearest to the crop's middle.

    Without a square it puts SHAPE in the middle of the crop, like real networks.
    """

    def __init__(self, noise=0.0):
        self.card = SimpleNamespace(framing=FRAMING.as_dict())
        self.batches = []
        self.noise, self.rng = noise, np.random.default_rng(4)

    def keypoints(self, crops):
        self.batches.append(len(crops))
        seen = np.stack([self.look(crop[0]) for crop in crops])
        return (seen + self.noise * self.rng.standard_normal(seen.shape)).astype(np.float32)

    def look(self, crop):
        rows, columns = np.nonzero(crop > (FACE_LEVEL - 2) / 255)
        if not len(rows):
            return (SHAPE - 0.5) * FRAMING.size / FRAMING.scale + (FRAMING.size - 1) / 2
        nearest = np.argmin((rows - 31.5) ** 2 + (columns - 31.5) ** 2)
        rows, columns = np.nonzero(np.abs(crop - crop[rows[nearest], columns[nearest]]) < 0.01)
        side = max(np.ptp(rows), np.ptp(columns)) + 1
        middle = np.array([columns.min() + columns.max(), rows.min() + rows.max()]) / 2
        return (SHAPE - 0.5) * side + middle
