"""The moving average of a network's weights: it evaluates better than the weights of any one step."""

import copy
from collections.abc import Mapping

import numpy as np

from numpynet.checks import MOST_STEPS, number, whole
from numpynet.lines import in_line
from numpynet.module import Module
from numpynet.typing import AnyArray, Array
from numpynet.workers import run

BLOCK = 1 << 16
"""How many numbers are moved at a time: their temporaries stay in the processor's cache."""


class WeightAverage:
    """The exponential moving average of the parameters and running statistics of `net`::

        average = decay average + (1 - decay) weights = average + (1 - decay) (weights - average)

    after each optimizer step. The first `update` copies the weights; counts (int64) are always copied.

    decay: how much of the average is kept: it looks back over about 1 / (1 - decay) steps.
    warmup: at the update that follows t others keep min(decay, (1 + t) / (10 + t)), as TensorFlow's
        ExponentialMovingAverage with `num_updates`; without it the first weights would weigh far too long.

    Polyak and Juditsky 1992. With `warmup` False it is torch.optim.swa_utils.AveragedModel with
    get_ema_multi_avg_fn(decay) and use_buffers=True (which averages counts as well, and cuts off their fractions).
    """

    def __init__(self, net: Module, decay: float = 0.999, warmup: bool = True) -> None:
        self.source = net
        self.net = copy.deepcopy(net).eval()
        """The network of the averaged weights, to evaluate with: the one that learns is not disturbed."""
        self.decay = number(decay, "WeightAverage: decay", least=0, below=1)
        self.warmup = warmup
        self.updates = 0

    def update(self) -> None:
        """Take the present weights in. ValueError, with nothing changed, where one has got another shape."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warmup else self.decay
        weights = self.source.state_dict()
        for key, average in self.net.state_dict().items():
            if weights[key].shape != average.shape:
                got = f"{key} must have shape {average.shape}, got {weights[key].shape}"
                raise ValueError(f"WeightAverage: {got}; average the changed network anew")
        done = set()
        for key, average in self.net.state_dict().items():
            if id(average) in done:  # a layer under two names
                continue
            done.add(id(average))
            if self.updates and average.dtype.kind == "f":
                with in_line(average) as line:
                    _approach(line, weights[key].reshape(-1), 1 - keep)
            else:
                np.copyto(average, weights[key])
        self.updates += 1

    def state_dict(self) -> dict[str, AnyArray]:
        """The averaged arrays under the network's keys: the arrays themselves, not copies. `updates` goes with them."""
        return self.net.state_dict()

    def load_state_dict(self, state: Mapping[str, AnyArray], updates: int) -> None:
        """Copy in the averaged arrays after so many `updates`; 0 to begin anew. ValueError where they do not fit."""
        updates = whole(updates, "WeightAverage: updates", 0, MOST_STEPS)
        self.net.load_state_dict(state)
        self.updates = updates


def _approach(average: Array, weights: Array, share: float) -> None:
    """Move `average` (size,), in place, by this share of its way to `weights` (size,)."""

    def block(i: int) -> None:
        part = slice(i * BLOCK, (i + 1) * BLOCK)
        way = weights[part] - average[part]
        way *= share
        average[part] += way

    run(block, -(-average.size // BLOCK))
