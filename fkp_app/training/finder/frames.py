"""The labelled frames that pictures for the finder are composed of."""

from collections.abc import Iterator

import cv2
import numpy as np

from fkp_app.data.dataset import FacialKeypointsDataset
from fkp_app.faces.detector import FaceDetector
from fkp_app.geometry.boxes import box_of, covered
from fkp_app.geometry.face_grid import Spot
from fkp_app.geometry.framing import Square, face_square, upright
from fkp_app.training.finder.scenes import Labelled
from numpynet.typing import AnyArray

DOUBTFUL = 3.0
"""A second face of a frame has no label. Where the cascades' log(weight) + log(1 + seconded) is above this, it may
be one: nobody corrects the network there."""


def labelled_frames(dataset: FacialKeypointsDataset) -> Iterator[Labelled]:
    """The frames of a data set without a transform, one after the other."""
    detector = FaceDetector()
    for i in range(len(dataset)):
        sample = dataset[i]
        points = sample["keypoints"].astype(np.float64)
        face = Spot(*upright(points, face_square(points)))
        unclear = tuple(_others(sample["image"], face.square, detector))
        yield Labelled(cv2.cvtColor(sample["image"], cv2.COLOR_RGB2GRAY), face, unclear)


def _others(image: AnyArray, face: Square, detector: FaceDetector) -> Iterator[Square]:
    """The places beside the labelled face that may show another one."""
    for one in detector.candidates(image):
        doubtful = np.log(one.weight) + np.log1p(one.seconded) > DOUBTFUL
        if doubtful and covered(box_of(one.square), box_of(face)) < 0.3:
            yield one.square
