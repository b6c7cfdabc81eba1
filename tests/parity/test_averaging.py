"""WeightAverage beside torch.optim.swa_utils.AveragedModel, over updates of a small network."""

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from numpynet import KeypointNet, WeightAverage
from reference.models import Net
from reference.training import weight_average
from tests.parity.helper import both_dtypes, compare, seeded

ARGUMENTS = {"size": 16, "channels": (2, 3), "hidden": (5,), "padding": 1}


def both(dtype):
    """A network and its PyTorch twin with the same weights."""
    net = KeypointNet(**ARGUMENTS, rng=0).astype(dtype)
    return net, Net.from_state(net.state_dict(), ARGUMENTS)


def move(net, twin, rng):
    """Change weights and statistics by the same amounts on both sides."""
    for array in net.state_dict().values():
        array += 1 if array.dtype == np.int64 else rng.standard_normal(array.shape).astype(array.dtype)
    twin.load_state_dict({key: torch.from_numpy(array) for key, array in net.state_dict().items()})


def compare_averages(average, theirs, counts):
    wanted = theirs.module.state_dict()
    assert list(average.net.state_dict()) == list(wanted)
    assert average.updates == theirs.n_averaged
    for key, array in average.net.state_dict().items():
        if counts or array.dtype != np.int64:
            compare("WeightAverage", "output", key, array, wanted[key].numpy())


@both_dtypes
@pytest.mark.parametrize("decay", [0.0, 0.3, 0.9, 0.999])
def test_plain(decay, dtype):
    """PyTorch averages the batch counts, too, and truncates them to integers: they are not compared."""
    (net, twin), rng = both(dtype), seeded("plain", decay)
    average = WeightAverage(net, decay, warmup=False)
    theirs = AveragedModel(twin, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    for _ in range(12):
        move(net, twin, rng)
        average.update()
        theirs.update_parameters(twin)
        compare_averages(average, theirs, counts=False)


@both_dtypes
@pytest.mark.parametrize("decay", [0.3, 0.999])
@pytest.mark.parametrize("warmup", [True, False])
def test_the_twin(warmup, decay, dtype):
    (net, twin), rng = both(dtype), seeded("twin", decay)
    average, theirs = WeightAverage(net, decay, warmup), weight_average(twin, decay, warmup)
    for _ in range(12):
        move(net, twin, rng)
        average.update()
        theirs.update_parameters(twin)
        compare_averages(average, theirs, counts=True)
