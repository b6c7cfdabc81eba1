"""The gradient checker: it accepts right gradients for many geometries, names mistakes, and reports them plainly."""

import numpy as np
import pytest

from numpynet import functional, layers
from numpynet.gradcheck import directional_derivative, examine, numerical_gradient
from numpynet.gradcheck.__main__ import main
from numpynet.gradcheck.cases import CASES
from numpynet.gradcheck.causes import Hints
from numpynet.gradcheck.known import known
from numpynet.learn.lessons.plant import bugs, planted

RNG = np.random.default_rng(7)
GEOMETRIES = [
    {"kernel": 3, "stride": 1, "padding": 0, "dilation": 1},
    {"kernel": 3, "stride": 2, "padding": 1, "dilation": 1},
    {"kernel": 2, "stride": 3, "padding": 1, "dilation": 2},
    {"kernel": 3, "stride": 1, "padding": 1, "dilation": 2},
    {"kernel": 1, "stride": 1, "padding": 0, "dilation": 1},
]


def test_every_operation_and_every_layer_has_a_case():
    operations = {name.removesuffix("_backward") for name in functional.__all__ if name.endswith("_backward")}
    assert operations <= set(CASES)
    checked = {finding.name.split()[0].removesuffix(":") for finding in CASES["layers"](np.random.default_rng(1))}
    assert set(layers.__all__) <= checked


@pytest.mark.parametrize("name", list(CASES))
def test_every_gradient_is_right(name):
    findings = CASES[name](np.random.default_rng(1))
    assert findings
    assert not [finding for finding in findings if not finding.passed]


@pytest.mark.parametrize("name", ["conv2d", "max_pool2d"])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_geometry(name, geometry):
    for finding in CASES[name](np.random.default_rng(2), **geometry):
        assert finding.passed, finding


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("batch_norm", {"training": False}),
        ("batch_norm", {"batch": 2, "channels": 1, "size": 2, "eps": 0.3}),
        ("smooth_l1_loss", {"beta": 0.3, "reduction": "sum"}),
        ("smooth_l1_loss", {"beta": 0.0}),
        ("wing_loss", {"reduction": "sum", "w": 0.4, "eps": 0.7}),
        ("focal_loss", {"reduction": "sum", "gamma": 0.0}),
        ("focal_loss", {"gamma": 0.5}),
        ("mse_loss", {"reduction": "sum"}),
        ("avg_pool2d", {"count_include_pad": False}),
        ("avg_pool2d", {"size": 8, "kernel": 4, "stride": 3, "padding": 2, "ceil_mode": True}),
        ("conv2d", {"batch": 1, "channels": 1, "filters": 1}),
        ("conv2d", {"bias": False, "kernel": (3, 2), "size": (5, 8), "stride": (2, 1), "padding": (0, 1)}),
        ("max_pool2d", {"kernel": (2, 3), "size": (6, 9), "stride": (1, 2), "padding": (1, 0), "dilation": (1, 2)}),
        ("avg_pool2d", {"kernel": (1, 3), "size": (4, 6), "stride": 1, "padding": (0, 1)}),
        ("linear", {"bias": False}),
        ("batch_norm", {"weight": False, "bias": False}),
        ("batch_norm", {"weight": False, "training": False, "size": (2, 5)}),
        ("upsample_nearest2d", {"size": (2, 5), "factor": 3}),
        ("soft_argmax2d", {"size": 3}),
        ("adam_update", {"decoupled": True, "steps": 5, "eps": 1e-8}),
        ("adam_update", {"weight_decay": 0.0, "beta1": 0.0}),
        ("train_step", {"batch": 1}),
    ],
)
def test_options(name, options):
    for finding in CASES[name](np.random.default_rng(3), **options):
        assert finding.passed, finding


def test_numerical_gradient_by_hand():
    x = np.array([1.0, -2.0, 3.0])
    gradient = numerical_gradient(lambda: x**3, x, np.array([1.0, 10.0, 100.0]))
    np.testing.assert_allclose(gradient, [3.0, 120.0, 2700.0], rtol=1e-7)
    np.testing.assert_array_equal(x, [1.0, -2.0, 3.0])
    along = directional_derivative(lambda: x**3, x, np.array([1.0, 0.0, 2.0]), np.array([1.0, 10.0, 100.0]))
    assert along == pytest.approx(3.0 + 5400.0, rel=1e-7)
    np.testing.assert_array_equal(x, [1.0, -2.0, 3.0])


