"""Faces followed through videos: their numbers, when they come and go, and how often frames are searched."""

import numpy as np
import pytest

from benchmarks.quality.clips import camera, one_face
from fkp_app.backends.predictor import get_predictor
from fkp_app.faces.detector import FaceDetector
from fkp_app.faces.keypoints import Face
from fkp_app.tracking.searches import TURNED_EVERY, Scene, Search
from fkp_app.tracking.tracker import CHECK_EVERY, DETECT_EVERY, FaceTracker
from fkp_app.tracking.tracks import Track, merged, plausible
from tests.app.faces.test_keypoints import placed
from tests.app.tracking.moving_faces import HEIGHT, WIDTH, Network, Squares, middle_of, scene

ONE, OTHER, THIRD = 120, 180, 240
"""Grey levels, each the name of a face."""


def follow(frames, detector=None, predictor=None, rate=25.0, **options):
    """The tracker's reports for frames {level: square}."""
    tracker = FaceTracker(detector or Squares(), predictor or Network(), **options)
    return [tracker.update(scene(faces), index / rate) for index, faces in enumerate(frames)]


def who(seen, faces):
    """{level: track} of the reported faces of a frame, each of which must lie on one of `faces`."""
    tracks = {}
    for face in seen:
        away = {level: np.hypot(*(middle_of(face) - square[:2])) for level, square in faces.items()}
        level = min(away, key=away.get)
        assert away[level] < 0.2 * faces[level][2], (away, face.track)
        tracks[level] = face.track
    return tracks


@pytest.mark.parametrize("smooth", [True, False])
def test_a_moving_face_keeps_its_number_and_is_where_it_is(smooth):
    frames = [{ONE: (60 + 5 * i, 80 + 2 * i, 40 + i / 2)} for i in range(41)]
    detector = Squares()
    for seen, faces in zip(follow(frames, detector, smooth=smooth), frames, strict=True):
        (face,) = seen
        assert who(seen, faces) == {ONE: 1}
        assert face.keypoints.shape == (68, 2)
        assert face.keypoints.dtype == np.float32
        assert 0.5 < face.confidence <= 1
    assert detector.searches == 1 + 40 // DETECT_EVERY


def test_the_order_in_which_faces_are_found_does_not_matter():
    frames = [{ONE: (60, 60, 40), OTHER: (160, 170, 50), THIRD: (260, 60, 60)}] * 20
    names = [who(seen, faces) for seen, faces in zip(follow(frames, detect_every=2), frames, strict=True)]
    assert all(name == names[0] for name in names)
    assert sorted(names[0].values()) == [1, 2, 3]


def test_the_largest_face_comes_first():
    frames = [{ONE: (60, 80, 40 + 2 * i), OTHER: (160, 170, 50), THIRD: (260, 60, 60)} for i in range(16)]
    seen = follow(frames)
    assert list(who(seen[0], frames[0])) == [THIRD, OTHER, ONE]
    assert list(who(seen[-1], frames[-1])) == [ONE, THIRD, OTHER]


def test_faces_that_pass_each_other_keep_their_numbers():
    frames = [{ONE: (80 + 4 * i, 100, 40), OTHER: (240 - 4 * i, 130, 40)} for i in range(41)]
    seen = follow(frames)
    first = who(seen[0], frames[0])
    assert sorted(first.values()) == [1, 2]
    assert all(who(each, faces) == first for each, faces in zip(seen, frames, strict=True))


def test_a_face_that_passes_behind_another_gets_its_number_back():
    frames = [{ONE: (80 + 4 * i, 120, 40), OTHER: (240 - 4 * i, 120, 44)} for i in range(41)]
    seen = follow(frames, detect_every=4)
    first = who(seen[0], frames[0])
    assert all(who(each, faces) == first for each, faces in zip(seen[:14], frames[:14], strict=True))
    for each, faces in zip(seen, frames, strict=True):  # the face in front
        (front,) = [face for face in each if face.track == first[OTHER]]
        np.testing.assert_allclose(middle_of(front), faces[OTHER][:2], atol=3)
    assert len(seen[20]) == 1
    assert all(who(each, faces) == first for each, faces in zip(seen[28:], frames[28:], strict=True))


def test_a_new_face_enters_at_the_next_search():
    frames = [{ONE: (60, 60, 40)}] * 3 + [{ONE: (60, 60, 40), OTHER: (200, 150, 40)}] * 12
    numbers = [sorted(face.track for face in seen) for seen in follow(frames, detect_every=5)]
    assert numbers == [[1]] * 5 + [[1, 2]] * 10


def test_points_do_not_stay_on_the_wall():
    frames = [{ONE: (200, 100, 40), OTHER: (80, 100, 40)}] * 6 + [{OTHER: (80, 100, 40)}] * 12
    numbers = [sorted(face.track for face in seen) for seen in follow(frames)]
    assert numbers[0] == [1, 2]
    assert all(len(each) == 1 for each in numbers[6 + CHECK_EVERY :])
    assert len(numbers[6]) == 2  # there was no cut


