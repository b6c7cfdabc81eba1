"""`python -m numpynet.learn step`: its small steps are those of a real training step, in the terminal and as a page."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from numpynet import Adam, Conv2d, MaxPool2d, ReLU, Residual, Sequential, SmoothL1Loss
from numpynet.learn import one_point
from numpynet.learn.__main__ import main
from numpynet.learn.showing import png
from numpynet.learn.stepping import step_page, stepper, training_step
from tests.seeds import seeded

LINE = "python -m numpynet.learn step: "


@pytest.fixture(scope="module")
def small():
    """The steps of a small network with a Residual on two pictures, and its Adam's state before and after."""
    net = Sequential(
        Conv2d(1, 2, 3, padding=1, rng=1), ReLU(), Residual(Conv2d(2, 2, 3, padding=1, rng=2), ReLU()), MaxPool2d(2)
    ).astype(np.float64)
    x = seeded("steps").standard_normal((2, 1, 8, 8))
    before = {key: array.copy() for key, array in net.state_dict().items()}
    optimizer = Adam(net.parameters(), lr=0.01)
    steps = training_step.take(net, SmoothL1Loss(), optimizer, x, np.ones((2, 2, 4, 4)))
    return net, x, before, steps


@pytest.fixture(scope="module")
def hourglass():
    """The steps of the hourglass network's first training step, and their title."""
    return stepper.take("hourglass", before=0)


def test_every_tensor_of_the_one_point_net_is_shown_with_its_name():
    steps, _ = stepper.take("one-point")
    assert [step.title for step in steps if step.phase == "forward"] == list(one_point.LAYERS)
    assert [step.title for step in steps if step.phase == "backward"] == list(one_point.LAYERS)[::-1]
    shown = {(step.phase, step.title, tensor.name): tensor.array for step in steps for tensor in step.tensors}
    right = one_point.tensors()
    before = {"linear": "dflatten", "flatten": "dpool", "pool": "drelu", "relu": "dconv", "conv": "dx"}
    for name in one_point.LAYERS:
        out = right["out" if name == "linear" else f"{name}.out"]
        np.testing.assert_array_equal(shown["forward", name, "out"], out)
        np.testing.assert_array_equal(shown["backward", name, "dx"], right[before[name]])
    for name in ("conv", "linear"):
        for part in ("weight", "bias"):
            np.testing.assert_array_equal(shown["forward", name, part], right[f"{name}.{part}"])
            np.testing.assert_array_equal(shown["backward", name, f"d{part}"], right[f"{name}.{part}.grad"])
    np.testing.assert_array_equal(shown["loss", "The loss", "dout"], right["dout"])
    assert f"gives {float(right['loss']):.6g}." in next(step.words for step in steps if step.phase == "loss")


def test_updates_are_those_of_adams_first_step(small):
    """Adam's first step is lr times the sign of the gradient, but for eps."""
    net, _, before, steps = small
    updates = [step for step in steps if step.phase == "update"]
    assert [step.title for step in updates] == ["0.weight", "0.bias", "2.0.weight", "2.0.bias"]
    for step in updates:
        shown = {tensor.name: tensor.array for tensor in step.tensors}
        key = step.title
        np.testing.assert_array_equal(shown["before"], before[key])
        np.testing.assert_array_equal(shown["after"], net.state_dict()[key])
        np.testing.assert_allclose(shown["update"], -0.01 * np.sign(shown["gradient"]), rtol=1e-3, atol=1e-12)
        np.testing.assert_allclose(shown["before"] + shown["update"], shown["after"], rtol=1e-12)
        ratio = np.abs(shown["update"]).mean() / np.abs(before[key]).mean()
        assert f"Update over weights: {ratio:.1e}." in step.words
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_two_ways_of_a_residual_part_and_meet(small):
    steps = [step for step in small[3] if step.phase == "backward"]
    titles = [step.title for step in steps]
    assert titles == [
        "3: MaxPool2d", "2: Residual", "2.1: ReLU", "2.0: Conv2d", "2: Residual", "1: ReLU", "0: Conv2d",
    ]  # fmt: skip
    assert [tensor.name for tensor in steps[1].tensors] == ["dout"]
    dout, branch, dx = (tensor.array for tensor in steps[4].tensors)
    np.testing.assert_array_equal(dx, dout + branch)
    np.testing.assert_array_equal(branch, steps[3].tensors[-1].array)
    assert steps[5].tensors[0].array is dx


