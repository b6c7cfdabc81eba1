"""Who trains: a network, and all that a recipe says of how it learns, with either backend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fkp_app.backends.predictor import check_backend, reference_module
from fkp_app.errors import UsageError
from numpynet.fuse import fuse
from numpynet.typing import AnyArray

if TYPE_CHECKING:
    from fkp_app.training.learning import Loss
    from fkp_app.training.recipe import Network, Training
    from numpynet.losses import Criterion
    from numpynet.schedules import Schedule
    from numpynet.training import AnyTrainer


def get_trainer(
    backend: str,
    network: Network,
    training: Training,
    *,
    steps: int,
    seed: int,
    fused: bool = False,
    initial: dict[str, AnyArray] | None = None,
) -> AnyTrainer:
    """A network, and all that a recipe says of how it learns.

    Both backends begin with the same weights: numpynet draws them, unless `initial`, a state dict, is given. steps: how
    many the whole training will have, for the schedule. fused: whether numpynet fuses the network's layers. UsageError
    as in `get_predictor`.
    """
    from numpynet.architectures import build
    from numpynet.averaging import WeightAverage
    from numpynet.optim import Adam, AdamW
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
    trained = fuse(net, input_gradient=False) if fused else net
    optimizer = (Adam if training.optimizer.name == "adam" else AdamW)(net.parameters(), **rule)
    average = WeightAverage(trained, training.average) if training.average else None
    return Trainer(trained, get_criterion(training.loss), optimizer, schedule, average)


def get_criterion(loss: Loss) -> Criterion:
    """What a recipe's loss is in numpynet."""
    from numpynet.losses import L1Loss, MSELoss, SmoothL1Loss, WingLoss

    criteria: dict[str, Callable[..., Criterion]]
    criteria = {"smooth_l1": SmoothL1Loss, "l1": L1Loss, "mse": MSELoss, "wing": WingLoss}
    return criteria[loss.name](**_arguments(loss))


def _schedule(training: Training, steps: int) -> Schedule:
    """The learning rate of each of so many steps."""
    from numpynet.schedules import constant, cosine, one_cycle

    lr, arguments = training.optimizer.lr, _arguments(training.schedule)
    if training.schedule.name == "constant":
        return constant(lr)
    return (one_cycle if training.schedule.name == "one_cycle" else cosine)(lr, steps, **arguments)


def _arguments(choice: Any) -> dict[str, Any]:
    """What a recipe gives beside the name of a loss, an optimizer or a schedule."""
    return {name: value for name, value in asdict(choice).items() if name != "name"}
