"""Criteria: each gives the loss to minimise, and dL/dout, which starts the backward pass."""

from collections.abc import Callable

from numpynet.checks import number
from numpynet.dispatch import F
from numpynet.functional.losses import Reduction, checked_reduction
from numpynet.typing import Array


class MSELoss:
    """Mean squared error (torch.nn.MSELoss). reduction: "mean" divides by the number of elements, "sum" does not."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = checked_reduction("MSELoss", reduction)

    def __call__(self, out: Array, target: Array) -> tuple[float, Array]:
        """The loss and dL/dout, of out's shape. ValueError if the shapes differ."""
        loss, cache = F.mse_loss(out, target, self.reduction)
        return float(loss), F.mse_loss_backward(1.0, cache)


class SmoothL1Loss:
    """Squared below `beta`, absolute above (torch.nn.SmoothL1Loss); `reduction` as in MSELoss."""

    def __init__(self, reduction: Reduction = "mean", beta: float = 1.0) -> None:
        self.reduction = checked_reduction(type(self).__name__, reduction)
        self.beta = number(beta, "SmoothL1Loss: beta", least=0)

    def __call__(self, out: Array, target: Array) -> tuple[float, Array]:
        """The loss and dL/dout, of out's shape. ValueError if the shapes differ."""
        loss, cache = F.smooth_l1_loss(out, target, self.reduction, self.beta)
        return float(loss), F.smooth_l1_loss_backward(1.0, cache)


class L1Loss(SmoothL1Loss):
    """Mean absolute error (torch.nn.L1Loss), which is SmoothL1Loss with beta 0; `reduction` as in MSELoss."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__(reduction, beta=0.0)


class WingLoss:
    """Logarithmic below `w`, absolute above (Feng et al. 2018); `reduction` as in MSELoss.

    The slope falls from w / eps at zero to w / (eps + w) at w. `functional.wing_loss` names the units that the
    defaults are for.
    """

    def __init__(self, reduction: Reduction = "mean", w: float = 0.2, eps: float = 0.05) -> None:
        self.reduction = checked_reduction("WingLoss", reduction)
        self.w = number(w, "WingLoss: w", above=0)
        self.eps = number(eps, "WingLoss: eps", above=0)

    def __call__(self, out: Array, target: Array) -> tuple[float, Array]:
        """The loss and dL/dout, of out's shape. ValueError if the shapes differ."""
        loss, cache = F.wing_loss(out, target, self.reduction, self.w, self.eps)
        return float(loss), F.wing_loss_backward(1.0, cache)


class FocalLoss:
    """Binary cross entropy of logits in which easy elements hardly count (Lin et al. 2017); `reduction` as in MSELoss.

    gamma: 0 for plain binary cross entropy.
    """

    def __init__(self, reduction: Reduction = "mean", gamma: float = 2.0) -> None:
        self.reduction = checked_reduction("FocalLoss", reduction)
        self.gamma = number(gamma, "FocalLoss: gamma", least=0)

    def __call__(self, out: Array, target: Array, weight: Array | None = None) -> tuple[float, Array]:
        """The loss and dL/dout. target: 0 or 1; weight: of each element. ValueError if the shapes differ."""
        loss, cache = F.focal_loss(out, target, weight, self.reduction, self.gamma)
        return float(loss), F.focal_loss_backward(1.0, cache)


Criterion = Callable[[Array, Array], tuple[float, Array]]
"""Takes outputs and targets, and returns the loss and dL/doutputs, as the criteria above do."""
