"""Each layer in ONNX: one function per layer, which adds its nodes to a graph and returns the name of its output.

Attributes with one value per direction are (top, left, bottom, right) or (vertical, horizontal), as in ONNX.
"""

import numpy as np

from fkp_app.backends.onnx.graph import Graph, Writer, refusal
from numpynet.functional.soft_argmax2d import places
from numpynet.fuse import ConvBlock
from numpynet.layers import (
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    SoftArgmax2d,
    Upsample,
)
from numpynet.module import Module, Residual


def _conv2d(graph: Graph, layer: Conv2d, x: str) -> str:
    weights = [graph.weight(layer, "weight")] + ([graph.weight(layer, "bias")] if layer.bias is not None else [])
    return graph.node(
        *("Conv", x, *weights),
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=layer.padding * 2,
        dilations=layer.dilation,
    )


def _batch_norm(graph: Graph, layer: BatchNorm1d | BatchNorm2d, x: str) -> str:
    if not layer.track_running_stats:
        raise refusal(layer, "it normalises by the batch even in evaluation")
    if layer.affine:
        scale, shift = graph.weight(layer, "weight"), graph.weight(layer, "bias")
    else:
        scale = graph.constant(f"ones{layer.num_features}", np.ones(layer.num_features, np.float32))
        shift = graph.constant(f"zeros{layer.num_features}", np.zeros(layer.num_features, np.float32))
    statistics = graph.weight(layer, "running_mean"), graph.weight(layer, "running_var")
    return graph.node("BatchNormalization", x, scale, shift, *statistics, epsilon=layer.eps)


def _relu(graph: Graph, layer: ReLU, x: str) -> str:
    return graph.node("Relu", x)


def _max_pool2d(graph: Graph, layer: MaxPool2d, x: str) -> str:
    if layer.ceil_mode:  # ONNX and PyTorch round it differently
        raise refusal(layer, "ceil_mode has no exact counterpart")
    return graph.node(
        *("MaxPool", x),
        kernel_shape=layer.kernel_size,
        strides=layer.stride,
        pads=layer.padding * 2,
        dilations=layer.dilation,
    )


def _avg_pool2d(graph: Graph, layer: AvgPool2d, x: str) -> str:
    """Padding that counts is a node of its own: OpenCV's average pool has no `count_include_pad`."""
    if layer.ceil_mode:  # which ONNX and PyTorch do not round alike
        raise refusal(layer, "ceil_mode has no exact counterpart")
    pads = layer.padding * 2
    if layer.count_include_pad and any(pads):
        PH, PW = layer.padding
        x = graph.node("Pad", x, graph.constant(f"pads{PH}x{PW}", np.array([0, 0, PH, PW] * 2)))
        pads = (0, 0, 0, 0)
    return graph.node("AveragePool", x, kernel_shape=layer.kernel_size, strides=layer.stride, pads=pads)


def _conv_block(graph: Graph, layer: ConvBlock, x: str) -> str:
    x = _relu(graph, ReLU(), _batch_norm(graph, layer.bn, _conv2d(graph, layer.conv, x)))
    return _max_pool2d(graph, MaxPool2d(2), x) if layer.pool else x


def _flatten(graph: Graph, layer: Flatten, x: str) -> str:
    if layer.start_dim != 1:  # ONNX's Flatten always gives two axes
        raise refusal(layer, "start_dim must be 1")
    return graph.node("Flatten", x, axis=1)


def _linear(graph: Graph, layer: Linear, x: str) -> str:
    weights = [graph.weight(layer, "weight")] + ([graph.weight(layer, "bias")] if layer.bias is not None else [])
    return graph.node("Gemm", x, *weights, transB=1)


def _dropout(graph: Graph, layer: Dropout, x: str) -> str:
    return x  # in evaluation it does nothing


def _upsample(graph: Graph, layer: Upsample, x: str) -> str:
    factor = layer.scale_factor
    scales = graph.constant(f"scales{factor}", np.array([1, 1, factor, factor], np.float32))
    modes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.node("Resize", x, "", scales, **modes)


def _soft_argmax2d(graph: Graph, layer: SoftArgmax2d, x: str) -> str:
    """The softmax of each map, flattened to a row, times the pixels' positions: the mean position."""
    K, H, W = graph.shape(x)
    rows = graph.node("Reshape", x, graph.constant(f"rows{K}x{H * W}", np.array([-1, K, H * W])))  # (N, K, H W)
    y, x_ = np.meshgrid(places(H, np.float32), places(W, np.float32), indexing="ij")  # (H, W) each
    pixels = np.stack([x_.ravel(), y.ravel()], axis=1)  # (H W, 2)
    positions = graph.node("MatMul", graph.node("Softmax", rows, axis=2), graph.constant(f"places{H}x{W}", pixels))
    return graph.node("Flatten", positions, axis=1)  # (N, K, 2) -> (N, 2 K)


def _residual(graph: Graph, layer: Residual, x: str) -> str:
    out = x
    for part in layer.path():
        out = graph.write(part, out)
    return graph.node("Add", x, out)


WRITERS: dict[type[Module], Writer] = {
    AvgPool2d: _avg_pool2d,
    BatchNorm1d: _batch_norm,
    BatchNorm2d: _batch_norm,
    Conv2d: _conv2d,
    ConvBlock: _conv_block,
    Dropout: _dropout,
    Flatten: _flatten,
    Linear: _linear,
    MaxPool2d: _max_pool2d,
    ReLU: _relu,
    Residual: _residual,
    SoftArgmax2d: _soft_argmax2d,
    Upsample: _upsample,
}
"""The writer of each layer. A chain needs none: it is written layer by layer."""
