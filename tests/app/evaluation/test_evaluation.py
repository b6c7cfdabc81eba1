"""Protocols and their figures, on networks and frames with known answers."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from fkp_app.backends.predictor import Predictor, get_predictor
from fkp_app.data.crops import evaluation_transform
from fkp_app.data.dataset import load_split
from fkp_app.data.transforms import CenterCrop, Compose, FaceCrop, Rescale
from fkp_app.evaluation import protocols
from fkp_app.evaluation.metrics import nme
from fkp_app.evaluation.protocols import Result, mean_face, run_all, run_crops, run_end_to_end, run_second_look
from fkp_app.evaluation.scores import predict_all, score
from fkp_app.evaluation.summary import ROLLS, SIZES, binned, summarise, tables, to_dict
from fkp_app.evaluation.views import course_view, face_view, rotated_frame
from fkp_app.faces.detector import FaceDetector
from fkp_app.faces.keypoints import Face, last_look
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import Framing, apply, crop_matrix, face_square, to_gray
from tests.drawn import draw_face

FACE = CropCard.describe({}, 96, {"kind": "face", "size": 96, "scale": 1.3}, keypoint_offset=43.0, keypoint_scale=21.0)
FRAME = CropCard.describe(
    {}, 224, {"kind": "frame", "size": 224, "scale": 2.04}, keypoint_offset=100.0, keypoint_scale=50.0
)


def targets(faces=5):
    rng = np.random.default_rng(3)
    return rng.normal(0, 1, (faces, 136)).astype(np.float32)


def oracle(card, answers):
    """A "network" that returns these outputs (F, 136) in order, whatever the crops."""
    rest = iter(answers)
    return Predictor("numpy", card, lambda crops: np.stack([next(rest) for _ in crops]))


def test_a_perfect_answer_scores_zero():
    scores = score(targets(), targets(), FACE)
    assert (scores.mse, scores.smooth_l1, scores.nme, scores.failures, scores.images) == (0, 0, 0, 0, 5)


def test_the_score_of_an_offset():
    truth = targets()
    scores = score(truth + np.float32(0.5), truth, FACE)
    assert scores.mse == pytest.approx(0.25)
    assert scores.smooth_l1 == pytest.approx(0.125)
    pixels = FACE.units.to_pixels(truth)
    interocular = np.linalg.norm(pixels[:, 36] - pixels[:, 45], axis=1)
    errors = 100 * 0.5 * FACE.keypoint_scale * np.sqrt(2) / interocular
    assert scores.nme == pytest.approx(np.mean(errors), rel=1e-5)
    assert scores.nme_median == pytest.approx(np.median(errors), rel=1e-5)
    assert scores.failures == pytest.approx(100 * np.mean(errors > 10))


def test_predict_all_keeps_the_order_of_batches():
    batches = [(np.full((2, 1, 4, 4), i, np.float32), targets(2) + i) for i in range(3)]
    outputs, wanted = predict_all(lambda images: images[:, 0, :1, 0], iter(batches))
    assert outputs.ravel().tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(wanted, np.concatenate([batch[1] for batch in batches]))


def test_mean_face_is_the_mean_of_the_training_split(drawn_data):
    dataset = load_split(drawn_data, "training", evaluation_transform(FACE))
    faces = np.stack([dataset[i]["keypoints"].ravel() for i in range(len(dataset))])
    np.testing.assert_allclose(mean_face(drawn_data, FACE), faces.mean(axis=0), atol=1e-5)


def test_the_crop_is_that_of_training_and_detection():
    image, points = draw_face(np.random.default_rng(0))
    framing = Framing.from_dict(FACE.framing)
    shown = face_view(image, points, framing)
    crop = FaceCrop(framing)({"image": image, "keypoints": points.astype(np.float32)})
    np.testing.assert_allclose(shown.crop[0], to_gray(crop["image"]), atol=1.01 / 255)
    np.testing.assert_allclose(apply(shown.matrix, shown.truth), crop["keypoints"], atol=1e-3)
    np.testing.assert_allclose(shown.truth, points, atol=1e-9)


@pytest.mark.parametrize("angle", [-45, 30])
def test_a_rotated_view_turns_picture_and_labels_alike(angle):
    image, points = draw_face(np.random.default_rng(1), size=(160, 140), roll=0)
    image = np.zeros_like(image)
    x, y = np.round(points[10]).astype(int)  # on the jaw, far from the middle
    points[10] = x, y
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    shown = face_view(image, points, Framing.from_dict(FACE.framing), angle)
    spot = np.argwhere(shown.crop[0] > 0.5).mean(axis=0)[::-1]
    np.testing.assert_allclose(spot, apply(shown.matrix, shown.truth)[10], atol=0.6)
    line = shown.truth[45] - shown.truth[36]
    assert np.degrees(np.arctan2(line[1], line[0])) == pytest.approx(angle, abs=1e-4)  # clockwise, as y points down
    cx, cy, side = face_square(apply(shown.matrix, shown.truth))  # framed by the rotated labels, in the middle
    assert (cx, cy, side) == pytest.approx((47.5, 47.5, 96 / 1.3))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    np.testing.assert_allclose(
        np.linalg.norm(shown.truth - middle, axis=1), np.linalg.norm(points - middle, axis=1), atol=1e-4
    )


@pytest.mark.parametrize(("size", "shorter"), [(224, 250), (96, 107)])
def test_the_course_view_is_the_middle_of_the_rescaled_frame(size, shorter):
    image, points = draw_face(np.random.default_rng(2), size=(151, 117))
    shown = course_view(image, points, Framing("face", size, 1.3))
    course = Compose([Rescale(shorter), CenterCrop(size)])({"image": image, "keypoints": points.astype(np.float32)})
    np.testing.assert_array_equal(shown.crop[0], to_gray(course["image"]))
    np.testing.assert_allclose(apply(shown.matrix, points), course["keypoints"], atol=0.01)


@pytest.mark.parametrize("view", [face_view, course_view, partial(face_view, angle=30)])
def test_points_come_back_in_pixels_of_the_frame(view, drawn_data, monkeypatch):
    monkeypatch.setattr(protocols, "BATCH", 5)
    dataset = load_split(drawn_data, "test").subset(range(12))  # the last batch has two frames
    views = [view(dataset[i]["image"], dataset.keypoints[i], Framing.from_dict(FACE.framing)) for i in range(12)]
    answers = np.stack([(apply(shown.matrix, shown.truth).ravel() - 43) / 21 for shown in views]).astype(np.float32)
    right = run_crops("a", "b", oracle(FACE, answers), dataset, view)
    np.testing.assert_allclose(right.predicted, right.truth, atol=0.01)
    np.testing.assert_allclose(right.truth, [shown.truth for shown in views])
    assert right.scores.nme < 0.01
    assert (right.frames, right.model, right.protocol) == (list(range(12)), "a", "b")
    assert right.people[0] == dataset.names[0].rpartition("_")[0]

    off = run_crops("a", "b", oracle(FACE, answers + np.float32(0.1)), dataset, view)
    zoom = np.array([np.sqrt(np.linalg.det(shown.matrix[:, :2])) for shown in views])
    eyes = np.linalg.norm(dataset.keypoints[:, 36] - dataset.keypoints[:, 45], axis=1)
    np.testing.assert_allclose(off.errors, 100 * 2.1 * np.sqrt(2) / zoom / eyes, rtol=0.01)  # 0.1 units are 2.1 pixels
    assert off.scores.mse == pytest.approx(0.01, rel=1e-3)


def test_a_rotated_frame_turns_whole_with_its_labels():
    image = np.zeros((260, 300, 3), np.uint8)
    points = 60 + draw_face(np.random.default_rng(1), size=(120, 140), roll=0)[1]  # far from every edge
    x, y = np.round(points[10]).astype(int)
    points[10] = x, y
    image[y - 1 : y + 2, x - 1 : x + 2] = 255
    turned, truth = rotated_frame(image, points, 20)
    assert turned.shape == image.shape
    np.testing.assert_allclose(np.argwhere(turned[..., 0] > 127).mean(axis=0)[::-1], truth[10], atol=0.6)
    np.testing.assert_allclose(truth, face_view(image, points, Framing.from_dict(FACE.framing), 20).truth)


def test_a_second_look_is_framed_by_the_points_of_the_first():
    """The network's answer is the same for every crop, so only the second framing distinguishes the two looks."""
    frame = FrameOfOneFace()
    inside = apply(frame.matrix(), frame.points)  # the right answer of a first look that the labels frame
    seen: list[np.ndarray] = []

    def forward(crops):
        seen.append(crops)
        shape = inside if len(seen) % 2 else inside + np.array([3.0, 0.0])
        return ((shape.reshape(1, 136) - 43.0) / 21.0).astype(np.float32)

    row = run_second_look("a", "b", Predictor("numpy", FACE, forward), frame)
    assert len(seen) == 2
    zoom = np.sqrt(np.linalg.det(frame.matrix()[:, :2]))
    np.testing.assert_allclose(row.predicted[0] - row.truth[0], np.tile([3.0 / zoom, 0.0], (68, 1)), atol=0.02)
    assert (row.frames, row.people, row.model, row.protocol) == ([0], ["Ada"], "a", "b")


