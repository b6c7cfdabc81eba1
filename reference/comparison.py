"""One training step in numpynet and in PyTorch from the same weights, and how far the results differ.

Biases before a batch norm are compared apart. Batch norm subtracts them again, so their true gradient is zero; both
sides compute rounding noise for them, and Adam turns that noise into whole steps. In training this changes no output,
but it does change the running means. These are therefore compared twice: without the biases' share (`BiasShare`), and
as they are, apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from numpynet import Chain, Dropout, KeypointNet
from numpynet.architectures import Network
from numpynet.losses import Criterion
from numpynet.typing import AnyArray, Array
from reference.models import ARCHITECTURES, Twin, as_arrays

BLOCK = 1 << 20  # numbers compared at a time: fc1 has 147 million, too many for a second copy


class PlayedDropout(nn.Module):
    """Takes the place of torch.nn.Dropout: each call uses the next of `masks`, which are True for kept numbers."""

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
    """The largest difference of one tensor, relative to the largest magnitude of PyTorch's.

    A bias before a batch norm has a gradient of zero: its difference is relative to the gradient of its layer's weight.

    kind: "output", "gradient", "statistic" or "weight". apart: whether it is only rounding noise (see the module).
    """

    name: str
    kind: str
    relative: float
    apart: bool = False


@dataclass(frozen=True)
class Step:
    """The losses of a step; outputs and input gradients as (numpynet, PyTorch); the dropout masks that both used."""

    numpynet_loss: float
    torch_loss: float
    outputs: tuple[Array, Array]
    input_gradients: tuple[Array, Array]
    masks: list[AnyArray]

    @property
    def relative(self) -> float:
        """The difference of the losses, relative to PyTorch's."""
        return abs(self.numpynet_loss - self.torch_loss) / abs(self.torch_loss)


def twin_of(net: Network) -> Twin:
    """The PyTorch net with copies of `net`'s weights, in its dtype, with PlayedDropout as its dropout if it has one."""
    twin = ARCHITECTURES[type(net).__name__].from_state(net.state_dict(), net.arguments)
    if isinstance(net, KeypointNet):
        twin.dropout = PlayedDropout(net.dropout.p)
    return twin


def forward_and_backward(
    net: Chain,
    twin: Twin,
    criterion: Criterion,
    torch_criterion: nn.Module,
    images: Array,
    targets: Array,
) -> Step:
    """Both sides' step under numpynet's dropout masks; the gradients stay in the parameters of `net` and `twin`."""
    net.zero_grad()
    out, caches = net.forward(images)
    masks = [cache.mask for layer, cache in zip(net.path(), caches, strict=True) if isinstance(layer, Dropout)]
    loss, dout = criterion(out, targets)
    dimages = net.backward(dout, caches)
    del caches  # frees their memory, more than that of all convolutions' weights, before PyTorch's turn
    torch_loss, torch_out, torch_dimages = torch_forward_and_backward(twin, torch_criterion, images, targets, masks)
    return Step(loss, torch_loss, (out, torch_out), (dimages, torch_dimages), masks)


def torch_forward_and_backward(
    twin: Twin, criterion: nn.Module, images: Array, targets: Array, masks: Sequence[AnyArray]
) -> tuple[float, Array, Array]:
    """PyTorch's part of the step: the loss, the outputs and the gradient of the images."""
    twin.zero_grad()
    if masks:
        assert isinstance(twin.dropout, PlayedDropout)
        twin.dropout.masks = list(masks)
    inputs = torch.tensor(images, requires_grad=True)
    outputs = twin(inputs)
    loss = criterion(outputs, torch.from_numpy(targets))
    loss.backward()
    assert inputs.grad is not None
    return loss.item(), outputs.detach().numpy(), inputs.grad.numpy()


