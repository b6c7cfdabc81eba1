"""The nodes and constants of an ONNX model while it is written."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fkp_app.backends.onnx.card import INPUT, OUTPUT
from fkp_app.errors import FkpError
from numpynet.module import Chain, Module
from numpynet.typing import AnyArray

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 13, 8
"""Old enough for OpenCV 4.14 and for any ONNX Runtime of these years."""


Writer = Callable[["Graph", Any, str], str]
"""Adds what a layer makes of the value of that name; returns the name of the result."""


def refusal(layer: Module, reason: str) -> FkpError:
    """What to raise for a layer that cannot be written."""
    return FkpError(f"{' '.join(repr(layer).split())} cannot be written as ONNX: {reason}")


class Graph:
    """The nodes and constants of a model that is being written. Values go by their names.

    writers: by the kind of the layer.
    """

    def __init__(self, net: Chain, input_size: int, writers: Mapping[type[Module], Writer]) -> None:
        self._writers = writers
        self.input_size = input_size
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._state = net.state_dict()
        self._prefixes = {id(layer): prefix for prefix, layer in _prefixes(net, "")}

    def write(self, layer: Module, x: str) -> str:
        """Add what `layer` makes of the value `x`; returns the name of the result.

        FkpError, naming the layer, where that is not known. A Chain is what its path is.
        """
        if type(layer) in self._writers:
            return self._writers[type(layer)](self, layer, x)
        if not isinstance(layer, Chain) or type(layer).forward is not Chain.forward:
            raise refusal(layer, "this program knows no ONNX operator for it")
        for part in layer.path():
            x = self.write(part, x)
        return x

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one result; returns the name of the result."""
        from onnx.helper import make_node

        name = f"{operator.lower()}{len(self.nodes) + 1}"
        self.nodes.append(make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, array: AnyArray) -> str:
        """Add a constant, unless one of that name is there; returns the name."""
        from onnx.numpy_helper import from_array

        if name not in self.constants:
            self.constants[name] = from_array(np.ascontiguousarray(array), name)
        return name

    def weight(self, layer: Module, attribute: str) -> str:
        """Add a parameter or buffer of `layer` as float32, under its key in the state dict; returns the key."""
        key = self._prefixes[id(layer)] + attribute
        return self.constant(key, self._state[key].astype(np.float32, copy=False))

    def shape(self, x: str) -> list[int]:
        """The shape of the value `x` but for its first axis."""
        from onnx.shape_inference import infer_shapes

        (output,) = infer_shapes(self.model(x, {}), strict_mode=True).graph.output
        return [axis.dim_value for axis in output.type.tensor_type.shape.dim[1:]]

    def model(self, output: str, metadata: Mapping[str, str]) -> "onnx.ModelProto":
        """All that was written, as a model with the value `output` for its result."""
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
    """Every part of the network, with what stands before its parameters' names in the state dict."""
    yield prefix, module
    for name, child in module.named_children():
        yield from _prefixes(child, f"{prefix}{name}.")
