"""The part of a recipe about learning: the loss, the optimizer, its learning rate, and the number of epochs."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self, get_args

from fkp_app.tables import Share, Within

Rate = Annotated[float, Within(1e-9, 10)]
MOST_BATCH = 1 << 16
"""The most images in a batch, all of which are in memory."""


@dataclass(frozen=True)
class SmoothL1:
    """numpynet.losses.SmoothL1Loss."""

    name: Literal["smooth_l1"] = "smooth_l1"
    beta: Annotated[float, Within(0)] = 1.0


@dataclass(frozen=True)
class L1:
    """numpynet.losses.L1Loss."""

    name: Literal["l1"] = "l1"


@dataclass(frozen=True)
class MSE:
    """numpynet.losses.MSELoss."""

    name: Literal["mse"] = "mse"


@dataclass(frozen=True)
class Wing:
    """numpynet.losses.WingLoss."""

    name: Literal["wing"] = "wing"
    w: Annotated[float, Within(1e-6)] = 0.2
    eps: Annotated[float, Within(1e-6)] = 0.05


@dataclass(frozen=True)
class Adam:
    """numpynet.optim.Adam."""

    name: Literal["adam"] = "adam"
    lr: Rate = 1e-3


@dataclass(frozen=True)
class AdamW:
    """numpynet.optim.AdamW."""

    name: Literal["adamw"] = "adamw"
    lr: Rate = 1e-3
    weight_decay: Share = 1e-2


@dataclass(frozen=True)
class Constant:
    """numpynet.schedules.constant."""

    name: Literal["constant"] = "constant"


@dataclass(frozen=True)
class OneCycle:
    """numpynet.schedules.one_cycle; the optimizer's lr is the schedule's highest rate."""

    name: Literal["one_cycle"] = "one_cycle"
    warmup: Share = 0.3
    div_factor: Annotated[float, Within(1)] = 25.0
    final_div_factor: Annotated[float, Within(1)] = 1e4


@dataclass(frozen=True)
class Cosine:
    """numpynet.schedules.cosine; the optimizer's lr is the schedule's highest rate."""

    name: Literal["cosine"] = "cosine"
    warmup: Share = 0.05
    min_lr: Annotated[float, Within(0, 10)] = 0.0


Loss = SmoothL1 | L1 | MSE | Wing
Optimizer = Adam | AdamW
Schedule = Constant | OneCycle | Cosine

LOSSES: dict[str, type[Loss]] = {loss.name: loss for loss in get_args(Loss)}
"""The losses by the names that recipes and --loss give them."""


@dataclass(frozen=True)
class Training:
    """How a network learns.

    average: the decay of the running mean of the weights, which is then validated and kept; 0 for none.
    validate_every: validate after every this many epochs, and after the last. patience: stop if this many epochs after
    the best one bring no better; 0 for never. The optimizer's lr is the rate that the schedule scales.
    """

    epochs: Annotated[int, Within(1)]
    batch_size: Annotated[int, Within(2, MOST_BATCH)]  # batch norm needs two
    loss: Loss = SmoothL1()
    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant()
    average: Annotated[float, Within(0, 0.99999)] = 0.0
    validate_every: Annotated[int, Within(1)] = 1
    patience: Annotated[int, Within(0)] = 0

    def with_options(
        self,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        loss: str | None = None,
    ) -> Self:
        """These settings with the given ones in their place. A different loss gets its default arguments."""
        return replace(
            self,
            epochs=self.epochs if epochs is None else epochs,
            batch_size=self.batch_size if batch_size is None else batch_size,
            optimizer=self.optimizer if lr is None else replace(self.optimizer, lr=lr),
            loss=self.loss if loss in (None, self.loss.name) else LOSSES[loss](),
        )
