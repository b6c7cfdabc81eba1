"""Each operation against its definition, written as plain loops; and backward passes against a second derivation."""

import itertools

import numpy as np
import pytest

from numpynet.dispatch import F
from tests.seeds import seeded


def windows(image, kernel, stride, padding, dilation, fill):
    """Yields oh, ow and their window (C, KH, KW), copied pixel by pixel; pixels outside the image are `fill`."""
    C, H, W = image.shape
    OH = (H + 2 * padding[0] - dilation[0] * (kernel[0] - 1) - 1) // stride[0] + 1
    OW = (W + 2 * padding[1] - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
    for oh, ow in itertools.product(range(OH), range(OW)):
        window = np.full((C, *kernel), fill)
        for kh, kw in itertools.product(range(kernel[0]), range(kernel[1])):
            h, w = oh * stride[0] + kh * dilation[0] - padding[0], ow * stride[1] + kw * dilation[1] - padding[1]
            if 0 <= h < H and 0 <= w < W:
                window[:, kh, kw] = image[:, h, w]
        yield oh, ow, window


GEOMETRIES = [  # kernel, stride, padding, dilation
    ((3, 3), (1, 1), (0, 0), (1, 1)),
    ((3, 2), (2, 1), (1, 0), (1, 2)),
    ((2, 3), (3, 2), (1, 1), (2, 1)),
]
geometries = pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), GEOMETRIES)


@geometries
def test_conv2d(kernel, stride, padding, dilation):
    rng = seeded("conv2d", kernel, stride, padding, dilation)
    x = rng.standard_normal((2, 3, 8, 7))
    weight, bias = rng.standard_normal((4, 3, *kernel)), rng.standard_normal(4)
    out, _ = F.conv2d(x, weight, bias, stride, padding, dilation)
    seen = 0
    for n in range(2):
        for oh, ow, window in windows(x[n], kernel, stride, padding, dilation, 0.0):
            for f in range(4):
                assert out[n, f, oh, ow] == pytest.approx((weight[f] * window).sum() + bias[f], abs=1e-12)
                seen += 1
    assert seen == out.size


@geometries
def test_conv2d_backward_is_the_convolution_with_rotated_filters(kernel, stride, padding, dilation):
    """dx by the textbook rule: spread dout by the stride, pad it fully, convolve it with the rotated filters."""
    rng = seeded("rotated", kernel, stride, padding, dilation)
    (KH, KW), (SH, SW), (PH, PW), (DH, DW) = kernel, stride, padding, dilation
    x, weight = rng.standard_normal((2, 3, 8, 7)), rng.standard_normal((4, 3, *kernel))
    out, cache = F.conv2d(x, weight, None, stride, padding, dilation)
    dout = rng.standard_normal(out.shape)
    dx, _, _ = F.conv2d_backward(dout, cache)

    N, filters, OH, OW = dout.shape
    spread = np.zeros((N, filters, SH * (OH - 1) + 1, SW * (OW - 1) + 1))
    spread[:, :, ::SH, ::SW] = dout  # stride - 1 zeros between neighbours
    rotated = weight[:, :, ::-1, ::-1].swapaxes(0, 1)  # (F, C, KH, KW) -> (C, F, KH, KW)
    seen, _ = F.conv2d(spread, rotated, None, 1, (DH * (KH - 1), DW * (KW - 1)), dilation)
    dxp = np.zeros((N, 3, 8 + 2 * PH, 7 + 2 * PW))  # pixels at the end that no window covers keep 0
    dxp[:, :, : seen.shape[2], : seen.shape[3]] = seen
    np.testing.assert_allclose(dx, dxp[:, :, PH : PH + 8, PW : PW + 7], rtol=1e-12, atol=1e-12)


