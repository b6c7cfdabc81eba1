"""The models of the benchmarks: their operations against hand counts, and the agreement that is checked first."""

import threading

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.operations import operations, parameters
from benchmarks.options import MODELS
from benchmarks.tasks import Task
from numpynet import functional, workers

HOURGLASS = [  # side of the maps, filters before and after, side of the window
    *((96, 1, 16, 3), (48, 16, 32, 3)),
    *((24, 32, 64, 3), (24, 64, 64, 3), (12, 64, 128, 3), (12, 128, 128, 3), (6, 128, 256, 3), (6, 256, 256, 3)),
    *((6, 256, 128, 1), (12, 128, 128, 3), (12, 128, 64, 1), (24, 64, 64, 3), (24, 64, 68, 1)),
]


def test_the_hourglass_has_the_operations_of_a_hand_count():
    found = list(operations(Task("hourglass", 10).recipe, 10))
    convolutions = [one for one in found if one.kind == "conv2d"]
    assert [(one.x[2], one.x[1], one.weight[0], one.weight[2]) for one in convolutions] == HOURGLASS
    assert [one.flop for one in convolutions] == [20 * side**2 * a * b * k * k for side, a, b, k in HOURGLASS]
    blocks = [one for one in found if one.kind == "conv_block"]
    assert [one.pool for one in blocks] == [True, True] + [False] * 8
    others = [one.name for one in found if one.kind in ("residual", "upsample_nearest2d", "soft_argmax2d", "l1_loss")]
    assert others == [
        "upsample_nearest2d 10 x 128 x 6 x 6",
        "residual 10 x 128 x 12 x 12",
        "upsample_nearest2d 10 x 64 x 12 x 12",
        "residual 10 x 64 x 24 x 24",
        "soft_argmax2d 10 x 68 x 24 x 24",
        "l1_loss 10 x 136",
    ]
    assert parameters(Task("hourglass", 10).recipe) == 1_397_872


@pytest.mark.torch
def test_the_least_of_a_step_counts_products_maps_and_weights():
    from benchmarks.roofline import least

    need = least(Task("hourglass", 10).recipe, 10)
    flop = [20 * side**2 * a * b * k * k for side, a, b, k in HOURGLASS]
    assert need["GFLOP"] == pytest.approx((3 * sum(flop) - flop[0]) / 1e9, rel=1e-12)
    made = sum(side**2 * filters for side, _, filters, _ in HOURGLASS)
    after = 48**2 * 16 + 24**2 * 32 + sum(side**2 * b for side, _, b, k in HOURGLASS[2:] if k == 3)
    pooled, sums = 12**2 * 64 + 6**2 * 128, 12**2 * 128 + 24**2 * 64
    maps = 10 * (3 * (made + after + pooled + sums) + sums)
    assert need["GB"] == pytest.approx(4 * (maps + 10 * 1_397_872) / 1e9, rel=1e-12)
    net = least(Task("net", 10).recipe, 10)  # no average: eight passes over each weight
    assert net["GFLOP"] == pytest.approx(44.95649664, rel=1e-12)
    assert net["GB"] == pytest.approx(5.288109312, rel=1e-12)


@pytest.mark.torch
def test_the_hourglass_agrees_with_its_twin(capsys):
    from benchmarks.train_step import check_agreement

    assert check_agreement(Task("hourglass", 3).recipe, 3) < 1e-5
    assert capsys.readouterr().out.count(" agrees: loss within") == 3


@pytest.mark.torch
def test_a_wrong_gradient_is_not_timed(monkeypatch):
    from benchmarks.train_step import check_agreement

    right = functional.soft_argmax2d_backward
    monkeypatch.setattr(functional, "soft_argmax2d_backward", lambda dout, cache: 1.02 * right(dout, cache))
    with pytest.raises(SystemExit, match="readable and PyTorch do not compute the same, so nothing is timed"):
        check_agreement(Task("hourglass", 2).recipe, 2)


