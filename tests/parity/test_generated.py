"""Operations beside PyTorch over geometries that Hypothesis generates."""

import numpy as np
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from numpynet import functional as F
from numpynet.functional.windows import output_size
from tests.parity.helper import check, seeded

generated = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,  # the same cases in every run, so that a failure can be repeated
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)
dtypes = st.sampled_from(["float64", "float32"])
small = st.integers(1, 3)
pairs = st.tuples(small, small)


@st.composite
def windows(draw):
    """Image shape (N, C, H, W), kernel, stride, padding and dilation for which at least one window fits."""
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    shape = (draw(small), draw(small), draw(st.integers(1, 10)), draw(st.integers(1, 10)))
    for i in (0, 1):
        assume(output_size(shape[2 + i], kernel[i], stride[i], padding[i], dilation[i]) >= 1)
    return shape, kernel, stride, padding, dilation


@generated
@given(windows(), small, st.booleans(), dtypes)
def test_conv2d(window, filters, bias, dtype):
    shape, kernel, stride, padding, dilation = window
    rng = seeded("conv2d", window, filters)
    inputs = [rng.standard_normal(s) for s in (shape, (filters, shape[1], *kernel), (filters,))][: 2 + bias]
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    check("conv2d", F.conv2d, F.conv2d_backward, torch.nn.functional.conv2d, inputs, dtype, **options)


@generated
@given(windows(), st.booleans(), st.booleans(), dtypes)
def test_max_pool2d(window, ceil_mode, ties, dtype):
    shape, kernel, stride, padding, dilation = window
    rng = seeded("max_pool2d", window, ceil_mode, ties)
    x = rng.integers(-3, 0, shape) if ties else rng.standard_normal(shape) - 3
    options = {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }
    check("max_pool2d", F.max_pool2d, F.max_pool2d_backward, torch.nn.functional.max_pool2d, [x], dtype, **options)


@generated
@given(windows(), st.booleans(), st.booleans(), dtypes)
def test_avg_pool2d(window, ceil_mode, count_include_pad, dtype):
    shape, kernel, stride, padding, _ = window
    assume(all(output_size(shape[2 + i], kernel[i], stride[i], padding[i], 1) >= 1 for i in (0, 1)))
    x = 3 + seeded("avg_pool2d", window).standard_normal(shape)
    options = {"kernel_size": kernel, "stride": stride, "padding": padding}
    options |= {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    check("avg_pool2d", F.avg_pool2d, F.avg_pool2d_backward, torch.nn.functional.avg_pool2d, [x], dtype, **options)


@generated
# If the mean is far above the spread, both sides lose digits; tests/parity/test_batch_norm.py compares with float64.
@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.floats(1e-6, 1), st.floats(-5, 5), dtypes)
def test_batch_norm(shape, eps, mean, dtype):
    assume(np.prod(shape) // shape[1] > 2)  # two numbers always become -1 and 1
    rng = seeded("batch_norm", shape, eps)
    inputs = [mean + rng.standard_normal(shape), rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])]

    def theirs(x, weight, bias, eps):
        return torch.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=eps)

    check("batch_norm, generated", F.batch_norm, F.batch_norm_backward, theirs, inputs, dtype, eps=eps)


@generated
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.booleans(), dtypes)
def test_linear(batch, inputs, outputs, bias, dtype):
    rng = seeded("linear", batch, inputs, outputs)
    arrays = [rng.standard_normal(s) for s in ((batch, inputs), (outputs, inputs), (outputs,))][: 2 + bias]
    check("linear", F.linear, F.linear_backward, torch.nn.functional.linear, arrays, dtype)


@generated
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.sampled_from(["mean", "sum"]),
    st.sampled_from([0.0, 0.25, 1.0, 3.0]),
    dtypes,
)
def test_smooth_l1_loss(shape, reduction, beta, dtype):
    rng = seeded("smooth_l1_loss", shape, beta)
    target = rng.integers(-4, 4, shape).astype(float)
    x = target + rng.choice([0.0, beta, -beta, 0.1, -7.0, 1.5], shape)  # zero and both kinks among them
    options = {"reduction": reduction, "beta": beta}
    check(
        "smooth_l1_loss", F.smooth_l1_loss, F.smooth_l1_loss_backward, torch.nn.functional.smooth_l1_loss,
        [x, target], dtype, constants=1, **options,
    )  # fmt: skip
