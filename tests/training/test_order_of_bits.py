"""The same seed gives the same weights, bit for bit, in a fresh process, whatever was computed before."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib, sys
import numpy as np
from numpynet import Adam, KeypointNet, SmoothL1Loss
from numpynet.training import Trainer

if sys.argv[1] == "busy":  # draws, trains and allocates other things first
    np.random.default_rng().random(1000)
    np.random.seed(3)
    other = KeypointNet(24, (2, 3), (7,), padding=1, rng=9)
    for _ in range(2):
        other.backward(*[other.forward(np.ones((3, 1, 24, 24), np.float32))[i] for i in (0, 1)])
    junk = [np.full(n, np.nan) for n in (10, 1000, 100000)]
    del junk

seed, steps = int(sys.argv[2]), int(sys.argv[3])
net = KeypointNet(32, (4, 6), (16, 8), padding=1, dropout=0.4, rng=seed)
trainer = Trainer(net, SmoothL1Loss(), Adam(net.parameters(), lr=1e-3))
data = np.random.default_rng(5)
for _ in range(steps):
    images, targets = data.random((4, 1, 32, 32), np.float32), data.standard_normal((4, 136)).astype(np.float32)
    trainer.train_step(images, targets)
digest = hashlib.sha256()
for name, array in sorted(trainer.state_dict().items()):
    digest.update(name.encode() + array.tobytes())
print(digest.hexdigest())
"""


def digest(mode, seed=0, steps=8, threads=1):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", SCRIPT, mode, str(seed), str(steps)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.strip()


@pytest.mark.parametrize("threads", [1, 2])
def test_two_processes_reach_the_same_bits(threads):
    assert digest("fresh", threads=threads) == digest("busy", threads=threads)


def test_another_seed_or_one_more_step_gives_other_bits():
    assert len({digest("fresh"), digest("fresh", seed=1), digest("fresh", steps=9)}) == 3
