"""SGD: a step against the gradient, with momentum if wanted."""

import numpy as np

from numpynet.checks import FLOATS, arrays_of, number, of_shape, same_dtype, writeable
from numpynet.typing import Array


def sgd_update(
    param: Array,
    grad: Array,
    velocity: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> Array | None:
    """One step of stochastic gradient descent, element by element::

        g = grad + weight_decay param
        v = g at the first step, momentum v + (1 - dampening) g afterwards
        d = g + momentum v if nesterov, else v                  (d = g without momentum)
        param = param - lr d

    Shapes: all arrays alike. `param` is changed in place. The velocity v is returned (None without momentum), to be
    given at the next step; at the first step `velocity` is None.

    ValueError, with nothing changed, if a shape or dtype differs, `param` is read-only, or one of the rule's numbers
    is out of its range.

    As torch.optim.SGD: the learning rate multiplies the velocity; Sutskever et al. 2013 put it inside v.
    """
    check_rule("sgd_update", lr, momentum, dampening, weight_decay)
    arrays_of(FLOATS, "sgd_update", param=param, grad=grad)
    same_dtype("sgd_update", param=param, grad=grad, velocity=velocity)
    of_shape(param.shape, "sgd_update", grad=grad, velocity=velocity)
    writeable("sgd_update", param=param)
    g = grad + weight_decay * param if weight_decay else np.asanyarray(grad)
    if not momentum:
        param -= lr * g
        return None
    v = g.copy() if velocity is None else momentum * velocity + (1 - dampening) * g
    param -= lr * (g + momentum * v if nesterov else v)
    return v


def check_rule(name: str, lr: float, momentum: float, dampening: float, weight_decay: float) -> None:
    """ValueError, beginning with `name`, if one of the rule's numbers is out of its range."""
    number(lr, f"{name}: lr", least=0)
    number(momentum, f"{name}: momentum", least=0)
    number(dampening, f"{name}: dampening")
    number(weight_decay, f"{name}: weight_decay", least=0)
