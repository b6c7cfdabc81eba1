"""The mathematics of every layer as pure functions, one file per operation, written to be read.

Every operation comes as a pair::

    out, cache = conv2d(x, weight, bias)
    dx, dweight, dbias = conv2d_backward(dout, cache)

`dout` is dL/dout, the gradient of the loss with respect to the operation's output, and has its shape; `dx` is
dL/dx and has the shape of `x`. What the backward pass needs travels in `cache`, which may hold `x`, a weight or
`out` themselves: leave them as they are until the backward pass is done. A parameter's gradient, once given, depends
on none of them. Every function looks at the shapes of all that it is given, and at the kind of cache: ValueError or
TypeError, naming the argument, where it does not fit. Nothing here keeps state or
changes an argument, except `adam_update` and `sgd_update`, whose purpose it is; the dtype that comes in goes out.

Symbols, everywhere: N images in the batch, C channels, H and W height and width, F filters, KH and KW the
kernel's height and width, OH and OW the output's.

A reading order: linear, relu, losses, conv2d, max_pool2d, batch_norm, dropout, flatten, adam;
then upsample_nearest2d and soft_argmax2d, of the hourglass.
`conv_block` is four of them in a row.
"""

from numpy import empty, zeros

from numpynet.functional.adam import adam_update
from numpynet.functional.average import average_update
from numpynet.functional.batch_norm import BatchNormCache, batch_norm, batch_norm_backward, running_update
from numpynet.functional.conv2d import Conv2dCache, conv2d, conv2d_backward
from numpynet.functional.conv_block import ConvBlockCache, conv_block, conv_block_backward
from numpynet.functional.dropout import DropoutCache, dropout, dropout_backward
from numpynet.functional.flatten import FlattenCache, flatten, flatten_backward
from numpynet.functional.linear import LinearCache, linear, linear_backward
from numpynet.functional.max_pool2d import MaxPool2dCache, max_pool2d, max_pool2d_backward
from numpynet.functional.mse_loss import mse_loss, mse_loss_backward
from numpynet.functional.relu import ReLUCache, relu, relu_backward
from numpynet.functional.sgd import sgd_update
from numpynet.functional.smooth_l1_loss import smooth_l1_loss, smooth_l1_loss_backward
from numpynet.functional.soft_argmax2d import SoftArgmax2dCache, soft_argmax2d, soft_argmax2d_backward
from numpynet.functional.upsample_nearest2d import (
    UpsampleNearest2dCache,
    upsample_nearest2d,
    upsample_nearest2d_backward,
)
from numpynet.functional.wing_loss import wing_loss, wing_loss_backward

__all__ = [
    "BatchNormCache",
    "Conv2dCache",
    "ConvBlockCache",
    "DropoutCache",
    "FlattenCache",
    "LinearCache",
    "MaxPool2dCache",
    "ReLUCache",
    "SoftArgmax2dCache",
    "UpsampleNearest2dCache",
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