def test_a_lost_face_is_searched_for_at_once():
    """Between two frames the face moves by more than two sides."""
    frames = [{ONE: (80, 100, 40)}] * 4 + [{ONE: (80 + 90, 100, 40)}] * 6
    detector = Squares()
    seen = follow(frames, detector, detect_every=100)
    assert [len(each) for each in seen[:4]] == [1] * 4
    assert who(seen[-1], frames[-1])
    assert detector.searches == 2


def test_a_face_that_leaves_the_frame_is_let_go():
    frames = [{ONE: (200 + 6 * i, 100, 40), OTHER: (60, 180, 60)} for i in range(30)]
    counts = [len(seen) for seen in follow(frames)]
    leaves = (WIDTH - 200) // 6 + 1  # the frame in which its middle leaves
    assert counts[: leaves - 4] == [2] * (leaves - 4)
    assert counts[leaves + 1 :] == [1] * (30 - leaves - 1)


def test_a_cut_is_seen_in_its_first_frame():
    tracker = FaceTracker(Squares(), Network())
    for i in range(3):
        (face,) = tracker.update(scene({ONE: (80, 100, 40)}), i / 25)
    (face,) = tracker.update(scene({OTHER: (240, 160, 50)}, wall=1), 3 / 25)
    assert face.track == 2
    np.testing.assert_allclose(middle_of(face), (240, 160), atol=3)
    assert tracker.update(scene({}, wall=3), 4 / 25) == []


def test_changed_light_and_a_pan_are_no_cut_but_another_picture_is():
    rng = np.random.default_rng(0)
    here, there = scene({ONE: (80, 100, 40)}, wall=3), scene({ONE: (80, 100, 40)}, wall=0)
    changed = Scene().changed
    assert changed(here)
    darker = (0.6 * here + 20).astype(np.uint8)
    pictures = [here, darker, camera(here, rng), np.roll(here, 6, axis=1), there, there, 0 * here, 0 * here + 9, there]
    assert [changed(picture) for picture in pictures] == [False] * 4 + [True, False, True, False, True]


def test_a_long_pause_begins_a_new_scene():
    detector = Squares()
    tracker = FaceTracker(detector, Network(), detect_every=100)
    (before,) = tracker.update(scene({ONE: (80, 100, 40)}), 0.0)
    (after,) = tracker.update(scene({ONE: (240, 160, 40)}), 9.0)
    assert before.track != after.track
    np.testing.assert_allclose(middle_of(after), (240, 160), atol=3)
    assert detector.searches == 2


@pytest.mark.parametrize(
    ("size", "time"), [((HEIGHT + 20, WIDTH), 0.12), ((WIDTH, HEIGHT), 0.12), ((HEIGHT, WIDTH), 0.01)]
)
def test_another_size_and_a_time_before_begin_anew(size, time):
    detector = Squares()
    tracker = FaceTracker(detector, Network())
    for i in range(3):
        (face,) = tracker.update(scene({ONE: (80, 100, 40)}), i / 25)
        assert face.track == 1
    (face,) = tracker.update(scene({ONE: (80, 100, 40)}, size), time)
    assert face.track == 2
    assert detector.searches == 2
    assert tracker.update(scene({ONE: (80, 100, 40)}, size), time + 0.04)[0].track == 2


@pytest.mark.parametrize("time", [0.0, float("nan"), float("inf")])
def test_a_time_that_says_nothing_is_no_reason_to_stop(time):
    tracker = FaceTracker(Squares(), Network())
    for i in range(10):
        (face,) = tracker.update(scene({ONE: (80 + 3 * i, 100, 40)}), time)
        assert face.track == 1
        np.testing.assert_allclose(middle_of(face), (80 + 3 * i, 100), atol=3)


def test_irregular_times_are_followed():
    times = np.cumsum(np.random.default_rng(1).choice([1e-6, 0.01, 0.1, 0.4], 40))
    tracker = FaceTracker(Squares(), Network())
    for i, time in enumerate(times):
        (face,) = tracker.update(scene({ONE: (80 + 2 * i, 100, 40)}), float(time))
        assert face.track == 1
        np.testing.assert_allclose(middle_of(face), (80 + 2 * i, 100), atol=4)


def test_without_a_face_searches_are_rare_and_turned_ones_rarer():
    detector, predictor = Squares(), Network()
    frames = 1 + 4 * TURNED_EVERY
    assert follow([{}] * frames, detector, predictor, detect_every=12) == [[]] * frames
    assert detector.searches == 1 + TURNED_EVERY  # a search at every fourth frame
    assert len(detector.asked) - detector.searches == 2 * 3  # searches 1 and 7 add a margin and two turns
    assert predictor.batches == []


def test_a_tilted_face_is_found_at_once_and_followed():
    detector = Squares(angle=30.0)
    seen = follow([{ONE: (80, 100, 40)}] * 8, detector)
    assert [[face.track for face in each] for each in seen] == [[1]] * 8
    assert len(detector.asked) == 4  # plain, with a margin, turned each way