class BiasShare:
    """The part of a batch norm's running mean that comes from the bias before it, on both sides.

    The running mean is a moving average of mean(x) + bias; this class keeps the same average of the bias alone.
    """

    def __init__(self, net: Network, twin: Twin) -> None:
        self.net, self.twin = net, twin
        self.names = noisy_biases(net)
        shapes = {name: net.state_dict()[name].shape for name in self.names}
        self.shares = [{name: np.zeros(shape) for name, shape in shapes.items()} for _ in range(2)]

    def update(self) -> None:
        """Call this once per step, before the optimizers move the biases."""
        for state, share in zip(self._states(), self.shares, strict=True):
            for name in self.names:
                share[name] = 0.9 * share[name] + 0.1 * np.asarray(state[name], np.float64)

    def taken_out(self) -> Iterator[tuple[str, Array, Array]]:
        """The name of each running mean and both sides' values, each without the share of its own bias."""
        for name in self.names:
            key = name.replace(".bias", "_bn.running_mean")
            ours, theirs = (
                np.asarray(state[key], np.float64) - share[name]
                for state, share in zip(self._states(), self.shares, strict=True)
            )
            yield key, ours, theirs

    def _states(self) -> tuple[dict[str, AnyArray], dict[str, AnyArray]]:
        return self.net.state_dict(), as_arrays(self.twin.state_dict())


def noisy_biases(net: Network | Twin) -> list[str]:
    """The names of the biases before a batch norm, whose true gradient is zero."""
    keys = net.state_dict().keys()
    return [key for key in keys if key.endswith(".bias") and key.replace(".bias", "_bn.bias") in keys]


def outputs_and_gradients(net: Network, twin: Twin, step: Step) -> list[Difference]:
    """The differences after `forward_and_backward`: outputs, the images' gradient, each parameter's gradient."""
    noisy = noisy_biases(net)
    rows = [Difference("out", "output", relative(*step.outputs))]
    rows += [Difference("images", "gradient", relative(*step.input_gradients))]
    wanted = dict(twin.named_parameters())
    for name, parameter in net.named_parameters():
        grad = wanted[name].grad
        assert grad is not None
        assert parameter.grad is not None
        scale = wanted[name.replace(".bias", ".weight")].grad if name in noisy else None
        difference = relative(parameter.grad, grad.numpy(), None if scale is None else scale.numpy())
        rows.append(Difference(name, "gradient", difference, name in noisy))
    return rows


def gradients(net: Twin, twin: Twin) -> dict[tuple[str, str], float]:
    """How far the gradients of one PyTorch net differ from another's, by kind and name."""
    noisy = noisy_biases(net)
    grads = {name: p.grad.numpy() for name, p in twin.named_parameters() if p.grad is not None}
    result = {}
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        scale = grads[name.replace(".bias", ".weight")] if name in noisy else grads[name]
        result["gradient", name] = relative(parameter.grad.numpy(), grads[name], scale)
    return result


def weights(net: Twin, twin: Twin) -> dict[tuple[str, str], float]:
    """How far the weights and running statistics of one PyTorch net differ from another's, by kind and name."""
    wanted = as_arrays(twin.state_dict())
    state = as_arrays(net.state_dict())
    return {(_kind(key), key): relative(array, wanted[key]) for key, array in state.items() if array.ndim}


def state(net: Network, twin: Twin, share: BiasShare) -> list[Difference]:
    """The differences of weights and running statistics."""
    rows = [Difference(f"{key} less bias", "statistic", relative(*both)) for key, *both in share.taken_out()]
    noisy = share.names + [name.replace(".bias", "_bn.running_mean") for name in share.names]
    theirs = twin.state_dict()
    for key, array in net.state_dict().items():
        if array.ndim:  # not the count of batches
            rows.append(Difference(key, _kind(key), relative(array, theirs[key].numpy()), key in noisy))
    return rows


def _kind(key: str) -> str:
    return "statistic" if ".running_" in key else "weight"


def relative(got: Array, wanted: Array, measure: Array | None = None) -> float:
    """The largest difference over the largest magnitude of `measure`, or of `wanted` if it is None.

    Infinity if either array is not finite.
    """
    got, wanted = got.reshape(-1), wanted.reshape(-1)
    difference = scale = 0.0
    for start in range(0, wanted.size, BLOCK):
        a, b = got[start : start + BLOCK], wanted[start : start + BLOCK]
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return float("inf")
        difference = max(difference, float(np.abs(a - b).max()))
        scale = max(scale, float(np.abs(b).max()))
    if measure is not None:
        scale = float(np.abs(measure).max())
    return difference / scale if scale else difference
