"""How good a network is on a labelled split, beside the least that anyone could do: always the mean face."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fkp_app.backends import Predictor, to_keypoints
from fkp_app.dataset import Split, load_split
from fkp_app.errors import FkpError
from fkp_app.metrics import nme
from fkp_app.recipes import evaluation_transform
from numpynet.checkpoint import WeightsCard
from numpynet.data import Batch, DataLoader
from numpynet.functional import mse_loss, smooth_l1_loss
from numpynet.typing import Array


@dataclass(frozen=True)
class Scores:
    """Over `images` faces: MSE and SmoothL1 (beta 1) in the normalised units, NME in percent, mean and median."""

    images: int
    mse: float
    smooth_l1: float
    nme: float
    nme_median: float


def score(outputs: Array, targets: Array, card: WeightsCard) -> Scores:
    """Scores of `outputs` (F, 136) against `targets` (F, 136), both in the card's normalised units."""
    errors = nme(to_keypoints(outputs, card), to_keypoints(targets, card))
    return Scores(
        images=len(targets),
        mse=float(mse_loss(outputs, targets)[0]),
        smooth_l1=float(smooth_l1_loss(outputs, targets)[0]),
        nme=float(errors.mean()),
        nme_median=float(np.median(errors)),
    )


def predict_all(predict: Callable[[Array], Array], batches: Iterable[Batch]) -> tuple[Array, Array]:
    """Outputs and targets, each (F, 136), over all batches."""
    pairs = [(predict(images), targets) for images, targets in batches]
    outputs, targets = zip(*pairs, strict=True)
    return np.concatenate(outputs), np.concatenate(targets)


def mean_face(data_dir: Path, card: WeightsCard) -> Array:
    """The mean target (136,) of the training split, in the card's normalised units."""
    training = load_split(data_dir, "training", evaluation_transform(card))
    targets = [batch_targets.astype(np.float64) for _, batch_targets in DataLoader(training, 64)]
    return np.concatenate(targets).mean(axis=0).astype(np.float32)


def evaluate(
    predictor: Predictor,
    data_dir: Path,
    split: Split,
    progress: Callable[[DataLoader], Iterable[Batch]] = iter,
) -> dict[str, Scores]:
    """Scores of the "model" and of the "mean_face" on a split, each face framed as the application frames it.

    progress: wraps the loader to show how far it is. FkpError where the data cannot be used.
    """
    card = predictor.card
    dataset = load_split(data_dir, split, evaluation_transform(card))
    if not len(dataset):
        raise FkpError(f"{data_dir}: its {split} split is empty; choose another --split")
    loader = DataLoader(dataset, 32)
    outputs, targets = predict_all(predictor, progress(loader))
    baseline = np.broadcast_to(mean_face(data_dir, card), targets.shape)
    return {"model": score(outputs, targets, card), "mean_face": score(baseline, targets, card)}
