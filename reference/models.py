"""The networks in PyTorch: same arguments, same parameter names, same printed form."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from numpynet.typing import AnyArray

OUTPUTS = 136  # x and y of 68 keypoints


class Twin(nn.Module):
    """The base class of the networks: how they are built from arrays, and how they print."""

    @classmethod
    def from_state(cls, state: Mapping[str, AnyArray], arguments: Mapping[str, Any], *, share: bool = False) -> Self:
        """A net with these constructor `arguments` and the weights `state`; no initial weights are drawn.

        share: use the memory of the arrays instead of copying it. A change on one side then changes the other, so
        this is for prediction only. RuntimeError if names or shapes do not fit.
        """
        with torch.device("meta"):  # tensors without memory: no random numbers, no allocation
            net = cls(**arguments)
        net.load_state_dict(as_tensors(state, share=share), assign=True)
        return net

    def __repr__(self) -> str:
        # PyTorch 2.13 and later print one more argument of batch norm; the printed form stays as it was before.
        return super().__repr__().replace("affine=True, bias=True", "affine=True")


class Net(Twin):
    """The twin of `numpynet.KeypointNet`: images (N, 1, size, size) -> (N, 136).

    size: height and width of the images in pixels; channels: filters of each convolution; hidden: outputs of each
    hidden linear layer; padding: of every convolution; dropout: the share of features dropped after a hidden layer.
    """

    def __init__(
        self,
        size: int = 224,
        channels: Sequence[int] = (32, 64, 128, 256),
        hidden: Sequence[int] = (4000, 1000),
        padding: int = 0,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.blocks, self.hidden_layers = len(channels), len(hidden)

        maps = 1
        for i, filters in enumerate(channels, 1):
            self.add_module(f"conv{i}", nn.Conv2d(maps, filters, 3, padding=padding))
            self.add_module(f"conv{i}_bn", nn.BatchNorm2d(filters))
            maps, size = filters, (size - 2 + 2 * padding) // 2
        self.pool = nn.MaxPool2d(2, 2)

        features = maps * size * size
        for i, units in enumerate(hidden, 1):
            self.add_module(f"fc{i}", nn.Linear(features, units))
            self.add_module(f"fc{i}_bn", nn.BatchNorm1d(units))
            features = units
        self.add_module(f"fc{len(hidden) + 1}", nn.Linear(features, OUTPUTS))
        self.dropout: nn.Module = nn.Dropout(dropout)

    @classmethod
    def compact(
        cls,
        size: int = 96,
        channels: Sequence[int] = (16, 32, 64, 128, 128),
        hidden: Sequence[int] = (256,),
        padding: int = 1,
        dropout: float = 0.1,
    ) -> Self:
        """The compact sibling, with the defaults of `numpynet.KeypointNet.compact`."""
        return cls(size, channels, hidden, padding, dropout)

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, self.blocks + 1):
            conv, bn = self.get_submodule(f"conv{i}"), self.get_submodule(f"conv{i}_bn")
            x = self.pool(F.relu(bn(conv(x))))
        x = torch.flatten(x, 1)
        for i in range(1, self.hidden_layers + 1):
            fc, bn = self.get_submodule(f"fc{i}"), self.get_submodule(f"fc{i}_bn")
            x = self.dropout(F.relu(bn(fc(x))))
        return self.get_submodule(f"fc{self.hidden_layers + 1}")(x)


class HourglassNet(Twin):
    """The twin of `numpynet.HourglassNet`: images (N, 1, size, size) -> (N, 136).

    size: height and width of the images in pixels; stem: filters of each convolution before the hourglass, which a
    pool follows; levels: filters of each level of the hourglass.
    """

    def __init__(
        self,
        size: int = 96,
        stem: Sequence[int] = (16, 32),
        levels: Sequence[int] = (64, 128, 256),
    ) -> None:
        super().__init__()
        self.stem, self.levels = len(stem), len(levels)
        maps = [1, *stem, *levels]
        for i, filters in enumerate(stem, 1):
            self._add_block(f"stem{i}", maps[i - 1], filters)
        for i, filters in enumerate(levels, 1):
            self._add_block(f"down{i}a", maps[len(stem) + i - 1], filters)
            self._add_block(f"down{i}b", filters, filters)
        for i in range(len(levels) - 1, 0, -1):
            self.add_module(f"back{i}", nn.Conv2d(levels[i], levels[i - 1], 1, bias=False))
            self._add_block(f"up{i}", levels[i - 1], levels[i - 1])
        self.head = nn.Conv2d(levels[0], OUTPUTS // 2, 1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2)
        self.soft_argmax = SoftArgmax2d()

    def _add_block(self, name: str, maps: int, filters: int) -> None:
        self.add_module(name, nn.Conv2d(maps, filters, 3, padding=1, bias=False))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(filters))

    def _block(self, name: str, x: Tensor) -> Tensor:
        return F.relu(self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x)))

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, self.stem + 1):
            x = self.pool(self._block(f"stem{i}", x))
        skipped = []
        for i in range(1, self.levels + 1):
            x = self._block(f"down{i}b", self._block(f"down{i}a", x if i == 1 else self.pool(x)))
            skipped.append(x)
        for i in range(self.levels - 1, 0, -1):
            x = self._block(f"up{i}", skipped[i - 1] + self.upsample(self.get_submodule(f"back{i}")(x)))
        return self.soft_argmax(self.head(x))


class FinderNet(Twin):
    """The twin of `numpynet.FinderNet`: images (N, 1, H, W) -> (N, 6, H / 8, W / 8).

    size: height and width of the images it learns from; stem: filters of each convolution that a pool follows; body:
    filters of the others, each with x added to its result if the number of maps stays the same.
    """

    def __init__(
        self, size: int = 128, stem: Sequence[int] = (8, 16, 32), body: Sequence[int] = (64, 64, 64, 64)
    ) -> None:
        super().__init__()
        self.stem, self.body = len(stem), len(body)
        maps = 1
        for name, widths in (("stem", stem), ("body", body)):
            for i, filters in enumerate(widths, 1):
                self.add_module(f"{name}{i}", nn.Conv2d(maps, filters, 3, padding=1, bias=False))
                self.add_module(f"{name}{i}_bn", nn.BatchNorm2d(filters))
                maps = filters
        self.head = nn.Conv2d(maps, 6, 1)
        self.pool = nn.MaxPool2d(2)

    def _block(self, name: str, x: Tensor) -> Tensor:
        return F.relu(self.get_submodule(f"{name}_bn")(self.get_submodule(name)(x)))

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, self.stem + 1):
            x = self.pool(self._block(f"stem{i}", x))
        for i in range(1, self.body + 1):
            out = self._block(f"body{i}", x)
            x = x + out if out.shape == x.shape else out
        return self.head(x)


class SoftArgmax2d(nn.Module):
    """The twin of `numpynet.SoftArgmax2d`; autograd provides the derivative."""

    def forward(self, x: Tensor) -> Tensor:
        share = torch.softmax(x.flatten(2), dim=2).view_as(x)
        columns = torch.einsum("nkhw,w->nk", share, self._places(x, 3))
        rows = torch.einsum("nkhw,h->nk", share, self._places(x, 2))
        return torch.stack([columns, rows], dim=2).flatten(1)

    @staticmethod
    def _places(x: Tensor, axis: int) -> Tensor:
        half = 1 / x.shape[axis]
        return torch.linspace(half - 1, 1 - half, x.shape[axis], dtype=x.dtype)


ARCHITECTURES: dict[str, type[Twin]] = {"KeypointNet": Net, "HourglassNet": HourglassNet, "FinderNet": FinderNet}
"""The networks by their names in weights files and recipes."""


def as_tensors(state: Mapping[str, AnyArray], *, share: bool = False) -> dict[str, Tensor]:
    """Arrays as tensors of the same names; copies, unless `share` is True and the array is writeable."""
    return {
        name: torch.from_numpy(array) if share and array.flags.writeable else torch.tensor(array)
        for name, array in ((name, np.asarray(array)) for name, array in state.items())
    }


def as_arrays(state: Mapping[str, Tensor]) -> dict[str, AnyArray]:
    """Tensors as arrays of the same names, for `numpynet.checkpoint.save_weights`. Memory is shared."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
