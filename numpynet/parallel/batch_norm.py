"""Batch norm over the parts of all processes, as if one process had the whole batch."""

from typing import Any, NamedTuple, TypeVar

import numpy as np

from numpynet.dispatch import F
from numpynet.layers import BatchNorm1d, BatchNorm2d
from numpynet.module import Module
from numpynet.parallel.group import Group
from numpynet.typing import Array, Cache


class SyncCache(NamedTuple):
    """What `backward` needs."""

    constant: Any  # the cache of F.batch_norm with mean and var given
    x: Array  # (n, C, ...), this process's part of the batch
    elements: int  # M, in each channel of the whole batch


class _Synchronised:
    """Puts the statistics of the whole batch in the place of those of this process's part.

    Forward, each process sends its number of elements and two sums per channel, and all add them up. Backward, the
    gradient of batch norm (functional/batch_norm.py) has two sums over the whole batch::

        dx = slope dout  -  slope (dbias + x_hat dweight) / M          slope = weight / std

    The first term is that of constant statistics. The second is minus a batch norm of x, with the weight
    slope dweight / M and the bias slope dbias / M.
    """

    def __init__(self, layer: BatchNorm1d | BatchNorm2d, group: Group) -> None:
        vars(self).update(vars(layer))  # its parameters and running statistics, not copies
        self.group = group

    def forward(self: Any, x: Array) -> tuple[Array, Cache]:
        if not self.training:
            return super().forward(x)  # type: ignore[misc]
        self._check(x)
        _, own = F.batch_norm(x, eps=self.eps)
        mean, var, elements = _whole(own, self.group)
        weight, bias = (None if p is None else p.data for p in (self.weight, self.bias))
        out, cache = F.batch_norm(x, weight, bias, mean=mean, var=var, eps=self.eps)
        self.update_running_stats(cache._replace(elements=elements))
        return out, SyncCache(cache, x, elements)

    def backward(self: Any, dout: Array, cache: Cache) -> Array:
        if not isinstance(cache, SyncCache):
            return super().backward(dout, cache)  # type: ignore[misc]
        dx, dweight, dbias = F.batch_norm_backward(dout, cache.constant)
        if self.weight is not None and self.bias is not None:
            self.weight.add_grad(dweight)
            self.bias.add_grad(dbias)
        sums = np.stack([dweight, dbias]).astype(np.float64)  # (2, C)
        self.group.sum(sums)
        constant = cache.constant
        slope = constant.inv_std if constant.weight is None else constant.inv_std * constant.weight  # (C,)
        weight, bias = (-slope * sums / cache.elements).astype(dout.dtype)
        through_statistics, _ = F.batch_norm(cache.x, weight, bias, mean=constant.mean, var=constant.var, eps=self.eps)
        return F.add(dx, through_statistics)


class SyncBatchNorm1d(_Synchronised, BatchNorm1d):
    """A BatchNorm1d over the parts of all processes; each part needs 2 images."""


class SyncBatchNorm2d(_Synchronised, BatchNorm2d):
    """A BatchNorm2d over the parts of all processes (torch.nn.SyncBatchNorm)."""


KINDS: dict[type[Module], type[SyncBatchNorm1d | SyncBatchNorm2d]] = {
    BatchNorm1d: SyncBatchNorm1d,
    BatchNorm2d: SyncBatchNorm2d,
}


Net = TypeVar("Net", bound=Module)


def synchronised(net: Net, group: Group) -> Net:
    """Let each batch norm inside `net` see the whole batch, in place. Returns `net`; fuse it afterwards, not before."""
    made: dict[int, Module] = {}
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if type(child) in KINDS:
                made.setdefault(id(child), KINDS[type(child)](child, group))  # type: ignore[arg-type]
                setattr(module, name, made[id(child)])
    return net


def _whole(own: Any, group: Group) -> tuple[Array, Array, int]:
    """Mean, biased variance (C,) and number of elements of the whole batch, from the cache of each part.

    The sums of x^2 are made in float64: their difference from mean^2 keeps more digits than float32 has.
    """
    mean, var = own.mean.astype(np.float64), own.var.astype(np.float64)
    sums = np.concatenate([[own.elements], own.elements * mean, own.elements * (var + mean**2)])
    group.sum(sums)
    elements = int(sums[0])
    mean, squares = np.split(sums[1:] / elements, 2)
    return mean.astype(own.mean.dtype), np.maximum(squares - mean**2, 0).astype(own.var.dtype), elements
