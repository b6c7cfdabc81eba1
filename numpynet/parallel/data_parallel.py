"""DataParallel: a network whose gradients are averaged over all processes while the backward pass goes on.

The backward pass finds the gradients of the last layers first. As soon as some of them fill a bucket, MPI begins to
add up the bucket over all processes, and the backward pass goes on meanwhile (Li et al. 2020, PyTorch Distributed).

The gradient of a large Linear's weight is dout^T x (kernels/factors.py). If that is less, and there are not too many,
the processes gather all rows of dout and x, in place of adding up the products.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numpynet.module import Module
from numpynet.parallel.batch_norm import SyncBatchNorm1d, SyncBatchNorm2d
from numpynet.parallel.group import Group, Request
from numpynet.parameter import Parameter
from numpynet.typing import AnyArray, Array, Cache

BUCKET = 1 << 20
"""Bytes of gradients that are sent together: enough to hide the time of a message, and few enough to begin early."""

MOST_ROWS = 256
"""Rows of all processes, at most: to multiply out more takes longer than to send the product at 10 Gbit/s."""


class DataParallel(Module):
    """`net`, with gradients of the mean loss over the parts of all processes. Names and state are those of `net`.

    Each process gives `forward` an equal part of the batch, and `backward` the gradient of the mean loss over its
    part. After `backward`, gradients and running statistics are the same in all processes: those of the whole batch,
    but for a batch norm that sees its part only (`synchronised` changes that), whose running statistics are the mean.

    ValueError by `backward` if a parameter has a gradient already.
    """

    def __init__(self, net: Module, group: Group) -> None:
        self.net = net
        self.group = group
        self._times: Counter[Parameter] = Counter()
        """How often a backward pass adds to each gradient, in the order of the first times; empty before the first."""
        self._buckets: list[_Bucket] = []

    def forward(self, x: Array) -> tuple[Array, Cache]:
        return self.net.forward(x)

    def backward(self, dout: Array, cache: Cache) -> Array:
        parameters = self.net.parameters()
        if any(parameter.grad is not None for parameter in parameters):
            raise ValueError("DataParallel: a parameter has a gradient already; call zero_grad() first")
        share = dout * dout.dtype.type(1 / self.group.size)  # the mean over all processes is the sum of these
        backward = self._later_backward if self._times else self._first_backward
        dx = backward(share, cache, parameters)
        for bucket in self._buckets:
            bucket.finish()
        self._average_running_statistics()
        return dx

    def __call__(self, x: Array) -> Array:
        return self.net(x)

    @property
    def training(self) -> bool:
        """Whether `net` trains."""
        return self.net.training

    @training.setter
    def training(self, mode: bool) -> None:
        self.net.training = mode

    def named_children(self) -> Iterator[tuple[str, Module]]:
        yield from self.net.named_children()

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        yield prefix, self
        yield from self.net.named_modules(prefix)

    def state_dict(self, prefix: str = "") -> dict[str, AnyArray]:
        return self.net.state_dict(prefix)

    def __repr__(self) -> str:
        return repr(self.net)

    def _first_backward(self, dout: Array, cache: Cache, parameters: list[Parameter]) -> Array:
        """Learn in which order gradients come, and how often; make the buckets, and send them at the end."""
        dx = self._backward(dout, cache, parameters, self._count)
        self._buckets = list(_in_buckets(list(self._times), self.group))
        for bucket in self._buckets:
            bucket.begin()
        return dx

    def _later_backward(self, dout: Array, cache: Cache, parameters: list[Parameter]) -> Array:
        """Send each bucket as soon as the last of its gradients is there."""
        waiting, missing, sent = self._times.copy(), [len(bucket.parameters) for bucket in self._buckets], 0
        places = {parameter: i for i, bucket in enumerate(self._buckets) for parameter in bucket.parameters}

        def after_add(parameter: Parameter) -> None:
            nonlocal sent
            for bucket in self._buckets[:sent]:
                bucket.move_on()
            waiting[parameter] -= 1
            if not waiting[parameter]:
                missing[places[parameter]] -= 1
            while sent < len(missing) and not missing[sent]:  # in the same order in every process
                self._buckets[sent].begin()
                sent += 1

        return self._backward(dout, cache, parameters, after_add)

    def _backward(
        self, dout: Array, cache: Cache, parameters: list[Parameter], after_add: Callable[[Parameter], None]
    ) -> Array:
        """The backward pass of `net`, which calls `after_add` after each gradient."""
        for parameter in parameters:
            parameter.after_add = after_add
        try:
            return self.net.backward(dout, cache)
        finally:
            for parameter in parameters:
                parameter.after_add = None

    def _count(self, parameter: Parameter) -> None:
        self._times[parameter] += 1

    def _average_running_statistics(self) -> None:
        """Replace the running statistics of each batch norm that saw its part only by their mean."""
        buffers = [
            array
            for module in self.net.modules()
            if not isinstance(module, SyncBatchNorm1d | SyncBatchNorm2d)
            for array in (getattr(module, name) for name in module.buffer_names)
            if array is not None and array.dtype.kind == "f"
        ]
        if not buffers or self.group.size == 1:
            return
        mean = np.concatenate([array.reshape(-1) for array in buffers])
        self.group.sum(mean)
        mean /= self.group.size
        ends = np.cumsum([array.size for array in buffers])
        for array, part in zip(buffers, np.split(mean, ends[:-1]), strict=True):
            array[...] = part.reshape(array.shape)


class _Bucket:
    """The gradients of some parameters, which are added up over all processes together."""

    def __init__(self, parameters: list[Parameter], group: Group) -> None:
        self.parameters = parameters
        self._group = group
        self._memory = np.empty(sum(parameter.data.size for parameter in parameters), parameters[0].data.dtype)
        self._request: Request | None = None

    def begin(self) -> None:
        """Send the gradients."""
        for parameter, part in self._parts():
            part[...] = parameter.grad
        self._request = self._group.begin_sum(self._memory)

    def move_on(self) -> None:
        """MPI may need this process in order to go on with what it has begun."""
        if self._request is not None and self._request.Test():
            self._request = None

    def finish(self) -> None:
        """Wait for the sums, and make them the gradients."""
        if self._request is not None:
            self._request.Wait()
            self._request = None
        for parameter, part in self._parts():
            parameter.grad = part

    def _parts(self) -> Iterator[tuple[Parameter, Array]]:
        """Each parameter, and its part of the memory."""
        end = 0
        for parameter in self.parameters:
            begin, end = end, end + parameter.data.size
            yield parameter, self._memory[begin:end].reshape(parameter.data.shape)


class _Rows(_Bucket):
    """The gradient of one weight, of which all rows of dout and x are gathered."""

    def __init__(self, parameter: Parameter, group: Group) -> None:
        self.parameters = [parameter]
        self._group = group
        self._requests: list[Request] = []
        self._sum: Any = None

    def begin(self) -> None:
        grad: Any = self.parameters[0].grad
        if isinstance(grad, np.ndarray):  # a batch of another size than the first
            self._sum = np.ascontiguousarray(grad)
            self._requests = [self._group.begin_sum(self._sum)]
            return
        left, of_left = self._group.begin_gather(np.ascontiguousarray(grad.left))
        right, of_right = self._group.begin_gather(np.ascontiguousarray(grad.right))
        self._sum, self._requests = type(grad)(left, right), [of_left, of_right]

    def move_on(self) -> None:
        self._requests = [request for request in self._requests if not request.Test()]

    def finish(self) -> None:
        for request in self._requests:
            request.Wait()
        self.parameters[0].grad = self._sum
        self._requests, self._sum = [], None


def _in_buckets(parameters: list[Parameter], group: Group) -> Iterator[_Bucket]:
    """The parameters in buckets of BUCKET bytes at least, but for the last, in their order."""
    some: list[Parameter] = []
    for parameter in parameters:
        grad: Any = parameter.grad
        if not isinstance(grad, np.ndarray) and rows_are_less(len(grad.left), grad.shape, group.size):
            yield _Rows(parameter, group)
            continue
        if some and some[0].data.dtype != parameter.data.dtype:
            yield _Bucket(some, group)
            some = []
        some.append(parameter)
        if sum(one.data.nbytes for one in some) >= BUCKET:
            yield _Bucket(some, group)
            some = []
    if some:
        yield _Bucket(some, group)


def rows_are_less(rows: int, shape: tuple[int, int], size: int) -> bool:
    """Whether to gather `rows` rows of dout and x of each of `size` processes, in place of adding up their products.

    shape: (O, I), of the product. A process sends its rows size - 1 times, and a sum of n numbers takes
    2 n (size - 1) / size.
    """
    outputs, inputs = shape
    return size * rows <= MOST_ROWS and size * rows * (outputs + inputs) < 2 * outputs * inputs
