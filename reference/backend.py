"""The predictor that the application calls when its backend is PyTorch."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from numpynet.checkpoint import CheckpointError, WeightsCard, load_weights
from numpynet.typing import AnyArray, Array
from reference.models import ARCHITECTURES


class TorchPredictor:
    """Called with crops (N, 1, S, S) float32, returns the net's raw outputs (N, 136) float32; S is card.input_size.

    weights: a file that numpynet or the twin wrote, or its contents (state dict, card).
    CheckpointError if the file cannot be used, or if its tensors do not fit the network that its card names.
    """

    def __init__(self, weights: str | Path | tuple[Mapping[str, AnyArray], WeightsCard]) -> None:
        from_file = not isinstance(weights, tuple)
        where = str(weights) if from_file else "the weights"
        state, self.card = load_weights(weights) if not isinstance(weights, tuple) else weights
        if self.card.architecture not in ARCHITECTURES:
            raise CheckpointError(
                f"{where}: holds a {self.card.architecture}, which this numpynet does not know; update numpynet"
            )
        try:
            twin = ARCHITECTURES[self.card.architecture]
            floats = {key: _as_float32(array) for key, array in state.items()}
            self.net = twin.from_state(floats, self.card.arguments, share=from_file).eval()
        except (RuntimeError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(f"{where}: does not fit the network it describes ({reason})") from None

    @torch.inference_mode()
    def __call__(self, crops: Array) -> Array:
        outputs: Array = self.net(torch.from_numpy(np.ascontiguousarray(crops, np.float32))).numpy()
        return outputs


def _as_float32(array: AnyArray) -> AnyArray:
    """Floating-point numbers converted to float32, the dtype of crops; integers unchanged."""
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def set_threads(threads: int) -> None:
    """Set the number of threads that PyTorch uses from now on, in the whole process."""
    torch.set_num_threads(threads)
