"""What two exercises ask for and numpynet has no function of its own for: batch norm line by line, and a training step.

`numpynet.functional.batch_norm` is the short form of the first; `numpynet.training.Trainer.train_step` does the second,
with a schedule and an average of the weights.
"""

import numpy as np

from numpynet.losses import Criterion
from numpynet.module import Module
from numpynet.optim import Optimizer
from numpynet.typing import Array


def batch_norm_staged(x: Array, weight: Array, bias: Array, eps: float) -> tuple[Array, dict[str, Array]]:
    """Batch norm of rows x (M, C), one operation per line. Returns out (M, C), and every variable by its name."""
    mean = x.mean(axis=0)
    centred = x - mean
    var = np.square(centred).mean(axis=0)
    std = np.sqrt(var + eps)
    x_hat = centred / std
    out = weight * x_hat + bias
    return out, {"mean": mean, "centred": centred, "var": var, "std": std, "x_hat": x_hat, "weight": weight}


def batch_norm_backward_staged(dout: Array, kept: dict[str, Array]) -> dict[str, Array]:
    """The gradient of every variable of `batch_norm_staged`, for dout (M, C) and what the forward pass kept."""
    M = len(dout)
    dbias = dout.sum(axis=0)
    dweight = (dout * kept["x_hat"]).sum(axis=0)
    dx_hat = dout * kept["weight"]
    dstd = -(dx_hat * kept["centred"]).sum(axis=0) / np.square(kept["std"])
    dvar = dstd / (2 * kept["std"])
    dcentred = dx_hat / kept["std"] + dvar * 2 * kept["centred"] / M  # two paths: x_hat and var
    dmean = -dcentred.sum(axis=0)
    dx = dcentred + dmean / M  # two paths: centred and mean
    return {
        "dbias": dbias, "dweight": dweight, "dx_hat": dx_hat, "dstd": dstd,
        "dvar": dvar, "dcentred": dcentred, "dmean": dmean, "dx": dx,
    }  # fmt: skip


def train_step(net: Module, criterion: Criterion, optimizer: Optimizer, images: Array, targets: Array) -> float:
    """One step: forward, loss, backward, update. Returns the loss before the update."""
    out, cache = net.forward(images)
    loss, dout = criterion(out, targets)
    net.backward(dout, cache)
    optimizer.step()
    optimizer.zero_grad()
    return loss
