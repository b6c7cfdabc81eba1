"""The mathematics of every layer as pure functions, one file per operation, written to be read.

Every operation comes as a pair::

    out, cache = conv2d(x, weight, bias)
    dx, dweight, dbias = conv2d_backward(dout, cache)

`dout` is dL/dout, the gradient of the loss L with respect to `out`, and has the shape of `out`; `dx` is dL/dx and has
the shape of `x`. A loss has one number as its output, and takes `dloss`: pass 1.0 for the gradient of the loss itself.

What the backward pass needs travels in `cache`. A cache may hold `x`, a weight or `out` themselves, not copies: leave
them unchanged until the backward pass is done. Nothing here keeps state. No function changes an argument, but
`adam_update` and `sgd_update`, which move the parameters that they are given. The dtype that comes in goes out.

Every function checks what it is given, and names the argument that does not fit: ValueError for shapes, dtypes and
numbers, TypeError for a cache of another function.

Symbols, everywhere: N images in the batch, C channels, H and W height and width, F filters, KH and KW the height and
width of the kernel, OH and OW those of the output.

numpynet/README.md says in which order to read these files, and what to look for in each. `conv_block` is four of the
operations in a row, for the fused kernel to equal.

Exported are the functions and every type that they return: the caches, named after the layers, and
`ConvBlockGradients`.
"""

from numpy import add, empty, zeros

from numpynet.functional.adam import adam_update
from numpynet.functional.average import average_update
from numpynet.functional.avg_pool2d import AvgPool2dCache, avg_pool2d, avg_pool2d_backward
from numpynet.functional.batch_norm import BatchNormCache, batch_norm, batch_norm_backward, running_update
from numpynet.functional.conv2d import Conv2dCache, conv2d, conv2d_backward
from numpynet.functional.conv_block import ConvBlockCache, ConvBlockGradients, conv_block, conv_block_backward
from numpynet.functional.dropout import DropoutCache, dropout, dropout_backward
from numpynet.functional.flatten import FlattenCache, flatten, flatten_backward
from numpynet.functional.focal_loss import FocalLossCache, focal_loss, focal_loss_backward
from numpynet.functional.linear import LinearCache, linear, linear_backward
from numpynet.functional.losses import (
    MSELossCache,
    SmoothL1LossCache,
    WingLossCache,
    mse_loss,
    mse_loss_backward,
    smooth_l1_loss,
    smooth_l1_loss_backward,
    wing_loss,
    wing_loss_backward,
)
from numpynet.functional.max_pool2d import MaxPool2dCache, max_pool2d, max_pool2d_backward
from numpynet.functional.relu import ReLUCache, relu, relu_backward
from numpynet.functional.sgd import sgd_update
from numpynet.functional.soft_argmax2d import SoftArgmax2dCache, soft_argmax2d, soft_argmax2d_backward
from numpynet.functional.upsample_nearest2d import (
    UpsampleNearest2dCache,
    upsample_nearest2d,
    upsample_nearest2d_backward,
)

__all__ = [
    "AvgPool2dCache",
    "BatchNormCache",
    "Conv2dCache",
    "ConvBlockCache",
    "ConvBlockGradients",
    "DropoutCache",
    "FlattenCache",
    "FocalLossCache",
    "LinearCache",
    "MSELossCache",
    "MaxPool2dCache",
    "ReLUCache",
    "SmoothL1LossCache",
    "SoftArgmax2dCache",
    "UpsampleNearest2dCache",
    "WingLossCache",
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
