"""One training step in numpynet and in PyTorch from the same weights, and what differs afterwards.

The biases that stand before a batch norm are compared apart. The batch norm takes their effect away again, so
their true gradient is zero; what either side computes for them is rounding noise, and Adam scales noise up to
whole steps. That moves no output of a net in training, but it does move the running means, which therefore are
compared after taking the biases' share out of them (`BiasShare`), and as they are only apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from numpynet import Chain, Dropout, KeypointNet
from numpynet.losses import Criterion
from numpynet.typing import AnyArray, Array
from reference.models import Net, as_arrays

BLOCK = 1 << 20  # numbers compared at a time: fc1 has 147 million, of which no second copy is wanted


class PlayedDropout(nn.Module):
    """Stands in for torch.nn.Dropout and plays `masks`, True for what is kept, one a call, in their order."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.masks: list[AnyArray] = []

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * torch.from_numpy(self.masks.pop(0)).to(x.dtype) * (1 / (1 - self.p))


@dataclass(frozen=True)
class Difference:
    """Of one tensor: the largest difference, relative to the largest magnitude in PyTorch's.

    kind: output, gradient, statistic or weight. apart: whether it is noise by nature, as said above.
    """

    name: str
    kind: str
    relative: float
    apart: bool = False


@dataclass(frozen=True)
class Step:
    """The two losses of a step; outputs and input gradients as (numpynet, PyTorch); the dropout masks of both."""

    numpynet_loss: float
    torch_loss: float
    outputs: tuple[Array, Array]
    input_gradients: tuple[Array, Array]
    masks: list[AnyArray]

    @property
    def relative(self) -> float:
        """The difference of the losses over PyTorch's."""
        return abs(self.numpynet_loss - self.torch_loss) / abs(self.torch_loss)


def twin_of(net: KeypointNet) -> Net:
    """The PyTorch net with copies of `net`'s weights, in its dtype, that plays the dropout masks it is given."""
    twin = Net.from_state(net.state_dict(), net.arguments)
    twin.dropout = PlayedDropout(net.dropout.p)
    return twin


def forward_and_backward(
    net: Chain,
    twin: Net,
    criterion: Criterion,
    torch_criterion: nn.Module,
    images: Array,
    targets: Array,
) -> Step:
    """Both losses, and the gradients of both left in their parameters, under numpynet's dropout masks."""
    net.zero_grad()
    out, caches = net.forward(images)
    masks = [cache.mask for layer, cache in zip(net.path(), caches, strict=True) if isinstance(layer, Dropout)]
    loss, dout = criterion(out, targets)
    dimages = net.backward(dout, caches)
    del caches  # they are larger than the weights of all convolutions
    torch_loss, torch_out, torch_dimages = torch_forward_and_backward(twin, torch_criterion, images, targets, masks)
    return Step(loss, torch_loss, (out, torch_out), (dimages, torch_dimages), masks)


def torch_forward_and_backward(
    twin: Net, criterion: nn.Module, images: Array, targets: Array, masks: Sequence[AnyArray]
) -> tuple[float, Array, Array]:
    """PyTorch's part alone: the loss, the outputs and the input's gradient."""
    twin.zero_grad()
    assert isinstance(twin.dropout, PlayedDropout)
    twin.dropout.masks = list(masks)
    inputs = torch.tensor(images, requires_grad=True)
    outputs = twin(inputs)
    loss = criterion(outputs, torch.from_numpy(targets))
    loss.backward()
    assert inputs.grad is not None
    return loss.item(), outputs.detach().numpy(), inputs.grad.numpy()


