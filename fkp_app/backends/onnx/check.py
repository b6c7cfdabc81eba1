"""A check that an ONNX file computes the same as the network that it was made from."""

from pathlib import Path

import numpy as np

from fkp_app.backends.onnx.predictor import OnnxPredictor
from numpynet.fuse import fuse
from numpynet.module import Chain

CROPS = 3
LIMIT = 0.01
"""The largest allowed difference of a point, in pixels of the crop: rounding makes a hundredth of it, a wrong layer
whole pixels."""


def largest_difference(path: Path, net: Chain) -> float:
    """The largest difference between OpenCV's points and those of `net` for random crops, in pixels of the crop.

    `net` must be in evaluation mode.
    """
    predictor = OnnxPredictor(path)
    side = predictor.card.input_size
    crops = np.random.default_rng(0).random((CROPS, 1, side, side), np.float32)
    units = predictor.card.units
    theirs, ours = (units.to_pixels(outputs) for outputs in (predictor(crops), fuse(net)(crops)))
    return float(np.abs(theirs - ours).max())
