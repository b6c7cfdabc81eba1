"""The diagnosis: mistakes of every function, planted in its place, and the words that must name them."""

import numpy as np
import pytest

from numpynet import functional as F
from numpynet.gradcheck.cases import CASES
from numpynet.learn.lessons.plant import Bug, planted

LAST_IMAGE = "only the last image counts: the sum over the batch is missing"

# Case and options; the source text and what replaces it; the wrong gradient; words of its cause.
PLANTED = {
    "ReLU without its mask": (
        "relu",
        {},
        ("return np.where(cache.passed, dout, dout.dtype.type(0))", "return dout.copy()"),
        ("dx", "not zero where it must be: a mask is missing"),
    ),
    "ReLU with the mask reversed": (
        "relu",
        {},
        ("np.where(cache.passed, dout, dout.dtype.type(0))", "np.where(cache.passed, dout.dtype.type(0), dout)"),
        ("dx", "the mask is reversed"),
    ),
    "ReLU that drops what arrives": (
        "relu",
        {},
        ("np.where(cache.passed, dout, dout.dtype.type(0))", "cache.passed.astype(dout.dtype)"),
        ("dx", "dout is left out"),
    ),
    "dropout without its mask": (
        "dropout",
        {},
        ("return dout * cache.mask *", "return dout *"),
        ("dx", "a mask is missing"),
    ),
    "dropout without mask and scale": (
        "dropout",
        {"p": 0.5},
        ("return dout * cache.mask * dout.dtype.type(cache.scale)", "return dout.copy()"),
        ("dx", "a mask is missing; and of the others every element is 0.5 times"),
    ),
    "dropout without its scale": (
        "dropout",
        {"p": 0.4},
        (" * dout.dtype.type(cache.scale)\n", "\n"),
        ("dx", "every element is 0.6 times what it should be: a factor is missing or too many (0.6 is 1 - p)"),
    ),
    "smooth L1 without clipping": (
        "smooth_l1_loss",
        {},
        ("np.clip(d / beta, -1, 1)", "d / beta"),
        ("dx", "wrong only where |x - target| >= 1"),
    ),
    "smooth L1 with the sign in both branches": (
        "smooth_l1_loss",
        {},
        ("np.clip(d / beta, -1, 1)", "np.sign(d)"),
        ("dx", "wrong only where |x - target| < 1"),
    ),
    "smooth L1 that leaves dloss out": (
        "smooth_l1_loss",
        {},
        ('per_element("smooth_l1_loss_backward", dloss, cache)', 'per_element("smooth_l1_loss_backward", 1.0, cache)'),
        ("dx", "dout is left out"),
    ),
    "mse divides by the images": (
        "mse_loss",
        {},
        ("2.0 * dloss, cache)", "2.0 * dloss * cache.residual.shape[1], cache)"),
        ("dx", "(6 is the elements per image)"),
    ),
    "wing loss without its first branch": (
        "wing_loss",
        {},
        ("np.where(size < cache.w, cache.w / (cache.eps + size), 1)", "np.ones_like(d)"),
        ("dx", "wrong only where |x - target| < 0.9"),
    ),
    "focal loss that forgets which answer is right": (
        "focal_loss",
        {},
        ("return cache.sign * cache.weight", "return cache.weight"),
        ("dx", "wrong only where target is 0"),
    ),
    "upsampling takes one pixel": (
        "upsample_nearest2d",
        {},
        ("if i or j:", "if False:"),
        ("dx", "one of each pixel's 4 gradients is taken: their sum is needed"),
    ),
    "upsampling averages": (
        "upsample_nearest2d",
        {"factor": 3},
        ("    return dx\n", "    return dx / s**2\n"),
        ("dx", "1 / 9, and 9 is the copies of each pixel"),
    ),
    "linear with a transposed dx": (
        "linear",
        {"inputs": 3, "outputs": 3},
        ("dout @ cache.weight ", "dout @ cache.weight.T "),
        ("dx", "no transpose is needed here"),
    ),
    "linear of the last image": (
        "linear",
        {},
        ("dout.T @ cache.x", "dout[-1:].T @ cache.x[-1:]"),
        ("dweight", LAST_IMAGE),
    ),
    "linear's bias averaged": (
        "linear",
        {},
        ("dout.sum(axis=0)", "dout.mean(axis=0)"),
        ("dbias", "1 / 4, and 4 is the batch"),
    ),
    "linear with a gradient for a bias that is not there": (
        "linear",
        {"bias": False},
        ("dout.sum(axis=0) if cache.has_bias else None", "dout.sum(axis=0)"),
        ("dbias", "there is no bias, so its gradient must be None"),
    ),
    "linear without its bias gradient": (
        "linear",
        {},
        ("dout.sum(axis=0) if cache.has_bias else None", "None"),
        ("dbias", "it must be an array, and is None"),
    ),
    "conv of the last image": (
        "conv2d",
        {},
        ("dfilters += dout[n]", "dfilters[...] = dout[n]"),
        ("dweight", LAST_IMAGE),
    ),
    "conv's bias averaged": (
        "conv2d",
        {"size": 5},
        ("dout.sum(axis=(0, 2))", "dout.mean(axis=(0, 2))"),
        ("dbias", "1 / 18, and 18 is both the batch and the pixels"),
    ),
    "conv whose windows all overlap, with = for +=": (
        "conv2d",
        {"size": 3, "kernel": 3, "padding": 1},
        ("dimage[:, rows, columns] += ", "dimage[:, rows, columns] = "),
        ("dx", "wrong only where windows overlap: += is needed"),
    ),
    "conv with its filters turned": (
        "conv2d",
        {"kernel": (3, 2), "size": (6, 7)},
        ("filters.T @ dout[n]", "filters.reshape(weight.shape)[..., ::-1, ::-1].reshape(F, -1).T @ dout[n]"),
        ("dx", "the filters are turned by 180 degrees"),
    ),
    "conv that folds without its stride": (
        "conv2d",
        {"kernel": 3, "stride": 2, "padding": 1},
        ("fold(dunfolded, dxp[n], kernel, stride, dilation", "fold(dunfolded, dxp[n], kernel, (1, 1), dilation"),
        ("dx", "the stride is missing"),
    ),
    "conv that folds without its dilation": (
        "conv2d",
        {"kernel": (2, 3), "dilation": 2},
        ("fold(dunfolded, dxp[n], kernel, stride, dilation", "fold(dunfolded, dxp[n], kernel, stride, (1, 1)"),
        ("dx", "the dilation is missing"),
    ),
    "conv that does not cut the padding off": (
        "conv2d",
        {"padding": 1},
        ("dxp[:, :, PH : PH + H, PW : PW + W]", "dxp[:, :, :H, :W]"),
        ("dx", "the padding is missing"),
    ),
    "conv whose dweight ignores the padding": (
        "conv2d",
        {"padding": 1},
        (
            "unfolded = unfold(xp[n], kernel, stride, dilation, (OH, OW))",
            "unfolded = unfold(np.roll(xp, (-PH, -PW), (2, 3))[n], kernel, stride, dilation, (OH, OW))",
        ),
        ("dweight", "the padding is missing"),
    ),
    "pool to the whole window": (
        "max_pool2d",
        {},
        ("np.where(cache.winner == kh * KW + kw, dout, zero)", "dout"),
        ("dx", "each pixel of a window gets its dout"),
    ),
    "pool that shares": (
        "max_pool2d",
        {},
        ("np.where(cache.winner == kh * KW + kw, dout, zero)", "dout / (cache.kernel[0] * KW)"),
        ("dx", "dout is shared by all pixels of a window"),
    ),
    "pool that returns too early": (
        "max_pool2d",
        {},
        (
            "np.where(cache.winner == kh * KW + kw, dout, zero)\n",
            "np.where(cache.winner == kh * KW + kw, dout, zero)\n        break\n",
        ),
        ("dx", "only the first 1 of the kernel's 9 elements are handled"),
    ),
    "average pool that does not divide": (
        "avg_pool2d",
        {},
        ("share = dout / cache.area", "share = dout"),
        ("dx", "9 is the kernel's area"),
    ),
    "batch norm with constant statistics": (
        "batch_norm",
        {},
        ("if not cache.from_batch:", "if True:"),
        ("dx", "the statistics are held constant"),
    ),
    "batch norm with constant statistics, without a weight": (
        "batch_norm",
        {"weight": False},
        ("if not cache.from_batch:", "if True:"),
        ("dx", "the statistics are held constant"),
    ),
    "batch norm without the path through the mean": (
        "batch_norm",
        {},
        ("dx = dout - per_channel(dbias / M, dout)", "dx = dout.copy()"),
        ("dx", "the path through the mean is missing"),
    ),
    "batch norm without the path through the variance": (
        "batch_norm",
        {},
        ("dx -= x_hat * per_channel(dweight / M, dout)", "pass"),
        ("dx", "the path through the variance is missing"),
    ),
    "batch norm that divides by M - 1": (
        "batch_norm",
        {},
        ("dout.dtype.type(cache.elements)", "dout.dtype.type(cache.elements - 1)"),
        ("dx", "divided by M - 1 = 47, not by M = 48"),
    ),
    "batch norm that divides by N": (
        "batch_norm",
        {},
        ("dout.dtype.type(cache.elements)", "dout.dtype.type(len(dout))"),
        ("dx", "divided by the 3 images, not by M = 48"),
    ),
    "batch norm without its standard deviation": (
        "batch_norm",
        {},
        ("else cache.weight * cache.inv_std ", "else cache.weight "),
        ("dx", "a factor that depends on axis 1 alone"),
    ),
    "Adam without its correction": (
        "adam_update",
        {},
        ("m_hat = m / (1 - beta1**step)\n        v_hat = v / (1 - beta2**step)", "m_hat = m\n        v_hat = v"),
        ("param after step 1", "no bias correction"),
    ),
    "Adam without ^t": (
        "adam_update",
        {},
        ("(1 - beta1**step)\n        v_hat = v / (1 - beta2**step)", "(1 - beta1)\n        v_hat = v / (1 - beta2)"),
        ("param after step 2", "lacks its ^t"),
    ),
    "Adam with eps inside the root": (
        "adam_update",
        {},
        ("(np.sqrt(v_hat) + eps)", "np.sqrt(v_hat + eps)"),
        ("param after step 1", "eps stands inside the root"),
    ),
    "Adam uphill": (
        "adam_update",
        {},
        ("p -= lr * m_hat", "p += lr * m_hat"),
        ("param after step 1", "uphill"),
    ),
    "Adam without its decay": (
        "adam_update",
        {},
        ("elif weight_decay:", "elif False:"),
        ("exp_avg after step 1", "the weight decay is left out"),
    ),
}
MODULES = {"mse_loss": "losses", "smooth_l1_loss": "losses", "wing_loss": "losses", "adam_update": "adam"}


