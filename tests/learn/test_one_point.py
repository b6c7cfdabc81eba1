"""The one-point net: its weights have the properties that the pages use. tests/parity compares its numbers."""

import numpy as np

from numpynet.learn import one_point

FORWARD = ["x", "conv.weight", "conv.bias", "conv.out", "relu.out", "pool.out", "flatten.out"]
FORWARD += ["linear.weight", "linear.bias", "out", "target", "loss"]
BACKWARD = ["dout", "linear.weight.grad", "linear.bias.grad", "dflatten", "dpool", "drelu", "dconv"]
BACKWARD += ["conv.weight.grad", "conv.bias.grad", "dx"]


def test_every_tensor_has_its_name_in_the_order_of_the_passes():
    assert list(one_point.tensors()) == FORWARD + BACKWARD


def test_every_number_is_a_multiple_of_one_64th():
    found = {name: array * 64 for name, array in one_point.tensors().items()}
    assert [name for name, array in found.items() if (array % 1).any()] == []


def test_one_relu_is_dead_and_nothing_is_exactly_at_the_kink():
    before = one_point.tensors()["conv.out"]
    assert (before < 0).sum() == 1
    assert (before != 0).all()


def test_no_window_has_two_equal_numbers_and_the_centre_wins_two():
    found = one_point.tensors()
    image, dpool = found["relu.out"][0, 0], found["dpool"][0, 0]
    won: dict[tuple[int, int], list[float]] = {}
    for i, j in np.ndindex(2, 2):
        window = image[i : i + 2, j : j + 2]
        assert len(np.unique(window)) == 4
        row, column = np.unravel_index(window.argmax(), (2, 2))
        won.setdefault((i + int(row), j + int(column)), []).append(float(dpool[i, j]))
    assert won == {(1, 1): [0.75, 0.375], (1, 2): [-0.375], (2, 2): [-0.5]}
    assert {place: sum(parts) for place, parts in won.items()} == {
        place: found["drelu"][0, 0][place] for place in zip(*map(list, found["drelu"][0, 0].nonzero()), strict=True)
    }


def test_the_loss_uses_both_branches():
    found = one_point.tensors()
    assert (found["out"] - found["target"]).tolist() == [[-1.625, 0.5]]
    assert found["loss"] == ((1.625 - 0.5) + 0.5 * 0.5**2) / 2


def test_the_brightest_pixel_stands_at_the_target():
    row, column = np.unravel_index(one_point.PICTURE[0, 0].argmax(), (5, 5))
    assert [column, row] == one_point.TARGET[0].tolist()


def test_the_net_is_fresh_each_time():
    network = one_point.net()
    for parameter in network.parameters():
        parameter.data += 1
    assert one_point.tensors(network)["loss"] != one_point.tensors()["loss"]
    assert one_point.tensors()["loss"] == 0.625


def test_a_second_pass_does_not_add_to_the_gradients_of_the_first():
    network = one_point.net()
    first = one_point.tensors(network)["conv.weight.grad"]
    np.testing.assert_array_equal(one_point.tensors(network)["conv.weight.grad"], first)
