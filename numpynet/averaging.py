"""The moving average of a network's weights. It scores better in evaluation than the weights of any single step."""

import copy
from collections.abc import Mapping

import numpy as np

from numpynet.checks import count, number
from numpynet.dispatch import F
from numpynet.module import Module
from numpynet.typing import AnyArray


class WeightAverage:
    """The exponential moving average of the parameters and running statistics of `net`::

        average = decay average + (1 - decay) weights = average + (1 - decay) (weights - average)

    Call `update` after each optimizer step. The first call copies the weights; counts (int64) are always copied.

    decay: the share of the average that an update keeps; the average covers about the last 1 / (1 - decay) steps.
    warmup: whether update t + 1 keeps only min(decay, (1 + t) / (10 + t)), as TensorFlow's ExponentialMovingAverage
        with `num_updates`. Without it the first weights would count for far too long.

    Source: Polyak and Juditsky 1992. With `warmup` False it equals torch.optim.swa_utils.AveragedModel with
    get_ema_multi_avg_fn(decay) and use_buffers=True, except that PyTorch also averages counts and drops their
    fractions.
    """

    def __init__(self, net: Module, decay: float = 0.999, warmup: bool = True) -> None:
        self.source = net
        self.net = copy.deepcopy(net).eval()
        """A copy of the network, with the averaged weights, for evaluation; `net` can go on training meanwhile."""
        self.decay = number(decay, "WeightAverage: decay", least=0, below=1)
        self.warmup = warmup
        self.updates = 0

    def update(self) -> None:
        """Add the present weights to the average. ValueError, with nothing changed, if a shape differs from before."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        weights = self.source.state_dict()
        for key, average in self.net.state_dict().items():
            if weights[key].shape != average.shape:
                got = f"{key} must have shape {average.shape}, got {weights[key].shape}"
                raise ValueError(f"WeightAverage: {got}; make a new WeightAverage for the changed network")
        done = set()
        for key, average in self.net.state_dict().items():
            if id(average) in done:  # a layer with two names
                continue
            done.add(id(average))
            if self.updates and average.dtype.kind == "f":
                F.average_update(average, weights[key], 1 - keep)
            else:
                np.copyto(average, weights[key])
        self.updates += 1

    def state_dict(self) -> dict[str, AnyArray]:
        """The averaged arrays by "net." and their key in the network, not copied, and the number of "updates" ()."""
        state = {f"net.{key}": array for key, array in self.net.state_dict().items()}
        return state | {"updates": np.array(self.updates, np.int64)}

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Copy the arrays of a `state_dict`. If it has 0 updates, the next `update` copies the weights.

        ValueError, with nothing changed, if an array does not fit, or a key is missing or unknown.
        """
        if "updates" not in state:
            raise ValueError("load_state_dict: missing updates")
        if unknown := [key for key in state if key != "updates" and not key.startswith("net.")]:
            raise ValueError(f"load_state_dict: unknown {unknown[0]}")
        updates = count(state["updates"], "load_state_dict: updates", 0)
        self.net.load_state_dict({key.removeprefix("net."): state[key] for key in state if key != "updates"})
        self.updates = updates
