"""What the tests of stopped and failed runs share."""

import signal

from numpynet.training import StepEvent, Trainer
from tests.app.commands.test_train_command import rows, same_checkpoints

STEPS = 4
"""Of an epoch of the small recipe on the drawn data."""
NUMBERS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def stopped_after(run, steps):
    """Train so many steps of the run, and save."""
    for event in run.fit():
        if isinstance(event, StepEvent) and len(run.history.steps) == steps:
            break
    run.save()


def same_runs(one, two):
    same_checkpoints(one, two)
    assert (one / "steps.csv").read_text() == (two / "steps.csv").read_text()
    assert (one / "weights.safetensors").read_bytes() == (two / "weights.safetensors").read_bytes()


def columns(path):
    """metrics.csv without the seconds."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows(path)]


def spoiled_at(monkeypatch, step, key):
    """Fill an array of the network so that its layer overflows in that step."""
    train_step = Trainer.train_step

    def spoiling(trainer, images, targets):
        if trainer.steps_done == step - 1:
            trainer.net.state_dict()[key][...] = 3e38
        return train_step(trainer, images, targets)

    monkeypatch.setattr(Trainer, "train_step", spoiling)


def failing_at(monkeypatch, step, fail):
    """Call `fail` before that step of the training."""
    train_step = Trainer.train_step

    def failing(trainer, images, targets):
        if trainer.steps_done == step - 1:
            fail()
        return train_step(trainer, images, targets)

    monkeypatch.setattr(Trainer, "train_step", failing)