@pytest.mark.parametrize("mistake", list(PLANTED))
def test_the_mistake_is_named(mistake):
    case, options, (right, wrong), (name, words) = PLANTED[mistake]
    assert all(finding.passed for finding in CASES[case](np.random.default_rng(0), **options))
    function = "fold" if "dimage" in right else case if case == "adam_update" else f"{case}_backward"
    module = f"numpynet.functional.{MODULES.get(case, case)}"
    with planted(Bug(name="planted", title=mistake, module=module, function=function, right=right, wrong=wrong)):
        findings = {finding.name: finding for finding in CASES[case](np.random.default_rng(0), **options)}
    assert not findings[name].passed
    assert words in findings[name].cause


def test_soft_argmax_without_its_mean_is_named(monkeypatch):
    right = F.soft_argmax2d_backward
    monkeypatch.setattr(
        F, "soft_argmax2d_backward", lambda dout, cache: right(dout, cache._replace(position=0 * cache.position))
    )
    (finding,) = CASES["soft_argmax2d"](np.random.default_rng(0))
    assert finding.cause == "the mean position is not subtracted"


def test_a_forgotten_zero_grad_is_named(monkeypatch):
    from numpynet.optim import Optimizer

    assert all(finding.passed for finding in CASES["train_step"](np.random.default_rng(0)))
    monkeypatch.setattr(Optimizer, "zero_grad", lambda self: None)
    findings = {finding.name: finding for finding in CASES["train_step"](np.random.default_rng(0))}
    assert findings["dweight used by step 1"].passed
    assert "zero_grad is missing" in findings["dweight used by step 2"].cause
    assert "zero_grad is missing" in findings["dbias used by step 3"].cause
