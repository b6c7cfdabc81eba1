"""Scores of a network on labelled crops. Training computes them too.

`protocols` defines the crops of an evaluation, `summary` makes the tables.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from fkp_app.evaluation.metrics import failure_rate, nme
from fkp_app.geometry.crop_card import CropCard
from numpynet.functional import mse_loss, smooth_l1_loss
from numpynet.typing import Array, Batch


@dataclass(frozen=True)
class Scores:
    """Scores over `images` faces.

    mse, smooth_l1: losses (beta 1) in the card's normalised units. nme, nme_median: mean and median NME in percent.
    failures: percent of the faces with an NME above 10 %.
    """

    images: int
    mse: float
    smooth_l1: float
    nme: float
    nme_median: float
    failures: float


def score(outputs: Array, targets: Array, card: CropCard) -> Scores:
    """Scores of `outputs` (F, 136) against `targets` (F, 136), both in the card's normalised units."""
    units = card.units
    errors = nme(units.to_pixels(outputs), units.to_pixels(targets))
    return Scores(
        images=len(targets),
        mse=float(mse_loss(outputs, targets)[0]),
        smooth_l1=float(smooth_l1_loss(outputs, targets)[0]),
        nme=float(errors.mean()),
        nme_median=float(np.median(errors)),
        failures=failure_rate(errors),
    )


def predict_all(predict: Callable[[Array], Array], batches: Iterable[Batch]) -> tuple[Array, Array]:
    """Outputs and targets of all batches, each (F, 136)."""
    pairs = [(predict(images), targets) for images, targets in batches]
    outputs, targets = zip(*pairs, strict=True)
    return np.concatenate(outputs), np.concatenate(targets)
