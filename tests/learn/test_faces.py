"""The twelve crops: what the script makes of the demo photo, in the units that the networks use."""

import importlib.util
from pathlib import Path

import numpy as np

from numpynet.learn import faces

SCRIPT = Path(__file__).parents[2] / "docs" / "make_learn_crops.py"


def test_the_file_holds_what_the_script_makes():
    spec = importlib.util.spec_from_file_location("make_learn_crops", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    images, points = script.crops()
    shipped, shipped_points = faces.crops()
    assert shipped.shape == (12, 1, 96, 96)
    assert shipped.dtype == np.float32
    assert shipped_points.shape == (12, 68, 2)
    assert shipped_points.dtype == np.float32
    # The stored points are rounded to 0.0001 pixels, and processors differ by less. OpenCV rounds places to 1/32 of a
    # pixel: where one is rounded the other way, a number changes by up to 255 / 32.
    difference = np.abs(shipped[:, 0] * 255 - images)
    assert difference.max() < 8.5
    assert difference.mean() < 0.005
    assert np.abs(shipped_points - points).max() < 0.001


def test_every_point_lies_in_its_crop_and_the_crops_differ():
    images, points = faces.crops()
    assert points.min() > 0
    assert points.max() < faces.SIZE - 1
    for i in range(len(points)):
        for j in range(i):
            assert np.linalg.norm(points[i] - points[j], axis=1).mean() > 1
            assert np.abs(images[i] - images[j]).mean() > 0.02


def test_targets_are_minus_1_and_1_at_the_edges_of_the_crop():
    corners = np.array([[[-0.5, -0.5], [95.5, 95.5], [47.5, 23.5]]], np.float32)
    np.testing.assert_array_equal(faces.to_targets(corners), np.array([[-1, -1, 1, 1, 0, -0.5]], np.float32))
    np.testing.assert_array_equal(faces.to_points(faces.to_targets(corners)), corners)


def test_the_error_is_a_mean_distance_in_pixels():
    _, points = faces.crops()
    moved = points.copy()
    moved[:, :34] += np.array([3, -4], np.float32)  # half of the points, by 5 pixels
    np.testing.assert_allclose(faces.pixel_error(faces.to_targets(moved), points), 2.5, rtol=1e-5)
