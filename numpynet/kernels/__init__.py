"""The operations of `numpynet.functional`, made fast: compiled loops, several threads, few passes over the memory.

The names, the arguments and, to within rounding, the results are the same. After `numpynet.use("fast")` the layers
call these functions. A kernel passes on to the readable function what it is not made for: another dtype, a rare
geometry, or arguments that do not fit, so that the error message is the same. Functions that a kernel would not make
faster are the readable ones themselves.

Each kernel's file begins with the function and ends with its compiled loops. They use the names of the readable
function of the same file name (weight, bias, mean, inv_std, dout, dx, ...), and their docstrings give the formula.
"""

from threadpoolctl import threadpool_limits

from numpynet import workers
from numpynet.functional import (
    avg_pool2d,
    avg_pool2d_backward,
    dropout,
    dropout_backward,
    flatten,
    flatten_backward,
    focal_loss,
    focal_loss_backward,
    mse_loss,
    mse_loss_backward,
    running_update,
    sgd_update,
    smooth_l1_loss,
    smooth_l1_loss_backward,
    wing_loss,
    wing_loss_backward,
)
from numpynet.kernels.adam import adam_update
from numpynet.kernels.addition import add
from numpynet.kernels.average import average_update
from numpynet.kernels.batch_norm import batch_norm, batch_norm_backward
from numpynet.kernels.conv2d import conv2d, conv2d_backward
from numpynet.kernels.conv_block import conv_block, conv_block_backward
from numpynet.kernels.linear import linear, linear_backward
from numpynet.kernels.max_pool2d import max_pool2d, max_pool2d_backward
from numpynet.kernels.memory import empty, zeros
from numpynet.kernels.relu import relu, relu_backward
from numpynet.kernels.soft_argmax2d import soft_argmax2d, soft_argmax2d_backward
from numpynet.kernels.spinning import SPIN
from numpynet.kernels.upsample_nearest2d import upsample_nearest2d, upsample_nearest2d_backward

__all__ = [
    "adam_update",
    "add",
    "average_update",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "conv2d",
    "conv2d_backward",
    "conv_block",
    "conv_block_backward",
    "dropout",
    "dropout_backward",
    "empty",
    "flatten",
    "flatten_backward",
    "focal_loss",
    "focal_loss_backward",
    "linear",
    "linear_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mse_loss",
    "mse_loss_backward",
    "relu",
    "relu_backward",
    "running_update",
    "sgd_update",
    "smooth_l1_loss",
    "smooth_l1_loss_backward",
    "soft_argmax2d",
    "soft_argmax2d_backward",
    "upsample_nearest2d",
    "upsample_nearest2d_backward",
    "wing_loss",
    "wing_loss_backward",
    "zeros",
]

_limits: threadpool_limits | None = None


def activate() -> None:
    """Limit BLAS to one thread while "fast" is in use: the kernels' own threads call it at the same time.

    Between short pieces of work, these threads wait without sleeping.
    """
    global _limits
    workers.spin_with(SPIN)
    if _limits is None:
        _limits = threadpool_limits(limits=1, user_api="blas")


def deactivate() -> None:
    """Give BLAS its threads back."""
    global _limits
    workers.spin_with(None)
    if _limits is not None:
        _limits.restore_original_limits()
        _limits = None
