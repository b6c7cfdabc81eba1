"""The Linear layer."""

import numpy as np
from numpy.typing import DTypeLike

from numpynet.checks import FLOATS, arrays_of, whole
from numpynet.dispatch import ops
from numpynet.functional import LinearCache
from numpynet.init import kaiming_uniform
from numpynet.module import Module
from numpynet.parameter import Parameter
from numpynet.typing import Array, Seed


class Linear(Module):
    """x weight^T + bias, x (N, in_features) -> (N, out_features) (torch.nn.Linear).

    weight (out_features, in_features) and bias (out_features,) begin uniform in ±1 / sqrt(in_features), drawn
    from `rng`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        rng: Seed = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.in_features = in_features = whole(in_features, "Linear: in_features")
        self.out_features = out_features = whole(out_features, "Linear: out_features")
        self.weight = Parameter(kaiming_uniform((out_features, in_features), in_features, rng, dtype))
        self.bias = Parameter(kaiming_uniform((out_features,), in_features, rng, dtype)) if bias else None

    def forward(self, x: Array) -> tuple[Array, LinearCache]:
        arrays_of(FLOATS, self, x=x)
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ValueError(f"{self}: x must have shape (N, {self.in_features}), got {x.shape}")
        return ops().linear(x, self.weight.data, None if self.bias is None else self.bias.data)

    def backward(self, dout: Array, cache: LinearCache) -> Array:
        dx, dweight, dbias = ops().linear_backward(dout, cache)
        self.weight.add_grad(dweight)
        if self.bias is not None:
            self.bias.add_grad(dbias)
        return dx

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
