"""Linear: every output is a weighted sum of every input."""

from typing import NamedTuple

from numpynet.checks import FLOATS, arrays_of, of_shape, same_dtype
from numpynet.functional.arguments import of_forward, of_output
from numpynet.typing import Array


class LinearCache(NamedTuple):
    """What `linear_backward` needs."""

    x: Array  # (N, I), for dweight
    weight: Array  # (O, I), for dx
    has_bias: bool


def linear(x: Array, weight: Array, bias: Array | None = None) -> tuple[Array, LinearCache]:
    """out = x weight^T + bias.

    Shapes: x (N, I); weight (O, I); bias (O,) or None; out (N, O).

    Backward, element by element, from out[n, o] = sum_i x[n, i] weight[o, i] + bias[o]::

        dx[n, i]      = sum_o dout[n, o] weight[o, i]     every output that x[n, i] is part of
        dweight[o, i] = sum_n dout[n, o] x[n, i]          every image that used weight[o, i]
        dbias[o]      = sum_n dout[n, o]

    As matrices. A product A B sums over the last index of A and the first of B; a transpose moves the summed index
    to where the product needs it::

        last of A, last of B      A B^T    out     = x weight^T      summed over i
        last of A, first of B     A B      dx      = dout weight     summed over o: no transpose
        first of A, first of B    A^T B    dweight = dout^T x        summed over n

    The cache holds x and weight: the gradient of each is made of the other.

    As in PyTorch (torch.nn.functional.linear), weight is stored (outputs, inputs). Unlike there, x has two axes.
    """
    arrays_of(FLOATS, "linear", x=x, weight=weight)
    if weight.ndim != 2:
        raise ValueError(f"linear: weight must have shape (O, I), got {weight.shape}")
    if x.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"linear: x must have shape (N, {weight.shape[1]}), got {x.shape}")
    of_shape(weight.shape[:1], "linear", bias=bias)
    same_dtype("linear", x=x, weight=weight, bias=bias)
    out = x @ weight.T  # (N, I) @ (I, O) -> (N, O)
    if bias is not None:
        out += bias
    return out, LinearCache(x, weight, bias is not None)


def linear_backward(dout: Array, cache: LinearCache) -> tuple[Array, Array, Array | None]:
    """Gradients of `linear`: dx (N, I), dweight (O, I), dbias (O,) or None, for dout (N, O)."""
    of_forward("linear_backward", cache, LinearCache)
    of_output("linear_backward", dout, (len(cache.x), len(cache.weight)))
    dx = dout @ cache.weight  # (N, O) @ (O, I) -> (N, I)
    dweight = dout.T @ cache.x  # (O, N) @ (N, I) -> (O, I)
    dbias = dout.sum(axis=0) if cache.has_bias else None  # (N, O) -> (O,)
    return dx, dweight, dbias
