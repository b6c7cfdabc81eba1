"""A network of numpynet as an ONNX model, which OpenCV, ONNX Runtime and many other programs run.

The model computes what the network computes in evaluation: from "crops" (N, 1, S, S) float32 to "keypoints" (N, 136)
float32, for any N. Its tensors have the names of the state dict. Its metadata hold the weights card, so that the file
alone is enough to run it. `layers` says which ONNX operators replace each layer.
"""

from typing import Any

from fkp_app.backends.onnx.card import with_checksum
from fkp_app.backends.onnx.graph import Graph
from fkp_app.backends.onnx.layers import WRITERS
from fkp_app.backends.onnx.network import INPUT, OUTPUT
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.crop_card import CropCard
from numpynet.module import Chain

MOST_BYTES = 2**31 - 2**20
"""An ONNX file is a protobuf message, which must be smaller than 2 GiB."""


def to_onnx(net: Chain, card: CropCard) -> bytes:
    """The network, plain or fused, as the bytes of an ONNX file that onnx's own checker accepts.

    UsageError if the package onnx is missing. FkpError if a layer cannot be written, or the network is too large for
    the format.
    """
    onnx = import_onnx()
    size = 4 * sum(array.size for array in net.state_dict().values())
    if size > MOST_BYTES:
        raise FkpError(f"the network's weights take {size / 2**30:.1f} GiB, and an ONNX file holds less than 2")
    graph = Graph(net, card.input_size, WRITERS)
    graph.write(net, INPUT)
    graph.nodes[-1].output[0] = OUTPUT
    data = graph.model(OUTPUT, card.to_metadata()).SerializeToString()
    try:
        onnx.checker.check_model(data, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise FkpError(f"the network does not make a valid ONNX model ({str(error).splitlines()[0]})") from None
    return with_checksum(data)


def import_onnx() -> Any:
    """The package onnx, imported only when it is needed.

    UsageError if it is not installed, FkpError if it cannot be loaded.
    """
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