class FrameOfOneFace:
    """A data set of one frame; the face's eyes are level, so a second look need not turn it."""

    names: ClassVar = ["Ada_00.jpg"]
    people: ClassVar = ["Ada"]

    def __init__(self):
        self.image, self.points = draw_face(np.random.default_rng(4), size=(150, 160), roll=0)
        self.points[45, 1] = self.points[36, 1]

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return {"image": self.image, "keypoints": self.points}

    def matrix(self):
        return crop_matrix(face_square(self.points), Framing.from_dict(FACE.framing))


class Frames:
    """A data set of five black frames, each with one face in the square (50, 50, 40)."""

    def __init__(self):
        face = np.random.default_rng(0).uniform(30, 70, (68, 2)).astype(np.float32)
        face[0], face[1] = (30, 30), (70, 70)
        face[36], face[45] = (40, 45), (60, 45)
        self.keypoints = np.stack([face] * 5)
        self.names = ["Ada_00.jpg", "Ada_01.jpg", "Ada_02.jpg", "Bo_00.jpg", "Bo_01.jpg"]
        self.people = ["Ada", "Ada", "Ada", "Bo", "Bo"]
        self.paths = [Path("data/test") / name for name in self.names]

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"image": np.full((100, 100, 3), index, np.uint8), "keypoints": self.keypoints[index]}