def test_float32_is_refused():
    with pytest.raises(ValueError, match="x must be float64, got float32"):
        numerical_gradient(lambda: np.ones(1), np.ones(1, np.float32), np.ones(1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g[:, :, :-1], "a transpose, or a sum left out"),
        (lambda g: np.zeros_like(g), "zero everywhere"),
        (lambda g: g * np.nan, "not finite"),
        (lambda g: g + 0.5, "off by the same 0.5"),
        (lambda g: g.swapaxes(2, 3), "axes 2 and 3 are swapped"),
        (lambda g: -g, "wrong sign"),
        (lambda g: g * np.array([2.0, 3.0, 4.0])[:, None, None], "depends on axis 1 alone"),
        (lambda g: g[:, :, ::-1, ::-1].copy(), "the last two axes are mirrored: two slices run backwards"),
        (lambda g: g[:, :, ::-1].copy(), "axis 2 is mirrored: a slice runs backwards"),
        (
            lambda g: g + RNG.standard_normal(g.shape),
            "a term that is missing, or a product whose factors are",
        ),
    ],
)
def test_causes(change, words):
    gradient = np.random.default_rng(4).standard_normal((2, 3, 5, 5))
    finding = examine("dx", change(gradient), gradient)
    assert not finding.passed
    assert words in finding.cause


COVERAGE = np.pad(np.ones((3, 3), int), 1)
# What is done to a gradient; what the function has; the cause.
PARTS = [
    (lambda g: g * COVERAGE + (1 - COVERAGE), {"padding"}, "wrong only at the border: padding"),
    (lambda g: g * COVERAGE + (1 - COVERAGE), {"stride"}, "not zero where no window looks: stride is missing"),
    (
        lambda g: g * COVERAGE + (1 - COVERAGE),
        {"stride", "dilation"},
        "not zero where no window looks: stride or dilation is missing",
    ),
    (lambda g: g[:, :, ::-1].copy(), {"kernel"}, "axis 2 is mirrored: a kernel or a slice runs backwards"),
    (
        lambda g: g[:, :, ::-1, ::-1].copy(),
        {"kernel"},
        "the last two axes are mirrored: a kernel is turned by 180 degrees",
    ),
    (
        lambda g: g * np.array([2.0, 3.0, 4.0])[:, None, None],
        {"weight"},
        "a factor that depends on axis 1 alone is missing or too many (such as a weight per channel)",
    ),
    (
        lambda g: g * np.array([2.0, 3.0, 4.0])[:, None, None],
        set(),
        "a factor that depends on axis 1 alone is missing or too many",
    ),
]


@pytest.mark.parametrize(("change", "parts", "cause"), PARTS)
def test_a_cause_is_named_only_where_the_function_has_its_part(change, parts, cause):
    gradient = np.random.default_rng(4).standard_normal((2, 3, 5, 5))
    hints = Hints(COVERAGE if "where" in cause or "border" in cause else None, parts=frozenset(parts))
    assert examine("dx", change(gradient), gradient, hints=hints).cause == cause


def test_a_function_without_windows_has_no_border():
    gradient = np.random.default_rng(4).standard_normal((1, 1, 3, 3))
    wrong = gradient + RNG.standard_normal(gradient.shape) * (np.arange(9).reshape(3, 3) != 4)
    assert "border" not in examine("dx", wrong, gradient).cause
    assert "border" in examine("dx", wrong, gradient, hints=Hints(np.ones((3, 3)), parts=frozenset({"padding"}))).cause


def test_the_parts_of_a_function_are_those_that_its_options_give_it():
    x, weight = np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3))
    assert known("conv2d", {"x": x, "weight": weight}, {}).parts == {"kernel"}
    assert known("conv2d", {"x": x, "weight": weight}, {"padding": 1, "dilation": 2}).parts == {
        "kernel",
        "padding",
        "dilation",
    }
    assert known("avg_pool2d", {"x": x}, {"kernel_size": 2}).parts == {"kernel", "stride"}
    assert known("relu", {"x": x}, {}).parts == set()
    assert known("batch_norm", {"x": x, "weight": None}, {}).parts == set()
    assert known("batch_norm", {"x": x, "weight": np.ones(1)}, {}).parts == {"weight"}


def test_the_largest_error_is_found_where_it_is():
    gradient = np.random.default_rng(5).standard_normal((4, 6))
    wrong = gradient.copy()
    wrong[2, 3] += 0.01
    finding = examine("dweight", wrong, gradient)
    assert finding.where == (2, 3)
    assert finding.analytic - finding.numeric == pytest.approx(0.01)
    assert finding.error == pytest.approx(0.01 / np.abs(gradient).max())


def test_command_line(capsys):
    assert main(["conv2d", "--stride", "2", "--padding", "1"]) == 0
    text = capsys.readouterr().out
    for name in ("dx", "dweight", "dbias"):
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
        assert "ok" in line
        assert "analytic" in line
    assert "every gradient is right" in text