@geometries
def test_max_pool2d(kernel, stride, padding, dilation):
    rng = seeded("max_pool2d", kernel, stride, padding, dilation)
    x = rng.standard_normal((2, 3, 8, 7)) - 5  # negative numbers, so that a padding of zeros would win
    out, _ = F.max_pool2d(x, kernel, stride, padding, dilation)
    seen = 0
    for n in range(2):
        for oh, ow, window in windows(x[n], kernel, stride, padding, dilation, -np.inf):
            np.testing.assert_array_equal(out[n, :, oh, ow], window.max(axis=(1, 2)))
            seen += 3
    assert seen == out.size


def test_max_pool2d_backward_adds_where_windows_overlap():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1.0  # the maximum of all four 2 x 2 windows
    _, cache = F.max_pool2d(x, 2, stride=1)
    dout = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    dx = F.max_pool2d_backward(dout, cache)
    assert dx[0, 0, 1, 1] == 1111.0
    assert dx.sum() == 1111.0


def test_max_pool2d_lets_the_first_of_equal_elements_win():
    _, cache = F.max_pool2d(np.ones((1, 1, 2, 2)), 2)
    dx = F.max_pool2d_backward(np.full((1, 1, 1, 1), 3.0), cache)
    np.testing.assert_array_equal(dx[0, 0], [[3.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("kernel", [(46, 46), (60, 5), (5, 60)])
def test_max_pool2d_keeps_the_winner_of_a_large_window(kernel):
    """The winner's index, up to 2115, must fit into the cache's integer type."""
    x = np.zeros((1, 1, *kernel))
    x[0, 0, -1, -1] = 1
    _, cache = F.max_pool2d(x, kernel)
    assert int(cache.winner[0, 0, 0, 0]) == kernel[0] * kernel[1] - 1
    np.testing.assert_array_equal(F.max_pool2d_backward(np.full((1, 1, 1, 1), 3.0), cache), 3 * x)


def test_max_pool2d_keeps_nan():
    x = np.array([[[[1.0, np.nan], [2.0, 3.0]]]])
    out, cache = F.max_pool2d(x, 2)
    assert np.isnan(out).all()
    dx = F.max_pool2d_backward(np.ones((1, 1, 1, 1)), cache)
    np.testing.assert_array_equal(dx[0, 0], [[0.0, 1.0], [0.0, 0.0]])


@pytest.mark.parametrize("count_include_pad", [True, False])
@geometries
def test_avg_pool2d(kernel, stride, padding, dilation, count_include_pad):
    """Forward and backward: a window's dout is divided equally among its pixels."""
    rng = seeded("avg_pool2d", kernel, stride, padding)
    x = 3 + rng.standard_normal((2, 3, 8, 7))
    out, cache = F.avg_pool2d(x, kernel, stride, padding, count_include_pad=count_include_pad)
    dout, dx, seen = rng.standard_normal(out.shape), np.zeros_like(x), 0
    for n in range(2):
        for oh, ow, window in windows(x[n], kernel, stride, padding, (1, 1), np.nan):
            inside = ~np.isnan(window)
            count = window[0].size if count_include_pad else inside[0].sum()
            np.testing.assert_allclose(out[n, :, oh, ow], np.nansum(window, axis=(1, 2)) / count, rtol=1e-12)
            for kh, kw in np.argwhere(inside[0]):
                h, w = oh * stride[0] + kh - padding[0], ow * stride[1] + kw - padding[1]
                dx[n, :, h, w] += dout[n, :, oh, ow] / count
            seen += 3
    assert seen == out.size
    np.testing.assert_allclose(F.avg_pool2d_backward(dout, cache), dx, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("beyond", [0, 1])
def test_avg_pool2d_averages_only_the_pixels_inside_of_a_last_window_beyond_the_image(beyond):
    x = np.array([[[[1.0, 2, 6]]]])
    out, cache = F.avg_pool2d(x, (1, 2), ceil_mode=bool(beyond))
    np.testing.assert_array_equal(out[0, 0], [[1.5, 6][: 1 + beyond]])
    dx = F.avg_pool2d_backward(np.array([[[[4.0, 5][: 1 + beyond]]]]), cache)
    np.testing.assert_array_equal(dx[0, 0], [[2, 2, 5 * beyond]])


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_batch_norm(shape):
    rng = seeded("batch_norm", shape)
    x = rng.standard_normal(shape) * 3 + 7
    weight, bias = rng.standard_normal(3), rng.standard_normal(3)
    out, cache = F.batch_norm(x, weight, bias, eps=1e-3)
    for c in range(3):
        numbers = x[:, c].ravel().tolist()
        mean = sum(numbers) / len(numbers)
        var = sum((number - mean) ** 2 for number in numbers) / len(numbers)
        expected = weight[c] * (x[:, c] - mean) / (var + 1e-3) ** 0.5 + bias[c]
        np.testing.assert_allclose(out[:, c], expected, rtol=1e-12)
        assert cache.var[c] == pytest.approx(var)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5)])
def test_batch_norm_backward_is_the_staged_one(shape):
    """Forward in five lines, then backward through these lines in reverse, with one gradient per variable."""
    rng = seeded("staged", shape)
    x, dout = 7 + 3 * rng.standard_normal(shape), rng.standard_normal(shape)
    weight, bias, eps = rng.standard_normal(3), rng.standard_normal(3), 1e-3
    dx, dweight, dbias = F.batch_norm_backward(dout, F.batch_norm(x, weight, bias, eps=eps)[1])
    for c in range(3):
        M, w, x_c, dout_c = x[:, c].size, weight[c], x[:, c].ravel(), dout[:, c].ravel()
        mean = x_c.sum() / M
        centred = x_c - mean
        var = (centred**2).sum() / M
        std = np.sqrt(var + eps)
        x_hat = centred / std  # and out = w x_hat + bias

        dx_hat = w * dout_c  # from out = w x_hat + bias
        dstd = -(dx_hat * centred).sum() / std**2  # from x_hat = centred / std
        dcentred = dx_hat / std
        dvar = dstd / (2 * std)  # from std = sqrt(var + eps)
        dcentred += dvar * 2 * centred / M  # from var = sum(centred^2) / M, the second path of centred
        dmean = -dcentred.sum()  # from centred = x - mean
        staged = dcentred + dmean / M  # from mean = sum(x) / M, the second path of x

        np.testing.assert_allclose(dx[:, c].ravel(), staged, rtol=1e-10, atol=1e-12)
        assert dweight[c] == pytest.approx((dout_c * x_hat).sum(), abs=1e-12)
        assert dbias[c] == pytest.approx(dout_c.sum(), abs=1e-12)


def test_running_update_remembers_the_unbiased_variance():
    x = np.array([[1.0], [2.0], [6.0]])  # mean 3; the squared distances from the mean sum to 14
    _, cache = F.batch_norm(x)
    mean, var = F.running_update(np.array([10.0]), np.array([20.0]), cache, momentum=0.25)
    np.testing.assert_allclose(mean, 0.75 * 10 + 0.25 * 3)
    np.testing.assert_allclose(var, 0.75 * 20 + 0.25 * 14 / 2)


def test_batch_norm_keeps_digits_far_from_zero():
    """Around 4096, E[x^2] - E[x]^2 in float32 has an error of several units; the variance here is 1."""
    x = (seeded("far from zero").standard_normal((64, 1, 32, 32)) + 4096).astype(np.float32)
    _, cache = F.batch_norm(x)
    assert cache.var[0] == pytest.approx(x.astype(np.float64).var(), rel=1e-5)


def test_linear():
    rng = seeded("linear")
    x, weight, bias = rng.standard_normal((2, 3)), rng.standard_normal((4, 3)), rng.standard_normal(4)
    out, _ = F.linear(x, weight, bias)
    for n, o in itertools.product(range(2), range(4)):
        assert out[n, o] == pytest.approx(sum(x[n, i] * weight[o, i] for i in range(3)) + bias[o])


def test_relu_has_slope_zero_at_zero():
    out, cache = F.relu(np.array([-2.0, 0.0, 3.0]))
    np.testing.assert_array_equal(out, [0.0, 0.0, 3.0])
    np.testing.assert_array_equal(F.relu_backward(np.array([5.0, 6.0, 7.0]), cache), [0.0, 0.0, 7.0])


def test_dropout_keeps_the_expected_value():
    x = np.ones(200_000, np.float32)
    out, cache = F.dropout(x, 0.4, rng=0)
    assert set(np.unique(out)) == {np.float32(0), np.float32(1 / 0.6)}
    assert out.mean() == pytest.approx(1, abs=0.01)  # three standard deviations are 0.0055
    assert cache.mask.mean() == pytest.approx(0.6, abs=0.01)
    np.testing.assert_array_equal(F.dropout_backward(x, cache), out)


def test_dropout_keeps_a_number_whose_draw_is_p_itself():
    """A number is kept if draw >= p. Draws lie in 0 <= draw < 1, so p = 0 drops nothing."""
    draws = np.random.default_rng(3).random(50, dtype=np.float32)
    _, cache = F.dropout(np.ones(50, np.float32), float(draws[17]), rng=3)
    np.testing.assert_array_equal(cache.mask, draws >= draws[17])
    assert cache.mask[17]


def test_dropout_of_everything_is_zero():
    for mask in (None, np.ones(9, bool)):
        out, cache = F.dropout(np.ones(9), 1.0, rng=0, mask=mask)
        np.testing.assert_array_equal(out, 0)
        np.testing.assert_array_equal(F.dropout_backward(np.ones(9), cache), 0)


def test_smooth_l1_loss():
    x = np.array([0.5, 3.0, -2.0, -0.1])
    loss, cache = F.smooth_l1_loss(x, np.zeros(4), "sum", beta=2.0)
    assert loss == pytest.approx(0.5**2 / 4 + (3 - 1) + (2 - 1) + 0.1**2 / 4)
    np.testing.assert_allclose(F.smooth_l1_loss_backward(1.0, cache), [0.25, 1.0, -1.0, -0.05])


def test_wing_loss():
    x, w, eps = np.array([0.5, 3.0, -2.0, -0.1, 0.0]), 2.0, 0.5
    loss, cache = F.wing_loss(x, np.zeros(5), "sum", w, eps)
    gap = 2 - 2 * np.log(1 + 2 / 0.5)
    assert loss == pytest.approx(2 * np.log(1 + 1) + (3 - gap) + (2 - gap) + 2 * np.log(1 + 0.1 / 0.5))
    np.testing.assert_allclose(F.wing_loss_backward(3.0, cache), [3 * 2 / 1, 3, -3, -3 * 2 / 0.6, 0])


def test_focal_loss():
    x, target, weight = np.array([2.0, 2.0, -1.0, 0.3]), np.array([1, 0, 0, 1]), np.array([1.0, 3.0, 0.5, 0.0])
    yes = 1 / (1 + np.exp(-x))
    right = np.where(target == 1, yes, 1 - yes)
    loss, cache = F.focal_loss(x, target, weight, "sum", gamma=2.0)
    assert loss == pytest.approx(np.sum(weight * (1 - right) ** 2 * -np.log(right)))
    slope = (1 - right) ** 2 * (2 * right * np.log(right) - (1 - right))
    np.testing.assert_allclose(F.focal_loss_backward(3.0, cache), 3 * weight * slope * np.array([1, -1, -1, 1]))


def test_focal_loss_of_large_logits_is_finite():
    x, target = np.array([1000.0, -1000.0, 1000.0, -1000.0]), np.array([1, 0, 0, 1])
    loss, cache = F.focal_loss(x, target, reduction="sum")
    assert loss == 2000
    np.testing.assert_array_equal(F.focal_loss_backward(1.0, cache), [0, 0, 1, -1])


def test_wing_loss_has_one_value_where_its_branches_meet():
    inside, outside = (F.wing_loss(np.array([0.2 + d]), np.zeros(1))[0] for d in (-1e-12, 1e-12))
    assert inside == pytest.approx(outside, rel=1e-10)
    assert outside == pytest.approx(0.2 * np.log(5), rel=1e-10)


def test_mse_loss():
    loss, cache = F.mse_loss(np.array([[1.0, 2.0]]), np.array([[4.0, 0.0]]))
    assert loss == pytest.approx((9 + 4) / 2)
    np.testing.assert_allclose(F.mse_loss_backward(1.0, cache), [[-3.0, 2.0]])


def test_adam_first_step_has_length_lr_whatever_the_gradient():
    for grad in (1e-3, -1.0, 1e4):
        param = np.array([2.0])
        F.adam_update(param, np.array([grad]), np.zeros(1), np.zeros(1), 1, 0.1, (0.9, 0.999), 1e-12, 0.0)
        assert param[0] == pytest.approx(2.0 - 0.1 * np.sign(grad))


def test_adam_with_decoupled_decay_shrinks_weights_at_one_rate_whatever_the_gradient():
    for grad in (0.0, 1e-3, -1.0, 1e4):
        param = np.array([2.0])
        F.adam_update(param, np.array([grad]), np.zeros(1), np.zeros(1), 1, 0.1, (0.9, 0.999), 1e-12, 0.3, True)
        assert param[0] == pytest.approx(2.0 * (1 - 0.1 * 0.3) - 0.1 * np.sign(grad))


@pytest.mark.parametrize("shape", [(), (3,), (11,), (25,), (5, 4), (4, 2, 3), (1, 25), (0,), (3, 0)], ids=str)
def test_adam_in_blocks_is_adam_in_one_piece(shape, monkeypatch):
    """Blocks of one number, of a few rows and of one long row; the last block is shorter."""
    rng = np.random.default_rng(70)
    whole = [np.asarray(rng.uniform(1, 2, shape)) for _ in range(4)]
    blocked = [array.copy() for array in whole]
    rule = (2, 0.1, (0.8, 0.9), 0.01, 0.2, True)
    F.adam_update(*whole, *rule)
    monkeypatch.setattr("numpynet.blocks.BLOCK", 10)
    F.adam_update(*blocked, *rule)
    for got, want in zip(blocked, whole, strict=True):
        np.testing.assert_array_equal(got, want)


def test_an_average_moves_by_a_share_of_the_way():
    average, weight = np.array([[1.0, -2.0], [0.0, 4.0]]), np.array([[3.0, -2.0], [8.0, 0.0]])
    F.average_update(average, weight, 0.25)
    np.testing.assert_array_equal(average, [[1.5, -2.0], [2.0, 3.0]])
    np.testing.assert_array_equal(weight, [[3.0, -2.0], [8.0, 0.0]])


def test_adam_eps_stands_outside_the_root_after_the_correction():
    param, grad, eps = np.array([0.0]), np.array([1e-3]), 1e-3
    F.adam_update(param, grad, np.zeros(1), np.zeros(1), 1, 0.1, (0.9, 0.999), eps, 0.0)
    assert param[0] == pytest.approx(-0.1 * 1e-3 / (1e-3 + eps))  # m_hat = g, sqrt(v_hat) = |g|


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum_and_decay(nesterov):
    """The first velocity equals the first gradient; Nesterov's step looks one velocity ahead."""
    param = np.array([1.0])
    velocity = F.sgd_update(param, np.array([0.5]), None, 0.1, 0.9, 0.25, 0.2, nesterov)  # g = 0.5 + 0.2 * 1 = 0.7
    after = 1 - 0.1 * (0.7 + 0.9 * 0.7 if nesterov else 0.7)
    assert (velocity[0], param[0]) == pytest.approx((0.7, after))
    grad = np.array([0.3 - 0.2 * after])  # with the decay's 0.2 * after: 0.3
    velocity = F.sgd_update(param, grad, velocity, 0.1, 0.9, 0.25, 0.2, nesterov)
    second = 0.9 * 0.7 + 0.75 * 0.3
    assert (velocity[0], param[0]) == pytest.approx(
        (second, after - 0.1 * (0.3 + 0.9 * second if nesterov else second))
    )


def test_sgd_without_momentum_is_one_step_down():
    param = np.array([1.0, -2.0])
    assert F.sgd_update(param, np.array([0.5, -1.0]), None, 0.1, 0.0, 0.0, 0.0, False) is None
    np.testing.assert_allclose(param, [0.95, -1.9])


@pytest.mark.parametrize("turned", [False, True])
def test_the_winner_among_nothing_but_minus_infinity_is_the_first_pixel_of_the_image(turned):
    """Rows and columns differ in padding, stride and dilation."""
    by_axis = {"kernel_size": (4, 3), "padding": (2, 1), "stride": (1, 3), "dilation": (1, 2)}
    by_axis = {name: pair[::-1] if turned else pair for name, pair in by_axis.items()}
    out, cache = F.max_pool2d(np.full((1, 1, 9, 9), -np.inf), **by_axis)
    dout, expected = seeded("minus infinity").standard_normal(out.shape), np.zeros((9, 9))
    for place in np.ndindex(out.shape[2:]):
        begins = [o * s - p for o, s, p in zip(place, by_axis["stride"], by_axis["padding"], strict=True)]
        first = [next(i for i in range(b, 9, d) if i >= 0) for b, d in zip(begins, by_axis["dilation"], strict=True)]
        expected[tuple(first)] += dout[0, 0, *place]
    np.testing.assert_allclose(F.max_pool2d_backward(dout, cache)[0, 0], expected, rtol=0, atol=1e-12)


def test_upsample_nearest2d():
    x = seeded("upsample_nearest2d").standard_normal((2, 3, 2, 4))
    out, _ = F.upsample_nearest2d(x, 3)
    assert out.shape == (2, 3, 6, 12)
    for h, w in itertools.product(range(6), range(12)):
        np.testing.assert_array_equal(out[:, :, h, w], x[:, :, h // 3, w // 3])


def test_upsample_nearest2d_backward_adds_up_each_square():
    dout = seeded("upsample_nearest2d_backward").standard_normal((2, 3, 4, 6))
    dx = F.upsample_nearest2d_backward(dout, F.upsample_nearest2d(np.zeros((2, 3, 2, 3)), 2)[1])
    for h, w in itertools.product(range(2), range(3)):
        np.testing.assert_allclose(dx[:, :, h, w], dout[:, :, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2].sum(axis=(2, 3)))


def test_soft_argmax2d():
    x = 3 * seeded("soft_argmax2d").standard_normal((2, 3, 4, 5))
    out, _ = F.soft_argmax2d(x)
    assert out.shape == (2, 6)
    for n, k in itertools.product(range(2), range(3)):
        total, column, row = 0.0, 0.0, 0.0
        for h, w in itertools.product(range(4), range(5)):
            weight = np.exp(x[n, k, h, w])
            total += weight
            column += weight * ((w + 0.5) * 2 / 5 - 1)
            row += weight * ((h + 0.5) * 2 / 4 - 1)
        assert out[n, 2 * k] == pytest.approx(column / total, abs=1e-12)
        assert out[n, 2 * k + 1] == pytest.approx(row / total, abs=1e-12)


def test_soft_argmax2d_of_one_high_peak_is_its_place_however_high():
    x = np.zeros((1, 1, 4, 8), np.float32)
    x[0, 0, 3, 0] = 1e6
    np.testing.assert_allclose(F.soft_argmax2d(x)[0], [[-7 / 8, 3 / 4]], rtol=1e-6)


def test_soft_argmax2d_of_a_flat_map_is_the_middle():
    np.testing.assert_allclose(F.soft_argmax2d(np.full((2, 1, 3, 6), 7.0))[0], np.zeros((2, 2)), atol=1e-15)
