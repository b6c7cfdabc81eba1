"""A practitioner's first checks, on drawn faces with both backends: the first loss is as computed by hand, a few
samples can be learned by heart, and shuffled labels are learned worse than true ones."""

import numpy as np
import pytest

from fkp_app.data.dataset import load_split
from fkp_app.data.transforms import Compose, FaceCrop, Normalize, ToTensor
from fkp_app.geometry.framing import Framing
from fkp_app.training.learning import Adam
from fkp_app.training.recipe import Network, Training
from fkp_app.training.trainers import get_trainer
from numpynet.functional import smooth_l1_loss

SIZE = 48
SMALL = {"size": SIZE, "channels": [8, 16, 32], "hidden": [64], "padding": 1, "dropout": 0.0}
BACKENDS = ["numpy", pytest.param("torch", marks=pytest.mark.torch)]


@pytest.fixture(scope="module")
def faces(drawn_data):
    """Six jittered crops of each face: images (n, 1, 48, 48), and targets (n, 136) in quarters of the crop."""
    jitter = FaceCrop(Framing("face", SIZE, 1.4), rng=1, rotate=15, scale=0.1, shift=0.1)
    dataset = load_split(drawn_data, "training", Compose([jitter, Normalize(SIZE / 2, SIZE / 4), ToTensor()]))
    samples = [dataset[i] for _ in range(6) for i in range(len(dataset))]
    return np.stack([s["image"] for s in samples]), np.stack([s["keypoints"].ravel() for s in samples])


def small_trainer(backend, lr):
    """Adam at a constant rate, and SmoothL1."""
    training = Training(epochs=1, batch_size=10, optimizer=Adam(lr=lr))
    return get_trainer(backend, Network("KeypointNet", SMALL), training, steps=200, seed=0)


def train(trainer, images, targets, steps):
    return [trainer.train_step(images, targets) for _ in range(steps)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_initial_loss_follows_from_the_initialisation(backend, faces):
    """Outputs do not depend on the targets yet, so the loss is that of the answer zero plus half the outputs' variance.

    The last layer's weights are uniform within ± 1 / sqrt(fan_in), variance 1 / (3 fan_in), and its inputs,
    standardised and cut off at zero, have a mean square of 1/2: E[out^2] = 1/6, and 1 / (3 fan_in) for the bias.
    """
    images, targets = faces
    trainer = small_trainer(backend, 1e-3)
    zero = float(smooth_l1_loss(np.zeros_like(targets), targets)[0])
    variance = 1 / 6 + 1 / (3 * SMALL["hidden"][0])
    assert train(trainer, images, targets, 1)[0] == pytest.approx(zero + variance / 2, rel=0.1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ten_samples_are_learned_by_heart(backend, faces):
    images, targets = faces[0][:10], faces[1][:10]
    trainer = small_trainer(backend, 3e-3)
    losses = train(trainer, images, targets, 150)
    assert losses[-1] < 1e-4 < 0.1 < losses[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_shuffled_labels_are_learned_worse(backend, faces):
    images, targets = faces
    shuffled = np.random.default_rng(0).permutation(targets)
    half = len(images) // 2
    errors = []
    for labels in (targets, shuffled):
        trainer = small_trainer(backend, 3e-3)
        train(trainer, images[:half], labels[:half], 40)
        trainer.train(False)
        errors.append(float(smooth_l1_loss(trainer.predict(images[half:]), targets[half:])[0]))
    assert errors[0] < 0.7 * errors[1]
