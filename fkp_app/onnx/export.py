"""A network of numpynet as an ONNX model, which OpenCV, ONNX Runtime and many others run.

The model computes what the network computes in evaluation: "crops" (N, 1, S, S) float32 in, "keypoints" (N, 136)
float32 out, for any N. Its tensors bear the names of the state dict, and its metadata hold the weights card, so that
the file needs no other option. `onnx_layers` says what each layer becomes.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fkp_app.errors import FkpError, UsageError
from fkp_app.onnx.card import INPUT, OUTPUT, sealed
from fkp_app.onnx.layers import WRITERS, refusal
from numpynet.checkpoint import WeightsCard
from numpynet.module import Chain, Module
from numpynet.typing import AnyArray

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 13, 8
"""Old enough for OpenCV 4.10 and for any ONNX Runtime of these years."""
MOST_BYTES = 2**31 - 2**20
"""An ONNX file is a protobuf message, which must be smaller than 2 GiB."""


def to_onnx(net: Chain, card: WeightsCard) -> bytes:
    """The network, plain or fused, as the contents of an ONNX file that onnx's own checker found well formed.

    UsageError where the package onnx is missing. FkpError where a layer has no counterpart here, or the network is too
    large for the format.
    """
    onnx = import_onnx()
    size = 4 * sum(array.size for array in net.state_dict().values())
    if size > MOST_BYTES:
        raise FkpError(f"the network's weights take {size / 2**30:.1f} GiB, and an ONNX file holds less than 2")
    graph = Graph(net, card.input_size)
    graph.write(net, INPUT)
    graph.nodes[-1].output[0] = OUTPUT
    data = graph.model(OUTPUT, card.to_metadata()).SerializeToString()
    try:
        onnx.checker.check_model(data, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise FkpError(f"the network does not make a valid ONNX model ({str(error).splitlines()[0]})") from None
    return sealed(data)


def import_onnx() -> Any:
    """The package onnx, imported only now. UsageError where it is not installed."""
    try:
        import onnx.checker
        import onnx.shape_inference
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "onnx":
            raise
        raise UsageError("writing ONNX needs the package onnx: pip install 'numpynet-fkp[onnx]'") from None
    except (ImportError, OSError) as error:
        raise FkpError(f"the package onnx is installed but cannot be loaded ({error}); install it again") from None
    return onnx


class Graph:
    """The nodes and constants of a model that is being written. Values go by their names."""

    def __init__(self, net: Chain, input_size: int) -> None:
        self.input_size = input_size
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}
        self._state = net.state_dict()
        self._prefixes = {id(layer): prefix for prefix, layer in _prefixes(net, "")}

    def write(self, layer: Module, x: str) -> str:
        """Add what `layer` makes of the value `x`; returns the name of the result.

        FkpError, naming the layer, where that is not known. A Chain is what its path is.
        """
        if type(layer) in WRITERS:
            return WRITERS[type(layer)](self, layer, x)
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
    for name, child in module.children():
        yield from _prefixes(child, f"{prefix}{name}.")
