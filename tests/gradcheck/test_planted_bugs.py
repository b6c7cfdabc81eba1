"""Common mistakes of educational networks: each is planted in a copy of a module, and must be caught and named."""

import numpy as np
import pytest

from numpynet import functional as F
from numpynet.gradcheck.cases import CASES
from tests.functional import test_by_definition
from tests.gradcheck.planted import plant

# Case and options; module and function; the right text and the planted one; the wrong gradient; words of the verdict.
GRADIENT_BUGS = {
    "pool backward with = for +=": (
        ("max_pool2d", {"kernel": 3, "stride": 2, "padding": 0}),
        ("max_pool2d", "max_pool2d_backward"),
        ("dxp[:, :, rows, columns] += ", "dxp[:, :, rows, columns] = "),
        ("dx", "wrong only where windows overlap"),
    ),
    "batch norm divides by the wrong count": (
        ("batch_norm", {}),
        ("batch_norm", "batch_norm_backward"),
        ("dout.dtype.type(cache.elements)", "dout.dtype.type(cache.elements - 1)"),
        ("dx", "the sums are divided by M - 1"),
    ),
    "batch norm backward without its weight": (
        ("batch_norm", {}),
        ("batch_norm", "batch_norm_backward"),
        ("cache.weight * cache.inv_std", "cache.inv_std"),
        ("dx", "a factor that depends on axis 1 alone"),
    ),
    "batch norm backward that holds the statistics constant": (
        ("batch_norm", {}),
        ("batch_norm", "batch_norm_backward"),
        ("if not cache.from_batch:", "if True:"),
        ("dx", "the statistics are held constant"),
    ),
    "stride missing in conv backward": (
        ("conv2d", {"kernel": 2, "stride": 3, "size": 8}),
        ("conv2d", "conv2d_backward"),
        ("fold(dunfolded, dxp[n], kernel, stride, dilation", "fold(dunfolded, dxp[n], kernel, (1, 1), dilation"),
        ("dx", "not zero where no window looks"),
    ),
    "conv backward with = for +=": (
        ("conv2d", {"size": 6, "kernel": 2}),
        ("conv2d", "conv2d_backward"),
        ("dimage[:, rows, columns] += ", "dimage[:, rows, columns] = "),
        ("dx", "wrong only where windows overlap"),
    ),
    "conv backward that mirrors the kernel": (
        ("conv2d", {}),
        ("conv2d", "conv2d_backward"),
        ("dweight = dfilters.reshape(weight.shape)", "dweight = dfilters.reshape(weight.shape)[..., ::-1]"),
        ("dweight", "axis 3 is mirrored"),
    ),
    "linear backward with a transposed weight gradient": (
        ("linear", {"inputs": 4, "outputs": 4}),
        ("linear", "linear_backward"),
        ("dout.T @ cache.x", "cache.x.T @ dout"),
        ("dweight", "axes 0 and 1 are swapped"),
    ),
    "linear bias averaged instead of summed": (
        ("linear", {}),
        ("linear", "linear_backward"),
        ("dout.sum(axis=0)", "dout.mean(axis=0)"),
        ("dbias", "every element is 0.25 times"),
    ),
    "mean squared error without its 2": (
        ("mse_loss", {}),
        ("losses", "mse_loss_backward"),
        ("2.0 * dloss", "dloss"),
        ("dx", "every element is 0.5 times"),
    ),
    "dropout backward without its scale": (
        ("dropout", {"p": 0.5}),
        ("dropout", "dropout_backward"),
        ("return dout * cache.mask * dout.dtype.type(cache.scale)", "return dout * cache.mask"),
        ("dx", "every element is 0.5 times"),
    ),
    "ReLU backward that mutates dout": (
        ("relu", {}),
        ("relu", "relu_backward"),
        ("return np.where(cache.passed, dout, dout.dtype.type(0))", "dout *= cache.passed\n    return dout"),
        ("dout", "changes it in place"),
    ),
    "a sign": (
        ("smooth_l1_loss", {}),
        ("losses", "smooth_l1_loss_backward"),
        ("return slope *", "return -slope *"),
        ("dx", "wrong sign"),
    ),
}


@pytest.mark.parametrize("bug", list(GRADIENT_BUGS))
def test_gradient_bug_is_caught_and_named(bug, monkeypatch):
    (case, options), (module, function), (right, wrong), (name, words) = GRADIENT_BUGS[bug]
    assert all(finding.passed for finding in CASES[case](np.random.default_rng(0), **options))
    copy = plant(f"numpynet.functional.{module}", right, wrong)
    monkeypatch.setattr(F, function, getattr(copy, function))
    findings = {finding.name: finding for finding in CASES[case](np.random.default_rng(0), **options)}
    assert not findings[name].passed
    assert words in findings[name].cause


# Not gradients: module and function; the right text and the planted one; the test of tests/functional that must fail.
OTHER_BUGS = {
    "running variance is the biased one": (
        ("batch_norm", "running_update"),
        ("cache.var * (cache.elements / (cache.elements - 1))", "cache.var"),
        "test_running_update_remembers_the_unbiased_variance",
    ),
    "batch norm normalises with the unbiased variance": (
        ("batch_norm", "batch_norm"),
        (
            "var = np.square(centred).mean(axis=all_but_channels(x), dtype=np.float64)",
            "var = x.var(axis=all_but_channels(x), ddof=1)",
        ),
        "test_batch_norm",
    ),
    "Adam without bias correction": (
        ("adam", "adam_update"),
        ("m_hat = m / (1 - beta1**step)", "m_hat = m"),
        "test_adam_first_step_has_length_lr_whatever_the_gradient",
    ),
    "Adam with eps inside the root": (
        ("adam", "adam_update"),
        ("(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat + eps)"),
        "test_adam_eps_stands_outside_the_root_after_the_correction",
    ),
    "Adam with eps before the correction": (
        ("adam", "adam_update"),
        ("(np.sqrt(v_hat) + eps)", "((np.sqrt(exp_avg_sq) + eps) / np.sqrt(1 - beta2**step))"),
        "test_adam_eps_stands_outside_the_root_after_the_correction",
    ),
    "padding that wins a pool of negative numbers": (
        ("max_pool2d", "max_pool2d"),
        ("xp = pad(x, padding, -np.inf, ", "xp = pad(x, padding, 0.0, "),
        "test_max_pool2d",
    ),
    "pool backward with = for +=": (
        ("max_pool2d", "max_pool2d_backward"),
        ("dxp[:, :, rows, columns] += ", "dxp[:, :, rows, columns] = "),
        "test_max_pool2d_backward_adds_where_windows_overlap",
    ),
}


@pytest.mark.parametrize("bug", list(OTHER_BUGS))
def test_other_bug_fails_the_test_of_its_name(bug, monkeypatch):
    (module, function), (right, wrong), name = OTHER_BUGS[bug]
    test = getattr(test_by_definition, name)
    marks = {mark.args[0]: mark.args[1] for mark in getattr(test, "pytestmark", [])}
    rows = [dict(zip(names if isinstance(names, tuple) else (names,), values, strict=True)) if isinstance(names, tuple)
            else {names: values} for names, rows in marks.items() for values in rows] or [{}]  # fmt: skip
    for row in rows:
        test(**row)
    copy = plant(f"numpynet.functional.{module}", right, wrong)
    monkeypatch.setattr(F, function, getattr(copy, function))

    def run_all():
        for row in rows:
            test(**row)

    with pytest.raises(AssertionError):
        run_all()
