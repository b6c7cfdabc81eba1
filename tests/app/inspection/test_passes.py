"""`fkp_app.inspection`: the arrays are those of the network, and the pictures show them in their places."""

import numpy as np
import pytest

from fkp_app.faces.keypoints import Face
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import Framing
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from fkp_app.inspection.passes import LR, crop_of, inspect, mirrored_labels
from fkp_app.inspection.sheets import line_as_picture, mosaic, short_name, strongest
from numpynet import HourglassNet, SmoothL1Loss
from tests.seeds import seeded

SIZE, SCALE = 16, 8.0


def network():
    """A small hourglass in float64 whose statistics are not those of its first weights, and its card."""
    net = HourglassNet(SIZE, (2,), (3, 4), rng=5).astype(np.float64)
    for _ in range(3):
        net(seeded("warm").random((4, 1, SIZE, SIZE)))
    framing = {"kind": "face", "size": SIZE, "scale": 1.3}
    return net, CropCard.describe(net.arguments, SIZE, framing, SIZE / 2 - 0.5, SCALE, "HourglassNet")


def crop():
    return seeded("crop").random((1, 1, SIZE, SIZE))


@pytest.mark.parametrize("keypoint", [0, 30, 67])
def test_saliency_is_how_far_the_point_moves_if_a_pixel_gets_brighter(keypoint):
    net, card = network()
    passes = inspect(net, card, crop(), keypoint)
    net, card = network()
    net.eval()
    row, column = np.unravel_index(np.abs(passes.saliency).max(axis=0).argmax(), (SIZE, SIZE))
    eps, moved = 1e-6, []
    for sign in (1, -1):
        brighter = crop()
        brighter[0, 0, row, column] += sign * eps
        moved.append(card.units.to_pixels(net(brighter))[0, keypoint])
    np.testing.assert_allclose(passes.saliency[:, row, column], (moved[0] - moved[1]) / (2 * eps), rtol=1e-4, atol=1e-9)


def test_labels_are_the_points_of_the_mirrored_crop_mirrored_back():
    net, card = network()
    net.eval()
    labels = card.units.to_pixels(mirrored_labels(net, card, crop()))[0]
    found = card.units.to_pixels(net(crop()[..., ::-1].copy()))[0]
    for point in range(68):
        x, y = found[FLIP_ORDER[point]]
        np.testing.assert_allclose(labels[point], (SIZE - 1 - x, y), rtol=1e-12)


def test_gradients_and_updates_are_those_of_one_step():
    net, card = network()
    passes = inspect(net, card, crop(), 30)
    twin, _ = network()
    twin.eval()
    out, cache = twin.forward(crop())
    np.testing.assert_array_equal(passes.record.out, out)
    np.testing.assert_allclose(passes.points, card.units.to_pixels(out)[0])
    _, dout = SmoothL1Loss()(out, mirrored_labels(twin, card, crop()))
    np.testing.assert_array_equal(passes.record.rows[-1].dout, dout)
    twin.backward(dout, cache)
    for key, parameter in twin.named_parameters():
        np.testing.assert_array_equal(passes.weights[key], parameter.data)
        np.testing.assert_array_equal(passes.gradients[key], parameter.grad)
        expected = -LR * passes.gradients[key] / (np.abs(passes.gradients[key]) + 1e-8)  # Adam's first step
        np.testing.assert_allclose(passes.updates[key], expected, rtol=1e-6, atol=1e-15)


def test_the_crop_is_upright_and_framed_by_the_points():
    """Points turned by 30 degrees, and a picture that is bright at one of them: it appears where the framing says."""
    _, card = network()
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = seeded("points").uniform(-40, 40, (68, 2))
    level[36], level[45], level[0], level[16] = (-30, 0), (30, 0), (-50, -50), (50, 50)
    points = (level @ turn.T + 100).astype(np.float32)
    image = np.zeros((200, 200, 3), np.uint8)
    x, y = np.rint(points[45]).astype(int)
    image[y - 3 : y + 4, x - 3 : x + 4] = 255
    cut = crop_of(image, Face((0, 0, 1, 1), None, points), card)
    assert cut.shape == (1, 1, SIZE, SIZE)
    row, column = np.unravel_index(cut[0, 0].argmax(), (SIZE, SIZE))
    zoom = SIZE / (100 * Framing.from_dict(card.framing).scale)
    assert column == pytest.approx((SIZE - 1) / 2 + 30 * zoom, abs=1.1)
    assert row == pytest.approx((SIZE - 1) / 2, abs=1.1)


def test_a_mosaic_has_each_map_in_its_place():
    maps = np.arange(5 * 48 * 48.0).reshape(5, 48, 48)
    picture = mosaic(maps)
    gap = 3
    assert picture.shape == (2 * 48 + gap, 3 * 48 + 2 * gap)
    for k in range(5):
        top, left = k // 3 * (48 + gap), k % 3 * (48 + gap)
        np.testing.assert_array_equal(picture[top : top + 48, left : left + 48], maps[k])
    assert np.isnan(picture[48 : 48 + gap]).all()
    assert np.isnan(picture[51:, 102:]).all()  # the empty place
    small = mosaic(maps[:1, :6, :6])  # enlarged, each number eight times
    assert small.shape == (48, 48)
    np.testing.assert_array_equal(small[::8, ::8], maps[0, :6, :6])


def test_the_strongest_channels_are_those_that_vary_most():
    maps = np.zeros((20, 4, 4))
    maps[:, 0, 0] = [9, 1, 8, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    maps[1] += 1000  # large, but constant but for one pixel
    assert strongest(maps) == [i for i in range(20) if i not in (1, 3, 4, 5)]
    assert strongest(maps[:3]) == [0, 1, 2]


def test_numbers_in_a_rectangle():
    picture = line_as_picture(np.arange(7.0))
    np.testing.assert_array_equal(picture, [[0, 1, 2], [3, 4, 5], [6, np.nan, np.nan]])


def test_names_of_cells():
    net, card = network()
    names = [short_name(row) for row in inspect(net, card, crop(), 0).record.rows]
    assert names[:4] == ["stem1 conv 3 x 3", "stem1_bn", "ReLU", "pool"]
    assert names.count("sum of branches") == 1
    assert names[-2:] == ["head conv 1 x 1", "soft_argmax"]