def test_command_line_refuses_a_kernel_larger_than_the_image(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["conv2d", "--kernel", "9"])
    assert caught.value.code == 2
    assert "smaller than the kernel (9, 9)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["conv2d", "--stride", "0"], "--stride must be at least 1, got 0"),
        (["conv2d", "--padding", "-1"], "--padding must be at least 0, got -1"),
        (["max_pool2d", "--channels", "0"], "--channels must be at least 1, got 0"),
        (["linear", "--batch", "0"], "--batch must be at least 1, got 0"),
        (["batch_norm", "--eps", "0"], "batch_norm: eps must be above 0, got 0.0"),
        (["linear", "--seed", "-1"], "--seed must be at least 0, got -1"),
        (["relu", "--batch", "0"], "--batch must be at least 1, got 0"),
        (["conv2d", "--kernel", "0x2"], "--kernel must be at least 1, got 0"),
        (["conv2d", "--kernel", "3x2x1"], "must be a whole number or HEIGHTxWIDTH, such as 3x2, got '3x2x1'"),
        (["conv2d", "--size", "x"], "must be a whole number or HEIGHTxWIDTH, such as 3x2, got 'x'"),
        (["linear", "--batch", str(10**13)], "there is not enough memory for these sizes; take smaller ones"),
        (["reluu"], "there is no case 'reluu'; did you mean relu?"),
        (["linear", "--batch", "x"], "python -m numpynet.gradcheck linear: --batch must be a whole number, got 'x'"),
        (["net", "--show"], "gradcheck net: there is no option --show; --help lists the options"),
        (["conv2d", "--pading=1"], "gradcheck conv2d: there is no option --pading; did you mean --padding?"),
        (["conv2d", "3"], "gradcheck conv2d: there is no argument '3'; --help lists the arguments"),
        (["--nope"], "gradcheck: --nope: name a case first, its options after it; --help lists the cases"),
        (["--hlep"], "gradcheck: --hlep: name a case first, its options after it; did you mean --help?"),
    ],
)
def test_command_line_names_an_option_out_of_range(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(words)


def test_command_line_fails_if_a_gradient_is_wrong(capsys, monkeypatch):
    from numpynet import functional as F

    monkeypatch.setattr(F, "relu_backward", lambda dout, cache: 2 * dout * cache.passed)
    assert main(["relu"]) == 1
    text = capsys.readouterr().out
    assert "WRONG" in text
    assert "every element is 2 times" in text
    assert text.splitlines()[-1] == "1 gradient is WRONG"


def test_two_wrong_gradients_are_counted(capsys, monkeypatch):
    from numpynet import functional as F

    right = F.linear_backward
    monkeypatch.setattr(F, "linear_backward", lambda dout, cache: right(2 * dout, cache))
    assert main(["linear"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 gradients are WRONG"


def test_the_output_says_what_its_three_numbers_are(capsys):
    assert main(["relu"]) == 0
    _, legend, verdict = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in legend.splitlines()] == ["analytic", "numeric", "error"]
    assert verdict == "every gradient is right\n"


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["max_pool2d", "--kernel", "2", "--stride", "2"], "this geometry cannot see = for +="),
        (["conv2d", "--kernel", "2x1", "--stride", "3"], "this geometry cannot see = for +="),
        (["linear", "--batch", "1"], "this check cannot see a sum over the batch left out"),
        (["net", "--directions", "1"], "batch norm subtracts this bias again"),
    ],
)
def test_a_note_says_what_a_check_cannot_see(arguments, note, capsys):
    assert main(arguments) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "note:" in line]
    assert notes
    assert all(note in line for line in notes)


def test_no_note_where_windows_overlap(capsys):
    assert main(["max_pool2d", "--kernel", "3", "--stride", "2"]) == 0
    assert "note:" not in capsys.readouterr().out


def test_the_note_is_true_of_its_geometry():
    """With windows side by side, = is as good as +=: the check passes. With windows that overlap it fails."""
    with planted(bugs()["pool_assigns"]):
        (beside,) = CASES["max_pool2d"](np.random.default_rng(0), kernel=2, stride=2, padding=0)
        (overlapping,) = CASES["max_pool2d"](np.random.default_rng(0), kernel=3, stride=2, padding=0)
    assert (beside.passed, overlapping.passed) == (True, False)


def test_the_biases_before_a_batch_norm_alone_carry_a_note():
    noted = [finding.name for finding in CASES["net"](np.random.default_rng(0), directions=1) if finding.note]
    assert noted == ["dconv1.bias", "dconv2.bias", "dfc1.bias", "dfc2.bias"]
