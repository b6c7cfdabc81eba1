"""The layers BatchNorm1d and BatchNorm2d."""

import numpy as np
from numpy.typing import DTypeLike

from numpynet.checks import FLOATS, arrays_of, number, whole
from numpynet.dispatch import ops
from numpynet.functional import BatchNormCache
from numpynet.module import Module
from numpynet.parameter import Parameter
from numpynet.typing import AnyArray, Array


class _BatchNorm(Module):
    """Normalises each of `num_features` channels; in training by the batch, in evaluation by the running statistics.

    affine: whether a scale `weight` (begins at 1) and a shift `bias` (begins at 0) are learned.
    momentum: the share of the newest batch in the running statistics; None for the average of all batches so far.
    track_running_stats: where False there are no running statistics, and evaluation uses the batch's own.
    """

    ndims: tuple[int, ...]
    expected: str

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        dtype: DTypeLike = np.float32,
    ) -> None:
        name = type(self).__name__
        self.num_features = num_features = whole(num_features, f"{name}: num_features")
        self.eps = number(eps, f"{name}: eps", above=0)
        self.momentum = None if momentum is None else number(momentum, f"{name}: momentum")
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.running_mean: Array | None = None
        self.running_var: Array | None = None
        self.num_batches_tracked: AnyArray | None = None
        if track_running_stats:
            self.buffer_names = ("running_mean", "running_var", "num_batches_tracked")
            self.running_mean = np.zeros(num_features, dtype)
            self.running_var = np.ones(num_features, dtype)
            self.num_batches_tracked = np.zeros((), np.int64)

    def forward(self, x: Array) -> tuple[Array, BatchNormCache]:
        arrays_of(FLOATS, self, x=x)
        if x.ndim not in self.ndims or x.shape[1] != self.num_features:
            raise ValueError(f"{self}: x must have shape {self.expected.format(self.num_features)}, got {x.shape}")
        weight = None if self.weight is None else self.weight.data
        bias = None if self.bias is None else self.bias.data
        if self.uses_batch():
            out, cache = ops().batch_norm(x, weight, bias, eps=self.eps)
            if self.training:
                self.remember(cache)
            return out, cache
        return ops().batch_norm(x, weight, bias, mean=self.running_mean, var=self.running_var, eps=self.eps)

    def uses_batch(self) -> bool:
        """Whether `forward` normalises with the batch's own statistics."""
        return self.training or self.running_mean is None

    def remember(self, cache: BatchNormCache) -> None:
        """Take the batch's statistics into the running ones."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        mean, var = ops().running_update(self.running_mean, self.running_var, cache, momentum)
        self.running_mean[...], self.running_var[...] = mean, var

    def backward(self, dout: Array, cache: BatchNormCache) -> Array:
        dx, dweight, dbias = ops().batch_norm_backward(dout, cache)
        if self.weight is not None and self.bias is not None:
            self.weight.add_grad(dweight)
            self.bias.add_grad(dbias)
        return dx

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm over x (N, C) or (N, C, L): each feature over the batch (torch.nn.BatchNorm1d)."""

    ndims = (2, 3)
    expected = "(N, {0}) or (N, {0}, L)"


class BatchNorm2d(_BatchNorm):
    """Batch norm over x (N, C, H, W): each channel over batch and place (torch.nn.BatchNorm2d)."""

    ndims = (4,)
    expected = "(N, {}, H, W)"
