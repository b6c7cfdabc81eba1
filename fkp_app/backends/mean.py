"""The mean of several networks' points: nearer to the truth than each of them, and as many times as slow.

Networks that differ by the seed of their training err in different directions, so a part of the errors cancels.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.errors import UsageError
from numpynet.typing import Array


def companions(weights: Path) -> list[Path]:
    """The files whose networks are averaged with that of NAME.safetensors: NAME-1.safetensors, NAME-2.safetensors and
    so on beside it, up to the first number that is missing. UsageError if there is none.
    """
    found: list[Path] = []
    while (path := weights.with_stem(f"{weights.stem}-{len(found) + 1}")).exists():
        found.append(path)
    if not found:
        raise UsageError(
            f"{weights}: --quality best takes the mean of several networks, and there is no {path.name} beside it"
        )
    return found


def mean_with_companions(weights: Path, predictor: Predictor, load: Callable[[Path], Predictor]) -> Predictor:
    """The mean of `predictor`, which is that of the file `weights`, and of the companions, each loaded by `load`.

    Errors as in `companions`, `mean_of` and `load`.
    """
    return mean_of({weights: predictor, **{path: load(path) for path in companions(weights)}})


def mean_of(predictors: Mapping[Path, Predictor]) -> Predictor:
    """A predictor that gives the mean of the outputs of these, one for each weights file.

    UsageError if their architectures, crops or units differ.
    """
    (first, one), *others = predictors.items()
    for path, other in others:
        for what, own, its in (
            ("architecture", one.card.architecture, other.card.architecture),
            ("framing", one.card.framing, other.card.framing),
            ("keypoint units", one.card.units, other.card.units),
        ):
            if own != its:
                raise UsageError(f"{path}: has no mean with {first.name}, as its {what} differs; use networks alike")
    members = list(predictors.values())

    def forward(crops: Array) -> Array:
        mean: Array = np.mean([member.forward(crops) for member in members], axis=0)
        return mean

    return replace(one, forward=forward)
