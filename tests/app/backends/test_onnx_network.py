"""ONNX files of an attacker, with right checksums: OpenCV sees only what `fkp export` could have written."""

import cv2
import numpy as np
import pytest

from fkp_app.backends.onnx.card import load_onnx, with_checksum
from fkp_app.backends.onnx.export import to_onnx
from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import CheckpointError, load_net
from numpynet.models import HourglassNet, KeypointNet

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (the extra `onnx`)")

NETS = {
    "HourglassNet": (HourglassNet, {"size": 16, "stem": [2], "levels": [2, 3]}),
    "KeypointNet": (KeypointNet, {"size": 24, "channels": [2, 3], "hidden": [5], "padding": 1, "dropout": 0.2}),
}


def exported(name):
    net, arguments = NETS[name]
    size = arguments["size"]
    card = CropCard.describe(arguments, size, {"kind": "face", "size": size, "scale": 1.5}, 0.0, 1.0, name)
    return to_onnx(net(**arguments, rng=0).eval(), card)


def refused(tmp_path, monkeypatch, model):
    """The reason for which a model with a right checksum is refused; OpenCV must not have seen it."""
    from fkp_app.backends.onnx.predictor import OnnxPredictor

    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", None)
    del model.metadata_props[-1]  # the old checksum
    path = tmp_path / "a.onnx"
    path.write_bytes(with_checksum(model.SerializeToString()))
    with pytest.raises(CheckpointError) as caught:
        OnnxPredictor(path)
    said = str(caught.value)
    begin, end = f"{path}: holds no network that `fkp export` writes (", "); export it again"
    assert said.startswith(begin)
    assert said.endswith(end)
    return said.removeprefix(begin).removesuffix(end)


@pytest.mark.parametrize("name", NETS)
def test_what_export_writes_is_accepted(name, tmp_path):
    (tmp_path / "a.onnx").write_bytes(exported(name))
    load_onnx(tmp_path / "a.onnx")


def test_the_shipped_network_is_accepted(tmp_path):
    (tmp_path / "a.onnx").write_bytes(to_onnx(*load_net(SHIPPED_WEIGHTS)))
    load_onnx(tmp_path / "a.onnx")


def node(model, operator, number=0):
    return [one for one in model.graph.node if one.op_type == operator][number]


def attribute(model, operator, name):
    return next(one for one in node(model, operator).attribute if one.name == name)


def sides(operator, name, at, value):
    """Changes one number of an operator's attribute."""
    return lambda model: attribute(model, operator, name).ints.__setitem__(at, value)


def axis(field, value):
    """Changes a field of the softmax's axis."""
    return lambda model: setattr(attribute(model, "Softmax", "axis"), field, value)


def constant(model, name, array):
    """Replace the constant whose name begins so."""
    place = next(one for one in model.graph.initializer if one.name.startswith(name))
    place.CopyFrom(onnx.numpy_helper.from_array(np.asarray(array), place.name))


def scaled(factor):
    """Changes the factor by which pictures are enlarged."""
    return lambda model: constant(model, "scales", np.array([1, 1, factor, factor], np.float32))


def _larger(model):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 10**9


def _groups(model):
    node(model, "Conv").attribute.append(onnx.helper.make_attribute("group", 0))


def _pads_twice(model):
    node(model, "Conv").attribute.append(attribute(model, "Conv", "pads"))


def _longer(model):
    model.graph.initializer[0].dims[0] = 2**40


def _of_texts(model):
    model.graph.initializer[0].data_type = onnx.TensorProto.STRING


def _external(model):
    """The numbers of a constant in another file: any file of the reader's."""
    place = model.graph.initializer[0]
    place.data_location = onnx.TensorProto.EXTERNAL
    place.external_data.add(key="location", value="/etc/passwd")


def _again(model):
    model.graph.node.append(model.graph.node[0])


def _twice(model):
    model.graph.initializer.append(model.graph.initializer[0])


def _circle(model):
    """The first operator uses the result of the last."""
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def _deep(model):
    """Operators that enlarge the picture again and again."""
    name = model.graph.node[0].input[0]
    for number in range(12):
        model.graph.node.insert(number, onnx.helper.make_node("Pad", [name, "wide"], [f"wide{number}"]))
        name = f"wide{number}"
    model.graph.node[12].input[0] = name
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 0, 999, 999] * 2), "wide"))


