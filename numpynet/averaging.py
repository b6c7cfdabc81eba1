"""The moving average of a network's weights, which scores better in evaluation than the weights of any one step."""

import copy
from collections.abc import Mapping

import numpy as np

from numpynet.checks import MOST_STEPS, number, whole
from numpynet.dispatch import ops
from numpynet.module import Module
from numpynet.typing import AnyArray


class WeightAverage:
    """The exponential moving average of the parameters and running statistics of `net`::

        average = decay average + (1 - decay) weights = average + (1 - decay) (weights - average)

    after each optimizer step. The first `update` copies the weights; counts (int64) are always copied.

    decay: the share of the average that an update keeps: the average covers about the last 1 / (1 - decay) steps.
    warmup: after t updates, the next one keeps min(decay, (1 + t) / (10 + t)), as TensorFlow's
        ExponentialMovingAverage with `num_updates`. Without it the first weights would count for far too long.

    Polyak and Juditsky 1992. With `warmup` False it is torch.optim.swa_utils.AveragedModel with
    get_ema_multi_avg_fn(decay) and use_buffers=True (which also averages counts, and cuts off their fractions).
    """

    def __init__(self, net: Module, decay: float = 0.999, warmup: bool = True) -> None:
        self.source = net
        self.net = copy.deepcopy(net).eval()
        """The network of the averaged weights, to evaluate with; evaluating leaves the network that learns alone."""
        self.decay = number(decay, "WeightAverage: decay", least=0, below=1)
        self.warmup = warmup
        self.updates = 0

    def update(self) -> None:
        """Include the present weights. ValueError, with nothing changed, if one has another shape than before."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        weights = self.source.state_dict()
        for key, average in self.net.state_dict().items():
            if weights[key].shape != average.shape:
                got = f"{key} must have shape {average.shape}, got {weights[key].shape}"
                raise ValueError(f"WeightAverage: {got}; average the changed network anew")
        done = set()
        for key, average in self.net.state_dict().items():
            if id(average) in done:  # a layer with two names
                continue
            done.add(id(average))
            if self.updates and average.dtype.kind == "f":
                ops().average_update(average, weights[key], 1 - keep)
            else:
                np.copyto(average, weights[key])
        self.updates += 1

    def state_dict(self) -> dict[str, AnyArray]:
        """The averaged arrays by the network's keys: the arrays themselves, not copies. Save `updates` with them."""
        return self.net.state_dict()

    def load_state_dict(self, state: Mapping[str, AnyArray], updates: int) -> None:
        """Copy in averaged arrays, made by `updates` updates; 0 starts anew. ValueError if they do not fit."""
        updates = whole(updates, "WeightAverage: updates", 0, MOST_STEPS)
        self.net.load_state_dict(state)
        self.updates = updates
