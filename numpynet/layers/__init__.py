"""The layers: each owns its parameters and buffers, and leaves the mathematics to `numpynet.functional`."""

from numpynet.layers.batch_norm import BatchNorm1d, BatchNorm2d
from numpynet.layers.conv2d import Conv2d
from numpynet.layers.conv_block import ConvBlock
from numpynet.layers.dropout import Dropout
from numpynet.layers.flatten import Flatten
from numpynet.layers.linear import Linear
from numpynet.layers.max_pool2d import MaxPool2d
from numpynet.layers.relu import ReLU
from numpynet.layers.soft_argmax2d import SoftArgmax2d
from numpynet.layers.upsample import Upsample

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "ConvBlock",
    "Dropout",
    "Flatten",
    "Linear",
    "MaxPool2d",
    "ReLU",
    "SoftArgmax2d",
    "Upsample",
]
