"""Networks as ONNX: ONNX Runtime, OpenCV, numpynet and PyTorch give the same outputs for every layer and network."""

import numpy as np
import pytest

from fkp_app.backends.onnx.export import to_onnx
from fkp_app.backends.onnx.predictor import OnnxPredictor
from fkp_app.backends.predictor import SHIPPED_WEIGHTS, Predictor, get_predictor
from fkp_app.errors import FkpError
from fkp_app.faces.detector import FaceDetector
from fkp_app.faces.keypoints import sights
from fkp_app.faces.search import find_faces
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import face_square
from numpynet import HourglassNet, KeypointNet, fuse
from numpynet.checkpoint import load_net, save_weights
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
from numpynet.module import Residual, Sequential
from tests.free_pictures import group_picture, hopper

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (the extra `onnx`)")
ort = pytest.importorskip("onnxruntime", reason="ONNX Runtime, which onnx files are tested with, is not installed")

AGREE = 0.05
"""The largest allowed difference between two backends' points, in pixels of the frame."""
EXACT = 2e-6
"""The allowed difference of float32 sums in another order, as a share of the largest output."""


def card_of(net, size):
    return CropCard.describe(
        getattr(net, "arguments", {}),
        size,
        {"kind": "face", "size": size, "scale": 1.5},
        (size - 1) / 2,
        size / 2,
        type(net).__name__,
    )


def experienced(net, size):
    """`net` in evaluation mode, with random weights and statistics instead of the initial ones."""
    rng = np.random.default_rng(7)
    for module in net.modules():
        if isinstance(module, BatchNorm1d | BatchNorm2d):
            state = module.state_dict()
            for name, low in (("weight", 0.5), ("running_var", 0.5), ("bias", -1), ("running_mean", -1)):
                if name in state:
                    state[name][...] = rng.uniform(low, 1.5, module.num_features)
    return net.eval()


def by_onnxruntime(data):
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda crops: session.run(["keypoints"], {"crops": crops})[0]


def by_opencv(data):
    import cv2

    net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))

    def run(crops):
        net.setInput(crops, "crops")
        return net.forward("keypoints").copy()

    return run


def crops_of(size, count=3):
    return np.random.default_rng(count).random((count, 1, size, size), np.float32)


def flat(*layers):
    return Sequential(*layers, Flatten())


def positions():
    """A soft argmax over maps of 10 x 7 scores that differ enough for positions from edge to edge."""
    conv = Conv2d(1, 5, (3, 6), rng=0)
    conv.weight.data *= 40
    return Sequential(conv, SoftArgmax2d())


LAYERS = {
    "conv2d": lambda: flat(Conv2d(1, 3, 3, rng=0)),
    "conv2d, each way another": lambda: flat(
        Conv2d(1, 3, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(2, 3), bias=False, rng=0)
    ),
    "batch norm": lambda: flat(Conv2d(1, 3, 1, rng=0), BatchNorm2d(3, eps=0.1)),
    "batch norm without weights": lambda: flat(Conv2d(1, 3, 1, rng=0), BatchNorm2d(3, affine=False)),
    "relu": lambda: flat(Conv2d(1, 3, 1, rng=0), ReLU()),
    "max pool": lambda: flat(Conv2d(1, 3, 1, rng=0), MaxPool2d(2)),
    "max pool, each way another": lambda: flat(
        Conv2d(1, 3, 1, rng=0), MaxPool2d((3, 2), stride=(2, 3), padding=(1, 0))
    ),
    "average pool": lambda: flat(Conv2d(1, 3, 1, rng=0), AvgPool2d(2)),
    "average pool, each way another": lambda: flat(
        Conv2d(1, 3, 1, rng=0), AvgPool2d((3, 2), stride=(2, 3), padding=(1, 0))
    ),
    "average pool, padding on all sides": lambda: flat(Conv2d(1, 3, 1, rng=0), AvgPool2d((3, 4), 2, (1, 2))),
    "average pool, padding not counted": lambda: flat(
        Conv2d(1, 3, 1, rng=0), AvgPool2d((3, 4), 2, (1, 2), count_include_pad=False)
    ),
    "linear": lambda: Sequential(Flatten(), Linear(144, 7, rng=0)),
    "linear without bias": lambda: Sequential(Flatten(), Linear(144, 7, bias=False, rng=0)),
    "batch norm of rows": lambda: Sequential(Flatten(), Linear(144, 7, rng=0), BatchNorm1d(7), ReLU()),
    "dropout": lambda: Sequential(Flatten(), Linear(144, 7, rng=0), Dropout(0.5)),
    "upsample": lambda: flat(Conv2d(1, 2, (1, 4), rng=0), Upsample(3)),
    "soft argmax": positions,
    "residual": lambda: flat(Conv2d(1, 3, 1, rng=0), Residual(ReLU(), Conv2d(3, 3, 3, padding=1, rng=1)), ReLU()),
    "residual in a residual": lambda: flat(
        Conv2d(1, 2, 1, rng=0), Residual(MaxPool2d(2), Residual(Conv2d(2, 2, 1, rng=1), ReLU()), Upsample(2))
    ),
    "a chain in a chain": lambda: flat(Sequential(Conv2d(1, 2, 3, rng=0), ReLU()), Sequential(Conv2d(2, 3, 3, rng=1))),
    "a layer used twice": lambda: flat(*(2 * [Conv2d(1, 1, 3, padding=1, rng=0)])),
}


