"""A check that an ONNX file computes the same as the network that it was made from."""

from pathlib import Path

from fkp_app.backends.agreement import largest_distance
from fkp_app.backends.onnx.predictor import OnnxPredictor
from numpynet.fuse import fuse
from numpynet.module import Chain

LIMIT = 0.01
"""The largest allowed difference of a point, in pixels of the crop: rounding makes a hundredth of it, a wrong layer
whole pixels."""


def largest_difference(path: Path, net: Chain) -> float:
    """The largest difference between OpenCV's points and those of `net` for random crops, in pixels of the crop.

    `net` must be in evaluation mode.
    """
    predictor = OnnxPredictor(path)
    return largest_distance(predictor, fuse(net), predictor.card)