def test_layers_without_a_name_are_told_by_the_one_before(hourglass):
    steps, title = hourglass
    assert title == "Training step 1 of the hourglass network on 4 faces"
    titles = [step.title for step in steps]
    assert "ReLU after stem1_bn" in titles
    assert [step.phase for step in steps].count("forward") == 42
    assert [step.phase for step in steps].count("backward") == 44  # a Residual has two


def test_without_a_terminal_all_steps_are_printed(capsys):
    assert main(["step"]) == 0
    out = capsys.readouterr().out
    steps, title = stepper.take("one-point")
    assert out.startswith(f"{title}\n\nStep 1 of {len(steps)}, The picture\n")
    assert re.findall(r"^Step (\d+) of", out, re.MULTILINE) == [str(i + 1) for i in range(len(steps))]
    assert "  dx (1, 1, 3, 3)\n    [[ 0.     0.     0.   ]\n     [ 0.     1.125 -0.375]" in out
    assert max(map(len, out.splitlines())) <= 100


def test_enter_goes_on_and_q_ends(capsys):
    steps, title = stepper.take("one-point")
    answers = iter(["", "", " Q"])
    stepper.walk(steps, title, lambda prompt: next(answers))
    assert re.findall(r"^Step (\d+) of", capsys.readouterr().out, re.MULTILINE) == ["1", "2", "3"]

    def end_of_file(prompt):
        raise EOFError

    stepper.walk(steps, title, end_of_file)
    assert re.findall(r"^Step (\d+) of", capsys.readouterr().out, re.MULTILINE) == ["1"]
    asked = []
    stepper.walk(steps[:2], title, lambda prompt: asked.append(prompt) or "")
    assert len(asked) == 1  # nothing is asked after the last step


def test_of_large_arrays_the_terminal_shows_range_mean_and_zeros():
    step = training_step.Step(
        "forward", "layer", "words", (training_step.Tensor("out", np.r_[np.zeros(50), [7.0] * 50]),)
    )
    assert list(stepper.text(step, "Step 1 of 1"))[-1] == "    0 to 7, mean 3.5, 50 % are 0"


