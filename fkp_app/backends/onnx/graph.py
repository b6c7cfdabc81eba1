"""An ONNX model that is being built: its nodes and its constants."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fkp_app.backends.onnx.network import INPUT, OUTPUT
from fkp_app.errors import FkpError
from numpynet.module import Chain, Module
from numpynet.typing import AnyArray

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 13, 8
"""The versions of ONNX's operators and of its file format: old enough for OpenCV 4.14 and any recent ONNX Runtime."""


Writer = Callable[["Graph", Any, str], str]
"""Adds the nodes of a layer to a graph. Given the name of the layer's input, it returns the name of its output."""


def refusal(layer: Module, reason: str) -> FkpError:
    """The error for a layer that cannot be written."""
    return FkpError(f"{' '.join(repr(layer).split())} cannot be written as ONNX: {reason}")


class Graph:
    """The nodes and constants of a model that is being built. A value is known by its name.

    writers: for each type of layer, the function that adds its nodes.
    """

    def __init__(self, net: Chain, input_size: int, writers: Mapping[type[Module], Writer]) -> None:
        self._writers = writers
        self.input_size = input_size
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._state = net.state_dict()
        self._prefixes = {id(layer): prefix for prefix, layer in _prefixes(net, "")}

    def write(self, layer: Module, x: str) -> str:
        """Add the nodes of `layer`, whose input is the value `x`; return the name of its output.

        A Chain is written as the layers of its path. FkpError, which names the layer, if it has no writer.
        """
        if type(layer) in self._writers:
            return self._writers[type(layer)](self, layer, x)
        if not isinstance(layer, Chain) or type(layer).forward is not Chain.forward:
            raise refusal(layer, "this program knows no ONNX operator for it")
        for part in layer.path():
            x = self.write(part, x)
        return x

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return the name of that output."""
        from onnx.helper import make_node

        name = f"{operator.lower()}{len(self.nodes) + 1}"
        self.nodes.append(make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, array: AnyArray) -> str:
        """Add a constant, unless the graph has one of that name; return the name."""
        from onnx.numpy_helper import from_array

        if name not in self.constants:
            self.constants[name] = from_array(np.ascontiguousarray(array), name)
        return name

    def weight(self, layer: Module, attribute: str) -> str:
        """Add a parameter or buffer of `layer` as float32, named by its key in the state dict; return the key."""
        key = self._prefixes[id(layer)] + attribute
        return self.constant(key, self._state[key].astype(np.float32, copy=False))

    def shape(self, x: str) -> list[int]:
        """The shape of the value `x` without its first axis."""
        from onnx.shape_inference import infer_shapes

        (output,) = infer_shapes(self.model(x, {}), strict_mode=True).graph.output
        return [axis.dim_value for axis in output.type.tensor_type.shape.dim[1:]]

    def model(self, output: str, metadata: Mapping[str, str]) -> "onnx.ModelProto":
        """The model of all nodes so far, whose output is the value `output`."""
        from onnx import TensorProto, helper

        images: list[str | int | None] = ["N", 1, self.input_size, self.input_size]
        result: list[str | int | None] | None = ["N", None] if output == OUTPUT else None
        graph = helper.make_graph(
            self.nodes,
            "numpynet",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, images)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, result)],
            list(self.constants.values()),
        )
        model = helper.make_model(
            graph, producer_name="numpynet", ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)]
        )
        helper.set_model_props(model, dict(metadata))
        return model


def _prefixes(module: Module, prefix: str) -> Iterator[tuple[str, Module]]:
    """Each module of the network, with the prefix of its parameters' names in the state dict."""
    yield prefix, module
    for name, child in module.named_children():
        yield from _prefixes(child, f"{prefix}{name}.")
