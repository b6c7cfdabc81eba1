"""The operations of `numpynet.functional`, made fast: compiled loops, all threads, no array written that need not be.

Same names, same arguments, same results to within rounding; `numpynet.use("fast")` has the layers call them. What a
kernel is not made for (another dtype, a rare geometry, an error to be reported) goes to the readable function.
"""

from threadpoolctl import threadpool_limits

from numpynet.functional import (
    dropout,
    dropout_backward,
    flatten,
    flatten_backward,
    mse_loss,
    mse_loss_backward,
    running_update,
    sgd_update,
    upsample_nearest2d,
    upsample_nearest2d_backward,
    wing_loss,
    wing_loss_backward,
)
from numpynet.kernels.adam import adam_update
from numpynet.kernels.average import average_update
from numpynet.kernels.batch_norm import batch_norm, batch_norm_backward
from numpynet.kernels.conv2d import conv2d, conv2d_backward
from numpynet.kernels.conv_block import conv_block, conv_block_backward
from numpynet.kernels.linear import linear, linear_backward
from numpynet.kernels.max_pool2d import max_pool2d, max_pool2d_backward
from numpynet.kernels.memory import empty, zeros
from numpynet.kernels.relu import relu, relu_backward
from numpynet.kernels.smooth_l1_loss import smooth_l1_loss, smooth_l1_loss_backward
from numpynet.kernels.soft_argmax2d import soft_argmax2d, soft_argmax2d_backward

__all__ = [
    "adam_update",
    "average_update",
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
    """Hold BLAS to one thread, from `use("fast")` on: the kernels' own threads call it side by side."""
    global _limits
    if _limits is None:
        _limits = threadpool_limits(limits=1, user_api="blas")


def deactivate() -> None:
    """Give BLAS its threads back."""
    global _limits
    if _limits is not None:
        _limits.restore_original_limits()
        _limits = None