@pytest.mark.parametrize("run", [by_onnxruntime, by_opencv])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_what_numpynet_does(name, run):
    net = experienced(LAYERS[name](), 12)
    forward = run(to_onnx(net, card_of(net, 12)))
    for count in (2, 1, 3):  # one network for batches of any size
        crops = crops_of(12, count)
        expected, out = net(crops), forward(crops)
        assert (out.shape, out.dtype) == (expected.shape, np.float32)
        assert np.abs(out - expected).max() < EXACT * np.abs(expected).max()


NETS = {
    "compact": (lambda: KeypointNet.compact(rng=0), 96),
    "as the full one, smaller": (lambda: KeypointNet(48, (4, 6), (20, 10), rng=0), 48),
    "hourglass": (lambda: HourglassNet(rng=0), 96),
    "hourglass of one level": (lambda: HourglassNet(16, (4,), (6,), rng=0), 16),
}


@pytest.fixture(params=NETS)
def network(request):
    build, size = NETS[request.param]
    net = experienced(build(), size)
    return net, card_of(net, size)


def test_networks_whole(network, tmp_path):
    net, card = network
    data = to_onnx(net, card)
    crops = crops_of(card.input_size)
    expected = net(crops)
    assert expected.shape == (3, 136)
    for forward in (by_onnxruntime(data), by_opencv(data)):
        assert np.abs(forward(crops) - expected).max() < 10 * EXACT * np.abs(expected).max()
    save_weights(tmp_path / "net.safetensors", net.state_dict(), card)
    for weights in ("net.safetensors", "net.onnx"):
        (tmp_path / "net.onnx").write_bytes(data)
        predictor = OnnxPredictor(tmp_path / weights)
        assert predictor.card == card
        assert np.abs(predictor(crops) - expected).max() < 10 * EXACT * np.abs(expected).max()


def test_what_is_in_the_file(network):
    net, card = network
    model = onnx.load_model_from_string(to_onnx(net, card))
    assert {entry.key: entry.value for entry in model.metadata_props}["numpynet"] == card.to_metadata()["numpynet"]
    (given,), (made,) = model.graph.input, model.graph.output
    assert (given.name, made.name) == ("crops", "keypoints")
    side = card.input_size
    sizes = [axis.dim_param or axis.dim_value for axis in given.type.tensor_type.shape.dim]
    assert sizes == ["N", 1, side, side]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    state = {key: array for key, array in net.state_dict().items() if "num_batches" not in key}
    assert state.keys() <= tensors.keys()
    for key, array in state.items():
        np.testing.assert_array_equal(tensors[key], array)