class BiasShare:
    """What the biases before a batch norm have contributed to its running mean, on both sides.

    A running mean is a moving average of mean(x) + bias; this keeps the same average of the bias alone.
    """

    def __init__(self, net: KeypointNet, twin: Net) -> None:
        self.net, self.twin = net, twin
        self.names = noisy_biases(net)
        shapes = {name: net.state_dict()[name].shape for name in self.names}
        self.shares = [{name: np.zeros(shape) for name, shape in shapes.items()} for _ in range(2)]

    def update(self) -> None:
        """To be called once a step, before the optimizers move the biases."""
        for state, share in zip(self._states(), self.shares, strict=True):
            for name in self.names:
                share[name] = 0.9 * share[name] + 0.1 * np.asarray(state[name], np.float64)

    def taken_out(self) -> Iterator[tuple[str, Array, Array]]:
        """Name and both running means, each less its own biases' share."""
        for name in self.names:
            key = name.replace(".bias", "_bn.running_mean")
            ours, theirs = (
                np.asarray(state[key], np.float64) - share[name]
                for state, share in zip(self._states(), self.shares, strict=True)
            )
            yield key, ours, theirs

    def _states(self) -> tuple[dict[str, AnyArray], dict[str, AnyArray]]:
        return self.net.state_dict(), as_arrays(self.twin.state_dict())


def noisy_biases(net: KeypointNet) -> list[str]:
    """The biases whose true gradient is zero, since a batch norm follows."""
    keys = net.state_dict().keys()
    return [key for key in keys if key.endswith(".bias") and key.replace(".bias", "_bn.bias") in keys]


def outputs_and_gradients(net: KeypointNet, twin: Net, step: Step) -> list[Difference]:
    """What `forward_and_backward` computed: outputs, the input's gradient, every parameter's gradient."""
    noisy = noisy_biases(net)
    rows = [Difference("out", "output", relative(*step.outputs))]
    rows += [Difference("images", "gradient", relative(*step.input_gradients))]
    wanted = dict(twin.named_parameters())
    for name, parameter in net.named_parameters():
        grad = wanted[name].grad
        assert grad is not None
        assert parameter.grad is not None
        rows.append(Difference(name, "gradient", relative(parameter.grad, grad.numpy()), name in noisy))
    return rows


def gradients(net: Net, twin: Net) -> dict[tuple[str, str], float]:
    """How far the gradients of one PyTorch net lie from another's, by kind and name."""
    pairs = zip(net.named_parameters(), twin.parameters(), strict=True)
    result = {}
    for (name, parameter), wanted in pairs:
        assert parameter.grad is not None
        assert wanted.grad is not None
        result["gradient", name] = relative(parameter.grad.numpy(), wanted.grad.numpy())
    return result


def weights(net: Net, twin: Net) -> dict[tuple[str, str], float]:
    """How far the weights and running statistics of one PyTorch net lie from another's, by kind and name."""
    wanted = as_arrays(twin.state_dict())
    state = as_arrays(net.state_dict())
    return {(_kind(key), key): relative(array, wanted[key]) for key, array in state.items() if array.ndim}


def state(net: KeypointNet, twin: Net, share: BiasShare) -> list[Difference]:
    """Weights and running statistics as they are now."""
    rows = [Difference(f"{key} less bias", "statistic", relative(*both)) for key, *both in share.taken_out()]
    noisy = share.names + [name.replace(".bias", "_bn.running_mean") for name in share.names]
    theirs = twin.state_dict()
    for key, array in net.state_dict().items():
        if array.ndim:  # the count of batches is not a quantity
            rows.append(Difference(key, _kind(key), relative(array, theirs[key].numpy()), key in noisy))
    return rows


def _kind(key: str) -> str:
    return "statistic" if ".running_" in key else "weight"


def relative(got: Array, wanted: Array) -> float:
    """The largest difference over the largest magnitude of `wanted`; infinite where either is not finite."""
    got, wanted = got.reshape(-1), wanted.reshape(-1)
    difference = scale = 0.0
    for start in range(0, wanted.size, BLOCK):
        a, b = got[start : start + BLOCK], wanted[start : start + BLOCK]
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return float("inf")
        difference = max(difference, float(np.abs(a - b).max()))
        scale = max(scale, float(np.abs(b).max()))
    return difference / scale if scale else difference