RIGHT, NEAR, FAR = (30, 30, 40, 40), (36, 36, 40, 40), (0, 0, 30, 30)


def found_in(image):
    """Per frame: the face; nothing; the face and a false one; the face twice, the worse one first; only a false one."""
    boxes = [[RIGHT], [], [FAR, RIGHT], [NEAR, RIGHT], [FAR]][int(image[0, 0, 0])]
    return [Face(box, None, Frames().keypoints[0] + (box == NEAR) * np.float32(50)) for box in boxes]


def itself(box):
    return box[0] + box[2] / 2, box[1] + box[3] / 2, box[2]


def test_end_to_end_counts_right_missed_and_false_faces():
    row = run_end_to_end("a", found_in, Frames(), itself)
    assert row.detections.found == [True, False, True, True, False]
    assert row.detections.false == [[], [], [FAR], [NEAR], [FAR]]
    assert (row.frames, row.people) == ([0, 2, 3], ["Ada", "Ada", "Bo"])
    assert row.errors.tolist() == [0, 0, 0]  # of the nearest face, not of the first
    figures = to_dict([row], Frames())[0]["detection"]
    assert figures == {
        "frames": 5,
        "found": 60.0,
        "frames_with_false": 60.0,
        "false_per_frame": pytest.approx(0.6),
        "missed": ["test/Ada_01.jpg", "test/Bo_01.jpg"],
        "false": {"test/Ada_02.jpg": [FAR], "test/Bo_00.jpg": [NEAR], "test/Bo_01.jpg": [FAR]},
    }
    cells = [cell.strip() for cell in tables([row]).splitlines()[-1].split("|")]
    assert cells[1:-1] == ["a", "5", "60.0 %", "60.0 %", "0.600"]


