"""One face through the network and back: the arrays that the pictures show."""

from dataclasses import dataclass

import numpy as np

from fkp_app.faces.keypoints import Face
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import Framing, crop_matrix, face_square, to_input, upright, warp
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from numpynet.losses import SmoothL1Loss
from numpynet.models import HourglassNet, KeypointNet
from numpynet.optim import Adam
from numpynet.record import Record
from numpynet.typing import AnyArray, Array

LR = 1e-3
"""The learning rate of the one step of Adam."""


@dataclass(frozen=True)
class Passes:
    """A forward and a backward pass of one crop, and one step of the optimizer.

    crop: (S, S), gray from 0 to 1. points: (68, 2), in pixels of the crop. record: of the pass, with every dout.
    saliency: (2, S, S), how far x and y of one keypoint move, in pixels of the crop, if a pixel gets brighter by 1.
    weights, gradients, updates: of each parameter, by its key in the state dict.
    """

    crop: Array
    points: Array
    record: Record
    saliency: Array
    weights: dict[str, Array]
    gradients: dict[str, Array]
    updates: dict[str, Array]


def crop_of(image: AnyArray, face: Face, card: CropCard) -> Array:
    """The face as the network sees it, (1, 1, S, S) float32: framed by its keypoints, with level eyes."""
    framing = Framing.from_dict(card.framing)
    square, angle = upright(face.keypoints, face_square(face.keypoints))
    return to_input(warp(image, crop_matrix(square, framing, angle), framing.size))[None]


def inspect(net: HourglassNet | KeypointNet, card: CropCard, crop: Array, keypoint: int) -> Passes:
    """Run a crop (1, 1, S, S) forward and backward in evaluation mode, and take one step. It changes the net's weights.

    A photo has no labels. In their place stand the points that the network finds in the mirrored crop, mirrored back:
    the loss is 0 if it finds the same points in both.
    """
    net.eval()
    out, cache = net.forward(crop)
    saliency = []
    for coordinate in (2 * keypoint, 2 * keypoint + 1):
        dout = np.zeros_like(out)
        dout[0, coordinate] = card.keypoint_scale
        saliency.append(net.backward(dout, cache)[0, 0])
    net.zero_grad()

    optimizer = Adam(net.parameters(), lr=LR)
    record = Record(net, crop)
    _, dout = SmoothL1Loss()(record.out, mirrored_labels(net, card, crop))
    record.backward(dout)
    weights = {key: parameter.data.copy() for key, parameter in net.named_parameters()}
    gradients: dict[str, Array] = {key: np.array(parameter.grad) for key, parameter in net.named_parameters()}
    optimizer.step()
    updates: dict[str, Array] = {key: parameter.data - weights[key] for key, parameter in net.named_parameters()}
    points = card.units.to_pixels(record.out)[0]
    return Passes(crop[0, 0], points, record, np.stack(saliency), weights, gradients, updates)


def mirrored_labels(net: HourglassNet | KeypointNet, card: CropCard, crop: Array) -> Array:
    """What the network finds in the mirrored crop, mirrored back, in its own units: (1, 136)."""
    found = card.units.to_pixels(net(np.ascontiguousarray(crop[..., ::-1])))[0][FLIP_ORDER]  # (68, 2)
    found[:, 0] = crop.shape[-1] - 1 - found[:, 0]
    labels: Array = card.units.to_units(found).reshape(1, -1).astype(crop.dtype)
    return labels