def test_each_frame_is_one_batch_with_few_second_looks():
    predictor = Network()
    frames = [{ONE: (60, 60, 40), OTHER: (200, 150, 50)}] * 31
    follow(frames, predictor=predictor, detect_every=1000)
    assert predictor.batches[:2] == [2, 2]  # two looks, to find and to judge
    assert len(predictor.batches) == 2 + 30
    assert set(predictor.batches[2:]) <= {2, 3}
    assert sum(predictor.batches[2:]) == 30 * 2 + 30 // CHECK_EVERY * 2


def test_unsure_faces_are_not_followed():
    assert follow([{ONE: (80, 100, 40)}] * 2, min_confidence=1.1) == [[], []]


def test_points_shake_less_when_smoothed():
    frames = [{ONE: (80, 100, 40)}] * 60
    shakes = []
    for smooth in (False, True):
        seen = follow(frames, predictor=Network(noise=0.5), smooth=smooth)
        points = np.stack([faces[0].keypoints for faces in seen])
        shakes.append(np.sqrt((np.diff(points[15:], axis=0) ** 2).mean()))
    # The network sees whole pixels only, and its errors move all points together.
    assert shakes[1] < shakes[0] / 2


class Odd(Network):
    """Changes its answer once, in batch number `at`."""

    def __init__(self, change, at=6):
        super().__init__()
        self.change, self.at = change, at

    def keypoints(self, crops):
        seen = super().keypoints(crops)
        return self.change(seen) if len(self.batches) == self.at else seen


@pytest.mark.parametrize(
    "change",
    [
        lambda seen: seen * np.nan,
        lambda seen: seen + 50,
        lambda seen: (seen - 31.5) * 2 + 31.5,
        lambda seen: (seen - 31.5) / 2 + 31.5,
        lambda seen: 0 * seen,
    ],
    ids=["nan", "away", "grown", "shrunk", "one point"],
)
def test_points_that_are_no_face_end_a_track_and_the_face_is_found_again(change):
    detector = Squares()
    seen = follow([{ONE: (80, 100, 40)}] * 10, detector, Odd(change), detect_every=100)
    for each in seen:
        assert who(each, {ONE: (80, 100, 40)}) == {ONE: 1}
    assert detector.searches == 2


def test_plausible_points_lie_in_the_frame_near_the_expected_square_and_are_not_too_small():
    face = placed((100, 80), 40, 20)
    assert plausible(face, (105, 85, 44), 320, 240)
    assert not plausible(face, (105, 85, 44), 90, 240)  # beyond the edge
    assert not plausible(placed((100, 80), 12, 0), (100, 80, 13), 320, 240)  # too small to follow
    assert not plausible(face, (140, 80, 44), 320, 240)


def test_two_tracks_on_one_face_become_one():
    def track(number, middle, strayed=0.0):
        one = Track(number, Face((0, 0, 1, 1), 0.9, placed(middle, 50, 0)), smooth=True)
        one.strayed = strayed
        return one

    assert [one.number for one in merged([track(4, (100, 100)), track(2, (103, 100)), track(3, (200, 100))])] == [2, 3]
    assert [one.number for one in merged([track(4, (100, 100)), track(2, (103, 100), strayed=0.4)])] == [4]
    assert len(merged([track(4, (100, 100)), track(2, (115, 100))])) == 2


def test_a_small_search_gives_places_in_the_whole_frame():
    image = scene({ONE: (500, 400, 200)}, size=(960, 1280))
    detector = Squares()
    (found,) = Search(detector, [], small=True, turned=False).candidates(image)
    assert detector.asked == [(0.0, 0.0, 320)]
    np.testing.assert_allclose(found.square, (499.5, 399.5, 200), atol=1)
    assert found.box == (400, 300, 200, 200)
    assert Search(detector, [found.square], small=True, turned=False).candidates(image) == []
    for changed in ((35.0, 0.0), (0.0, 0.3)):
        assert Search(detector, [], small=False, turned=False).candidates(image, *changed) == []


def test_detect_every_must_be_a_number_of_frames():
    with pytest.raises(ValueError, match="detect_every must be at least 1, got 0"):
        FaceTracker(Squares(), Network(), detect_every=0)


def test_a_real_face_is_followed_and_let_go_at_a_cut():
    predictor = get_predictor()
    clip = one_face("mix", predictor, frames=32)
    tracker = FaceTracker(FaceDetector(), predictor)
    images = list(clip.images())
    for index in range(0, 32, 2):  # at half the frame rate the head moves twice as far per frame
        (face,) = tracker.update(images[index], clip.time(index))
        assert face.track == 1
        assert np.linalg.norm(face.keypoints - clip.truth(index)[0], axis=1).mean() < 3.5
    wall = camera(
        np.ascontiguousarray(clip.scene[:100, 400:600].repeat(2, axis=0).repeat(2, axis=1)), np.random.default_rng(0)
    )
    background = np.tile(wall, (3, 2, 1))[:480, :640]
    assert tracker.update(np.ascontiguousarray(background), clip.time(33)) == []