def page_data(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def pixels(tensor):
    """The colours of a tensor's picture, (H, W, 4)."""
    head, text = tensor["png"].split(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA"))


def test_the_page_holds_every_step_and_each_array_once(small):
    steps = small[3]
    page = step_page.html(steps, "A title </script>")
    assert page.count("</script>") == 2
    data = page_data(page)
    assert data["title"] == "A title </script>"
    assert [step["title"] for step in data["steps_taken"]] == [step.title for step in steps]
    assert data["layers"] == 6
    distinct = {id(tensor.array) for step in steps for tensor in step.tensors}
    assert len(data["tensors"]) == len(distinct)
    for step, shown in zip(steps, data["steps_taken"], strict=True):
        for tensor, (name, key) in zip(step.tensors, shown["tensors"], strict=True):
            described = data["tensors"][key]
            assert (name, tuple(described["shape"])) == (tensor.name, tensor.array.shape)
            if tensor.array.size <= step_page.NUMBERS:
                numbers = np.concatenate([np.ravel(row) for table in described["numbers"] for row in table])
                np.testing.assert_array_equal(numbers, tensor.array.ravel())


def test_a_picture_tells_its_numbers():
    """Each colour stands for a number: within half a step of the true one."""
    array = seeded("picture").standard_normal((1, 3, 9, 10))
    array[0, 0, 0, 0] = 0
    (tensor,) = page_data(
        step_page.html([training_step.Step("input", "", "", (training_step.Tensor("x", array),))], "")
    )["tensors"]
    picture = pixels(tensor)
    index = {tuple(colour): i for i, colour in enumerate(png.PALETTE.tolist()) if i}
    assert len(index) == 63
    assert tuple(picture[0, 0, :3]) == (255, 255, 255)
    for c in range(3):
        left = c * (10 + 1)
        part = picture[:9, left : left + 10]
        assert (part[..., 3] == 255).all()
        levels = np.array([[index[tuple(pixel[:3].tolist())] for pixel in row] for row in part])
        found = (levels - png.ZERO) / png.STEPS * tensor["largest"]
        np.testing.assert_allclose(found, array[0, c], atol=0.51 / png.STEPS * np.abs(array).max())
    assert (picture[:, 10, 3] == 0).all()  # the gap is transparent


def test_a_photo_is_gray():
    array = np.linspace(0, 1, 100).reshape(1, 1, 10, 10)
    (tensor,) = page_data(
        step_page.html([training_step.Step("input", "", "", (training_step.Tensor("x", array),))], "")
    )["tensors"]
    picture = pixels(tensor)[..., :3]
    assert (np.ptp(picture, axis=2) == 0).all()
    np.testing.assert_allclose(picture[..., 0] / 255, array[0, 0], atol=0.01)


@pytest.mark.parametrize("count", range(1, 60))
def test_tiles_leave_few_places_empty(count):
    across = png.across(count)
    assert across * -(-count // across) - count < across
    assert across <= 12


def test_the_page_of_a_face_network_is_small_and_names_no_other_file(hourglass):
    page = step_page.html(*hourglass)
    assert len(page) < 2_000_000
    data = re.search(r'(<script type="application/json" id="data">)(.*?)(</script>)', page, re.DOTALL)
    own = page.replace(data[2], "")
    assert re.findall(r"https?:|//\w|@import|url\(|src=\"|href=", own) == []
    assert "default-src 'none'" in own


def test_a_file_is_written_whole_and_never_over_another(tmp_path, capsys):
    file = tmp_path / "step.html"
    assert main(["step", "--html", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: 16 steps, 0.0 MB; open it in a browser\n"
    assert file.read_text("utf-8") == step_page.html(*stepper.take("one-point"))
    assert [path.name for path in tmp_path.iterdir()] == ["step.html"]
    file.write_text("mine")
    assert main(["step", "--html", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"{LINE}--html {file}: exists already, and nothing is written over; choose another name\n"
    )
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hourglas"], "there is no network 'hourglas' to step through; did you mean hourglass?"),
        (["xyz"], "there is no network 'xyz' to step through; choose one of one-point, compact, hourglass"),
        (["--face", "1"], "--face, --steps and --weights are for faces; name compact or hourglass"),
        (["compact", "--face", "12"], "--face must be from 0 to 11, got 12"),
        (["compact", "--steps", "-1"], "--steps must be from 0 to 1000, got -1"),
        (["--html", "no/such/step.html"], "--html no/such/step.html: there is no folder no/such; make it first"),
        (["hourglass", "--weights", "no.safetensors"], "--weights no.safetensors: no such file"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["step", *arguments]) == 2
    assert capsys.readouterr() == ("", f"{LINE}{message}\n")
    assert list(tmp_path.iterdir()) == []


def test_weights_from_a_file():
    from fkp_app.backends.predictor import SHIPPED_WEIGHTS
    from numpynet.learn.errors import LearnError

    steps, title = stepper.take("hourglass", weights=SHIPPED_WEIGHTS)
    assert title == "Training step 1 of the hourglass network on 4 faces"
    loss = next(float(re.search(r"gives (\S+)\. ", step.words)[1]) for step in steps if step.phase == "loss")
    assert loss < 0.001  # it knows this face
    with pytest.raises(LearnError, match=r"holds a HourglassNet for crops of 96 pixels; wanted a KeypointNet for 96$"):
        stepper.take("compact", weights=SHIPPED_WEIGHTS)