@pytest.mark.parametrize(
    ("box", "right"),
    [
        ((30, 30, 40, 40), True),  # the labelled square itself
        ((47, 30, 40, 40), True),  # moved by 17 of 40: 23 / 57 = 0.404 of their union
        ((48, 30, 40, 40), False),  # by 18: 22 / 58 = 0.379
        ((30, 12, 40, 40), False),  # the same upwards
        ((69, 69, 40, 40), False),  # touches at a corner
        ((37, 37, 26, 26), True),  # inside, 0.42 of the area
        ((38, 38, 25, 25), False),  # inside, 0.39
        ((20, 20, 63, 63), True),  # around, 0.403
        ((20, 20, 64, 64), False),  # around, 0.39
    ],
)
def test_a_box_matches_the_face_from_an_iou_of_two_fifths(box, right):
    """The labelled square is (50, 50, 40), and each box touches it."""
    row = run_end_to_end("a", lambda image: [Face(box, None, Frames().keypoints[0])], Frames(), itself)
    assert row.detections.found == [right] * 5
    assert row.detections.false == [[] if right else [box]] * 5
    assert row.frames == ([0, 1, 2, 3, 4] if right else [])


def test_with_no_face_found_there_are_no_figures():
    row = run_end_to_end("a", lambda image: [], Frames(), itself)
    one = summarise(row)
    assert (one.faces, one.nme, one.nme_interval, one.auc, one.ced, one.regions["jaw"]) == (0, *[None] * 5)
    assert "a: end to end" in tables([row])
    json.dumps(to_dict([row], Frames()), allow_nan=False)


def test_a_summary_by_hand():
    """Two faces of Ada's and one of Bo's, whose errors are 5, 0 and 20 %."""
    truth = np.tile(Frames().keypoints[:1].astype(float), (3, 1, 1))  # eyes 20 apart
    truth[2] *= 3  # 60 apart
    predicted = truth + np.array([1.0, 0])[None, None] * np.array([1, 0, 12])[:, None, None]
    one = summarise(Result("a", "b", [0, 1, 2], ["Ada", "Ada", "Bo"], predicted, truth))
    assert (one.faces, one.people) == (3, 2)
    assert one.nme == pytest.approx(25 / 3)
    assert one.nme_median == pytest.approx(5)
    assert one.failures == pytest.approx(100 / 3)
    assert one.auc == pytest.approx((0.5 + 1 + 0) / 3)
    assert one.nme_interval == pytest.approx((2.5, 20))  # the draws Ada twice and Bo twice
    assert (one.ced[0], one.ced[20], one.ced[-1]) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert one.regions == pytest.approx(dict.fromkeys(one.regions, 25 / 3))
    assert one.sizes == {"<30 px": (2, pytest.approx(2.5)), "30-45 px": (0, None), "45-60 px": (0, None)} | {
        ">60 px": (1, pytest.approx(20))
    }
    assert one.rolls["<5°"] == (3, pytest.approx(25 / 3))
    assert (one.mse, one.smooth_l1) == (None, None)


@pytest.mark.parametrize(("bins", "values"), [(ROLLS, [0, 4.9, 5, 15, 30, 180]), (SIZES, [1, 29.9, 30, 45, 60, 1e5])])
def test_every_value_lies_in_one_bin(bins, values):
    counts = [count for count, _ in binned(np.zeros(6), np.array(values), bins).values()]
    assert counts == [2, 1, 1, 2]