@pytest.mark.torch
@pytest.mark.parametrize("failing", ["torch, fused, compiled", "numpynet, fast", "torch, as the course writes it"])
def test_a_contender_that_fails_is_left_out(failing, monkeypatch, capsys):
    from benchmarks import train_step
    from benchmarks.processes import WorkerFailed

    phases = dict.fromkeys(train_step.PHASES, dict.fromkeys(("median", "min", "q1", "q3"), 0.5))
    met = {"seconds": phases, "fast_seconds": phases, "ratio": 1.5, "pairs": [{"ratio": 1.5, "handover": None}]}
    met |= {key: {"peak_gb": 1.0} for key in ("facts", "fast_facts")}

    def meet(name, task, steps):
        if failing in (name, "numpynet, fast"):
            raise WorkerFailed(failing)
        return met

    monkeypatch.setattr(train_step, "check_agreement", lambda recipe, batch_size: 0.0)
    monkeypatch.setattr(train_step, "first_steps", lambda task: {})
    monkeypatch.setattr(train_step, "meet", meet)
    arguments = ["train", "--against", "torch, fused, channels_last", "torch, fused, compiled"]
    if failing != "torch, fused, compiled":
        with pytest.raises(SystemExit, match=f"^{failing} failed; its error message stands above$"):
            main(arguments)
        return
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "torch, fused, compiled is left out, as it fails here" in said
    rows = [line[:40].strip() for line in said.splitlines() if line.endswith("      1.50")]
    assert rows == ["torch, as the course writes it", "torch, fused, channels_last"]
    assert "numpynet, readable" not in said


def test_two_threads_hand_a_number_to_each_other():
    from benchmarks.handover import _bounce

    cell = np.zeros(8, np.int64)
    other = threading.Thread(target=_bounce, args=(cell, 1, 300))
    other.start()
    _bounce(cell, 0, 300)
    other.join()
    np.testing.assert_array_equal(cell, [600, *[0] * 7])


def test_one_thread_hands_nothing_over():
    from benchmarks.handover import handover

    workers.set_threads(1)
    try:
        assert handover() is None
    finally:
        workers.set_threads(None)
    if workers.physical_cores() > 1:
        assert handover() > 0


@pytest.mark.torch
def test_ratios_are_told_apart_by_the_caches_of_the_cores():
    from benchmarks.train_step import by_handover

    pairs = [
        {"ratio": ratio, "handover": ns and ns * 1e-9} for ratio, ns in ((1.2, 50), (1, 260), (1.4, 44), (1.3, 60))
    ]
    near, far = by_handover(pairs).split(", ")
    assert near == "1.30 in 3 pairs whose cores share a cache (a cache line passes in 50 ns)"
    assert far == "1.00 in 1 pairs whose cores share none (a cache line passes in 260 ns)"
    assert by_handover(pairs[1:2]) == far
    assert by_handover([{"ratio": 1.2, "handover": None}]) == ""


@pytest.mark.torch
@pytest.mark.parametrize("name", ["numpynet, fast", "torch, as the course writes it", "torch, fused, channels_last"])
def test_a_contender_takes_the_steps_of_the_recipe(name):
    from benchmarks.contenders import CONTENDERS, PHASES
    from benchmarks.tasks import batch
    from numpynet import use

    with use("readable"):
        contender = CONTENDERS[name]
        step = contender.make(Task("hourglass", 2, size=32).recipe, **contender.options)
        assert set(step(*batch(32, 2))) == set(PHASES)


def test_images_of_another_size_change_the_network_and_its_frame():
    recipe = Task("hourglass", 2, size=32).recipe
    assert (recipe.network.arguments["size"], recipe.framing.size) == (32, 32)
    assert recipe.training.average == 0.998


@pytest.mark.torch
def test_the_profile_lists_the_layers_inside_residuals(capsys):
    assert main(["profile", "--model", "hourglass", "--batch-size", "2", "--steps", "1", "--ops", "readable"]) == 0
    lines = capsys.readouterr().out.splitlines()
    depths = {
        line[:30].strip().split(" ", 1)[1][:8]: len(line) - len(line.lstrip()) for line in lines if "Upsample" in line
    }
    assert depths == {"Upsample": 2}
    assert any(line.startswith("  12 Residual: its addition") for line in lines)
    assert any(line.startswith("average of the weights") for line in lines)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["conv_block", "conv2d", "upsample_nearest2d", "residual", "soft_argmax2d", "l1_loss"])
def test_both_sides_of_an_operation_compute_the_same(kind):
    from benchmarks.layers import numpynet_sides, torch_sides
    from numpynet import use

    for one in {o.name: o for o in operations(Task("hourglass", 2, size=32).recipe, 2) if o.kind == kind}.values():
        with use("fast"):
            forward, backward = numpynet_sides(one)
            found = backward(forward())
        dx = found if isinstance(found, np.ndarray) else found[0]
        torch_forward, torch_backward = torch_sides(one)
        wanted = torch_backward(torch_forward()).numpy()
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(dx, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max(), err_msg=one.name)


@pytest.mark.torch
@pytest.mark.parametrize("command", ["train", "epoch", "profile", "roofline", "layers", "scaling"])
def test_an_unknown_model_is_a_usage_error(command, capsys):
    with pytest.raises(SystemExit) as error:
        main([command, "--model", "resnet", *(["--data", "."] if command == "epoch" else [])])
    assert error.value.code == 2
    assert all(name in capsys.readouterr().err for name in MODELS[:1])
