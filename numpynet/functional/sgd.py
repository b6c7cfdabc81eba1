"""SGD: downhill, with momentum if wanted."""

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

    Shapes: all arrays alike. `param` is changed in place; the velocity v is returned (None without momentum).

    As torch.optim.SGD: the learning rate multiplies the velocity, where Sutskever et al. 2013 put it inside.
    """
    check_rule("sgd_update", lr, momentum, dampening, weight_decay)
    arrays_of(FLOATS, "sgd_update", param=param, grad=grad)
    same_dtype("sgd_update", param=param, grad=grad, velocity=velocity)
    of_shape(param.shape, "sgd_update", grad=grad, velocity=velocity)
    writeable("sgd_update", param=param)
    if weight_decay:
        grad = grad + weight_decay * param
    if not momentum:
        param -= lr * grad
        return None
    velocity = grad.copy() if velocity is None else momentum * velocity + (1 - dampening) * grad
    param -= lr * (grad + momentum * velocity if nesterov else velocity)
    return velocity


def check_rule(name: str, lr: float, momentum: float, dampening: float, weight_decay: float) -> None:
    """ValueError, beginning with `name`, where one of the rule's numbers is out of its range."""
    number(lr, f"{name}: lr", least=0)
    number(momentum, f"{name}: momentum", least=0)
    number(dampening, f"{name}: dampening")
    number(weight_decay, f"{name}: weight_decay", least=0)
