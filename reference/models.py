"""KeypointNet in PyTorch: same arguments, same parameter names, same printed form."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from numpynet.models import COMPACT, NET
from numpynet.typing import AnyArray

OUTPUTS = 136  # x and y of 68 keypoints


class Net(nn.Module):
    """The twin of `numpynet.KeypointNet`: images (N, 1, size, size) -> (N, 136).

    size: height and width of the images in pixels; channels: filters of each convolution; hidden: outputs of each
    hidden linear layer; padding: of every convolution; dropout: the share that is forgotten after a hidden layer.
    """

    def __init__(
        self,
        size: int = NET["size"],
        channels: Sequence[int] = NET["channels"],
        hidden: Sequence[int] = NET["hidden"],
        padding: int = NET["padding"],
        dropout: float = NET["dropout"],
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
    def compact(cls, **arguments: Any) -> Self:
        """The compact sibling, with the defaults of `numpynet.KeypointNet.compact`."""
        return cls(**{**COMPACT, **arguments})

    @classmethod
    def from_state(cls, state: Mapping[str, AnyArray], arguments: Mapping[str, Any], *, share: bool = False) -> Self:
        """A net of these constructor `arguments` and the weights `state`, without drawing weights in vain.

        share: use the arrays' own memory instead of a copy of it. What changes one side then changes the other:
        for prediction only. RuntimeError where names or shapes do not fit.
        """
        with torch.device("meta"):  # tensors without memory: nothing is drawn, nothing is allocated
            net = cls(**arguments)
        net.load_state_dict(as_tensors(state, share=share), assign=True)
        return net

    def __repr__(self) -> str:
        # From 2.13 on PyTorch prints one more argument of batch norm; the printed form stays what it was before.
        return super().__repr__().replace("affine=True, bias=True", "affine=True")

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, self.blocks + 1):
            conv, bn = self.get_submodule(f"conv{i}"), self.get_submodule(f"conv{i}_bn")
            x = self.pool(F.relu(bn(conv(x))))
        x = torch.flatten(x, 1)
        for i in range(1, self.hidden_layers + 1):
            fc, bn = self.get_submodule(f"fc{i}"), self.get_submodule(f"fc{i}_bn")
            x = self.dropout(F.relu(bn(fc(x))))
        return self.get_submodule(f"fc{self.hidden_layers + 1}")(x)


def as_tensors(state: Mapping[str, AnyArray], *, share: bool = False) -> dict[str, Tensor]:
    """Arrays as tensors, name by name; copies, unless `share` and the array can be written to."""
    return {
        name: torch.from_numpy(array) if share and array.flags.writeable else torch.tensor(array)
        for name, array in ((name, np.asarray(array)) for name, array in state.items())
    }


def as_arrays(state: Mapping[str, Tensor]) -> dict[str, AnyArray]:
    """Tensors as arrays, name by name: what `numpynet.checkpoint.save_weights` takes. Memory is shared."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