def test_fused_networks_and_networks_in_training_mode_give_the_same_file(network):
    net, card = network
    before = to_onnx(net, card)
    state = {key: array.copy() for key, array in net.state_dict().items()}
    assert to_onnx(fuse(net), card) == before
    assert to_onnx(net.train(), card) == before
    assert net.training
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(array, state[key])


def test_a_network_of_float64_becomes_float32():
    net = experienced(LAYERS["conv2d"](), 12).astype(np.float64)
    crops = crops_of(12)
    out = by_onnxruntime(to_onnx(net, card_of(net, 12)))(crops)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, net(crops.astype(np.float64)), atol=1e-6)


class Swish(ReLU):
    """A layer that the export does not know, though it knows its base class."""


class Backwards(Sequential):
    """A chain whose forward pass differs from its path."""

    def forward(self, x):
        return super().forward(x[::-1])


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (Swish(), "Swish() cannot be written as ONNX: this program knows no ONNX operator for it"),
        (Backwards(ReLU()), "Backwards( (0): ReLU() ) cannot be written as ONNX"),
        (BatchNorm2d(1, track_running_stats=False), "it normalises by the batch even in evaluation"),
        (MaxPool2d(2, ceil_mode=True), "ceil_mode has no exact counterpart"),
        (AvgPool2d(2, ceil_mode=True), "ceil_mode has no exact counterpart"),
        (Flatten(2), "Flatten(start_dim=2, end_dim=-1) cannot be written as ONNX: start_dim must be 1"),
    ],
)
def test_a_layer_without_a_counterpart_is_named(layer, words):
    net = Sequential(Residual(layer))
    with pytest.raises(FkpError) as error:
        to_onnx(net, card_of(net, 12))
    assert words in str(error.value)
    assert type(layer).__name__ in str(error.value)
    assert "\n" not in str(error.value)


def test_a_network_too_large_for_the_format_is_refused():
    from numpynet.init import no_init

    with no_init():  # 2.6 GB, allocated but never written
        net = KeypointNet(size=224, hidden=(17_000,))
    with pytest.raises(FkpError, match=r"weights take 2\.\d GiB, and an ONNX file holds less than 2"):
        to_onnx(net, card_of(net, 224))


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    """The shipped network in every program that runs it, with PyTorch if it is installed."""
    from importlib.util import find_spec

    net, read = load_net(SHIPPED_WEIGHTS)
    card = CropCard.of(read, SHIPPED_WEIGHTS)
    file = tmp_path_factory.mktemp("onnx") / "shipped.onnx"
    file.write_bytes(to_onnx(net, card))
    found = {
        "numpy": get_predictor("numpy"),
        "onnx": get_predictor("onnx", file),
        "onnxruntime": Predictor("onnx", card, by_onnxruntime(file.read_bytes())),
    }
    if find_spec("torch") is not None:
        found["torch"] = get_predictor("torch")
    return found


def looks(image, squares, predictors):
    """The points (2, F, 68, 2) of each program, in image pixels, after the first and the second look."""
    upright = [0.0] * len(squares)
    return {name: np.stack(sights(image, squares, upright, predictor, 1)) for name, predictor in predictors.items()}


def farthest(answers):
    """The largest distance in pixels between points of any two programs, and their names."""
    names = list(answers)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return max((float(np.abs(answers[a] - answers[b]).max()), a, b) for a, b in pairs)


@pytest.mark.parametrize("photo", [hopper, lambda: group_picture()[0]], ids=["demo photo", "group"])
def test_all_programs_agree_on_photos(photo, predictors):
    image = photo()
    squares = [face_square(face.keypoints) for face in find_faces(image, FaceDetector(), predictors["onnx"])]
    assert len(squares) == (1 if photo is hopper else 6)
    assert farthest(looks(image, squares, predictors))[0] < AGREE


def test_all_programs_agree_on_real_frames(real_data, predictors):
    from fkp_app.data.dataset import load_split

    frames = load_split(real_data, "validation")
    for i in range(0, len(frames), max(1, len(frames) // 6)):
        answers = looks(frames[i]["image"], [face_square(frames.keypoints[i])], predictors)
        assert answers["numpy"].shape == (2, 1, 68, 2)
        assert farthest(answers)[0] < AGREE
