"""How good a network's answers are to labelled crops, in figures that training watches as well.

`protocols` says which crops a network is shown when it is evaluated, and `summary` makes the tables.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fkp_app.data.crops import evaluation_transform
from fkp_app.data.dataset import load_split
from fkp_app.data.transforms import collate
from fkp_app.evaluation.metrics import failure_rate, nme
from fkp_app.geometry.units import Units
from numpynet.checkpoint import WeightsCard
from numpynet.data import DataLoader
from numpynet.functional import mse_loss, smooth_l1_loss
from numpynet.typing import Array, Batch


@dataclass(frozen=True)
class Scores:
    """Over `images` faces: MSE and SmoothL1 (beta 1) in the normalised units, NME in percent, mean and median, and
    the failures: percent of the faces with an NME above 10 %."""

    images: int
    mse: float
    smooth_l1: float
    nme: float
    nme_median: float
    failures: float


def mean_face(data_dir: Path, card: WeightsCard) -> Array:
    """The mean target (136,) of the training split, in the card's normalised units, as the card frames a face."""
    training = load_split(data_dir, "training", evaluation_transform(card))
    targets = [batch_targets.astype(np.float64) for _, batch_targets in DataLoader(training, 64, collate_fn=collate)]
    return np.concatenate(targets).mean(axis=0).astype(np.float32)


def score(outputs: Array, targets: Array, card: WeightsCard) -> Scores:
    """Scores of `outputs` (F, 136) against `targets` (F, 136), both in the card's normalised units."""
    units = Units.of(card)
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
    """Outputs and targets, each (F, 136), over all batches."""
    pairs = [(predict(images), targets) for images, targets in batches]
    outputs, targets = zip(*pairs, strict=True)
    return np.concatenate(outputs), np.concatenate(targets)
