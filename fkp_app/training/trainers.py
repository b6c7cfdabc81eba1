"""Trainers: a network with the loss, optimizer and schedule of a recipe, for either backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fkp_app.backends.predictor import SHIPPED_WEIGHTS, check_backend, reference_module
from fkp_app.errors import UsageError
from fkp_app.training import learning
from numpynet.checkpoint import load_net
from numpynet.fuse import fuse
from numpynet.typing import AnyArray

if TYPE_CHECKING:
    from fkp_app.training.recipe import Network, Recipe, Training
    from numpynet.losses import Criterion
    from numpynet.parallel import Group
    from numpynet.schedules import Schedule
    from numpynet.training import AnyTrainer

SHIPPED = "shipped"
"""The name of the shipped weights as weights to start with."""


def get_trainer(
    backend: str,
    network: Network,
    training: Training,
    *,
    steps: int,
    seed: int,
    fused: bool = False,
    initial: dict[str, AnyArray] | None = None,
    group: Group | None = None,
    sync_batch_norm: bool = False,
) -> AnyTrainer:
    """A trainer of the recipe's network, with its loss, optimizer and schedule.

    Both backends begin with the same weights: those of the state dict `initial`, or, if it is None, weights that
    numpynet draws from `seed`. steps: the number of steps of the whole training, for the schedule. fused: whether
    numpynet fuses the network's layers. group: the processes that train together; sync_batch_norm: whether batch norm
    sees the parts of all. UsageError if the backend is unknown, not installed or cannot train.
    """
    from numpynet.architectures import build
    from numpynet.averaging import WeightAverage
    from numpynet.optim import Adam, AdamW
    from numpynet.parallel import ParallelTrainer, synchronised
    from numpynet.training import Trainer

    if check_backend(backend) == "onnx":
        raise UsageError("--backend onnx cannot train; use numpy or torch, and `fkp export` afterwards")
    net = build(network.architecture, network.arguments, rng=seed)
    if initial is not None:
        net.load_state_dict(initial)
    schedule, rule = _schedule(training, steps), _arguments(training.optimizer)
    if backend == "torch":
        torch_trainer: AnyTrainer = reference_module("training").make_trainer(
            net.state_dict(),
            network.arguments,
            training.loss.name,
            seed=seed,
            architecture=network.architecture,
            loss_arguments=_arguments(training.loss),
            schedule=schedule,
            average_decay=training.average or None,
            **rule,
        )
        return torch_trainer
    if group is not None and sync_batch_norm:
        synchronised(net, group)
    trained = fuse(net, input_gradient=False) if fused else net
    optimizer = (Adam if isinstance(training.optimizer, learning.Adam) else AdamW)(net.parameters(), **rule)
    average = WeightAverage(trained, training.average) if training.average else None
    everything = trained, get_criterion(training.loss), optimizer, schedule, average
    return Trainer(*everything) if group is None else ParallelTrainer(*everything, group)


def initial_weights(start: str | None, recipe: Recipe) -> dict[str, AnyArray] | None:
    """The state dict of the recipe's network in the file that --start names; None without --start.

    "shipped" names the shipped weights.
    """
    if start is None:
        return None
    net, card = load_net(SHIPPED_WEIGHTS if start == SHIPPED else Path(start))
    network = recipe.network
    if (card.architecture, card.arguments) != (network.architecture, network.arguments):
        raise UsageError(
            f"--start {start}: is a {card.architecture} with arguments {card.arguments}; the recipe's network is a "
            f"{network.architecture} with {network.arguments}"
        )
    return net.state_dict()


def get_criterion(loss: learning.Loss) -> Criterion:
    """numpynet's criterion for a recipe's loss."""
    from numpynet.losses import L1Loss, MSELoss, SmoothL1Loss, WingLoss

    criteria: dict[type, Callable[..., Criterion]]
    criteria = {learning.SmoothL1: SmoothL1Loss, learning.L1: L1Loss, learning.MSE: MSELoss, learning.Wing: WingLoss}
    return criteria[type(loss)](**_arguments(loss))


def _schedule(training: Training, steps: int) -> Schedule:
    """The schedule of a training of this many steps."""
    from numpynet.schedules import constant, cosine, one_cycle

    lr, arguments = training.optimizer.lr, _arguments(training.schedule)
    if isinstance(training.schedule, learning.Constant):
        return constant(lr)
    return (one_cycle if isinstance(training.schedule, learning.OneCycle) else cosine)(lr, steps, **arguments)


def _arguments(choice: Any) -> dict[str, Any]:
    """The arguments that a recipe gives a loss, an optimizer or a schedule: all its fields without the name."""
    return {name: value for name, value in asdict(choice).items() if name != "name"}