@pytest.mark.parametrize("card", [FACE, FRAME])
def test_all_rows_of_a_network_and_the_mean_face(card, drawn_data):
    dataset = load_split(drawn_data, "test")
    middle = Predictor("numpy", card, lambda crops: np.zeros((len(crops), 136), np.float32))
    rows = run_all({"a": middle, "b": middle}, drawn_data, dataset, FaceDetector())
    expected = [(name, protocol) for name in "ab" for protocol in ("crop", "course crop", "second look", "end to end")]
    expected += [("mean face", "crop"), ("mean face", "course crop")]
    assert [(row.model, row.protocol) for row in rows] == expected

    for row, kind in ((rows[-2], "face"), (rows[-1], "frame")):
        framed = card.with_framing(card.framing | {"kind": kind})
        labels = load_split(drawn_data, "test", evaluation_transform(framed))
        units = framed.units
        truth = units.to_pixels(np.stack([labels[i]["keypoints"].ravel() for i in range(len(labels))]))
        mean = units.to_pixels(np.tile(mean_face(drawn_data, framed), (len(truth), 1)))
        assert row.scores.nme == pytest.approx(nme(mean, truth).mean(), rel=1e-3)


def test_rows_of_the_best_quality_let_another_predictor_have_the_last_word(drawn_data):
    """The other predictor gives the same points, moved."""
    dataset = load_split(drawn_data, "test").subset(range(6))
    network = get_predictor(threads=1)
    moved = replace(network, forward=lambda crops: network.forward(crops) + np.float32(0.25))
    rows = run_all({"a": network}, drawn_data, dataset, FaceDetector(), best={"a": moved})
    found = {(row.model, row.protocol): row for row in rows}
    protocols = ("crop", "course crop", "second look", "end to end")
    expected = [(name, protocol) for name in ("a", "a, best") for protocol in protocols]
    assert [*found][:8] == expected
    for protocol in ("crop", "second look", "end to end"):
        plain, best = found["a", protocol], found["a, best", protocol]
        assert (plain.frames, plain.detections) == (best.frames, best.detections)
        if protocol == "crop":
            assert (best.predicted - plain.predicted).min() > 0  # every point, to the right and down
            continue
        for i, frame in enumerate(best.frames):
            image = dataset[frame]["image"]
            np.testing.assert_allclose(
                best.predicted[i], last_look(image, plain.predicted[i][None], moved)[0], atol=0.01
            )
            assert np.abs(best.predicted[i] - plain.predicted[i]).max() > 1


def test_rotated_rows_come_on_demand(drawn_data):
    dataset = load_split(drawn_data, "test").subset(range(6))
    rows = run_all({"a": get_predictor(threads=1)}, drawn_data, dataset, FaceDetector(), rotated=True)
    found = {row.protocol: row for row in rows if row.model == "a"}
    angles = ("-45", "-30", "-15", "+0", "+15", "+30", "+45")
    rotated = [f"rotated {angle}°{look}" for angle in angles for look in ("", ", second look")]
    assert list(found) == ["crop", "course crop", "second look", "end to end", *rotated]
    np.testing.assert_allclose(found["rotated +0°, second look"].errors, found["second look"].errors, rtol=1e-6)
    np.testing.assert_allclose(found["rotated +0°"].errors, found["crop"].errors, rtol=1e-6)
    assert found["rotated +45°"].scores.nme > found["crop"].scores.nme


def test_shipped_weights_on_real_frames(real_data):
    dataset = load_split(real_data, "validation")
    dataset = dataset.subset(range(0, len(dataset), 8))
    crop, _, second, whole, mean, _ = run_all({"shipped": get_predictor(threads=1)}, real_data, dataset, FaceDetector())
    assert crop.scores.nme < mean.scores.nme / 2
    assert crop.scores.nme < 6
    assert summarise(second).nme < 1.1 * crop.scores.nme
    assert np.mean(whole.detections.found) > 0.95
    assert summarise(whole).nme < 1.15 * crop.scores.nme