def _many(model):
    """Operators whose results are each within the limit, and which the last operators could all still use."""
    name = model.graph.node[0].input[0]
    model.graph.node.insert(0, onnx.helper.make_node("Pad", [name, "wide"], ["wide0"]))
    for number in range(1, 30):
        model.graph.node.insert(number, onnx.helper.make_node("Relu", [f"wide{number - 1}"], [f"wide{number}"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 0, 1300, 1300] * 2), "wide"))


def inputs(operator, *names):
    """Gives an operator its first input and constants with other names."""

    def change(model):
        first = node(model, operator).input[0]
        del node(model, operator).input[:]
        node(model, operator).input.extend([first, *names])

    return change


ATTACKS = {
    "another operator": (lambda m: setattr(node(m, "Relu"), "op_type", "Loop"), "the operator 'Loop' is none of its"),
    "an operator of another domain": (lambda m: setattr(node(m, "Relu"), "domain", "x"), "it has a field 7"),
    "functions": (lambda m: m.functions.add(name="f"), "it has a field 25"),
    "later operators": (lambda m: setattr(m.opset_import[0], "version", 99), "its operators are of another version"),
    "no graph": (lambda m: m.ClearField("graph"), "it has no graph"),
    "another input": (_larger, "its input or output is of another shape"),
    "constants elsewhere": (_external, "it has a field 1"),
    "a picture 4096 times as large": (scaled(4096.0), "it is too large: Resize makes"),
    "half a pixel": (scaled(0.5), "the shapes of Resize do not fit"),
    "infinitely large": (scaled(np.inf), "holds NaN or infinity"),
    "a kernel of nothing": (sides("Conv", "kernel_shape", 0, 0), "Conv has the kernel_shape [0, 3]"),
    "a kernel unlike its weights": (sides("Conv", "kernel_shape", 0, 5), "the shapes of Conv do not fit"),
    "a negative padding": (sides("Conv", "pads", 0, -5), "Conv has the pads"),
    "a padding of a mile": (sides("Conv", "pads", 0, 10**7), "Conv has the pads"),
    "a stride of nothing": (sides("MaxPool", "strides", 1, 0), "MaxPool has the strides"),
    "a pool beyond the picture": (sides("MaxPool", "kernel_shape", 1, 99), "the shapes of MaxPool do not fit"),
    "groups": (_groups, "Conv has other attributes"),
    "an attribute twice": (_pads_twice, "the attribute 'pads' twice"),
    "an attribute of another type": (axis("type", 1), "an attribute is of another type"),
    "another axis": (axis("i", 7), "the shapes of Softmax do not fit"),
    "rows of another length": (lambda m: constant(m, "rows", [-1, 2**40, 1]), "the shapes of Reshape do not fit"),
    "a constant of another shape": (_longer, "is of another type or size"),
    "a constant of another type": (_of_texts, "is of another type or size"),
    "a constant twice": (_twice, "twice"),
    "a missing constant": (lambda m: m.graph.initializer.pop(0), "has no such input"),
    "a value twice": (_again, "it makes the value"),
    "a circle": (_circle, "has no such input"),
    "ever larger pictures": (_deep, "it is too large: Pad makes"),
    "many large pictures": (_many, "it is too large: Relu makes"),
    "an enlargement by nothing": (inputs("Resize"), "the shapes of Resize do not fit"),
    "an enlargement without its factor": (inputs("Resize", ""), "the shapes of Resize do not fit"),
    "a convolution with nothing": (inputs("Conv", "", "scales"), "Conv has no such input"),
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_what_export_cannot_write_is_refused_before_opencv_sees_it(kind, tmp_path, monkeypatch):
    change, words = ATTACKS[kind]
    model = onnx.load_model_from_string(exported("HourglassNet"))
    change(model)
    assert words in refused(tmp_path, monkeypatch, model)


def test_a_network_with_the_wrong_number_of_outputs_is_refused(tmp_path, monkeypatch):
    model = onnx.load_model_from_string(exported("KeypointNet"))
    for place in model.graph.initializer:
        if place.name in node(model, "Gemm", 1).input:
            array = onnx.numpy_helper.to_array(place)
            place.CopyFrom(onnx.numpy_helper.from_array(array[:68], place.name))
    assert "it gives outputs of shape (68,), not (136,)" in refused(tmp_path, monkeypatch, model)


def test_a_negative_variance_is_refused(tmp_path, monkeypatch):
    model = onnx.load_model_from_string(exported("KeypointNet"))
    constant(model, node(model, "BatchNormalization").input[4], np.full(2, -1, np.float32))
    assert "the shapes of BatchNormalization do not fit" in refused(tmp_path, monkeypatch, model)
