"""Whether an ONNX file computes what the network it was made of does."""

from pathlib import Path

import numpy as np

from fkp_app.backends.onnx.predictor import OnnxPredictor
from fkp_app.geometry.units import Units
from numpynet.fuse import fuse
from numpynet.module import Chain

CROPS = 3
LIMIT = 0.01
"""Pixels of the crop by which a point may differ: rounding makes a hundredth of that, a wrong layer whole pixels."""


def largest_difference(path: Path, net: Chain) -> float:
    """Pixels of the crop between OpenCV's points and those of `net`, in evaluation mode, for random crops."""
    predictor = OnnxPredictor(path)
    side = predictor.card.input_size
    crops = np.random.default_rng(0).random((CROPS, 1, side, side), np.float32)
    units = Units.of(predictor.card)
    theirs, ours = (units.to_pixels(outputs) for outputs in (predictor(crops), fuse(net)(crops)))
    return float(np.abs(theirs - ours).max())
