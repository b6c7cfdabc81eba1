"""Transforms: a dot painted at a keypoint stays at the keypoint, whatever happens to the picture."""

from typing import Any

import numpy as np
import pytest

from fkp_app.data.dataset import load_split
from fkp_app.data.transforms import CenterCrop, Compose, FaceCrop, Gray, Normalize, RandomCrop, Rescale, ToTensor
from fkp_app.geometry.framing import Framing
from fkp_app.geometry.keypoint_layout import FLIP_ORDER, OUTER_EYES, RANGES
from tests.drawn import draw_face, face_shape

RIGHT_EYE, LEFT_EYE, CHIN = 36, 45, 8
DOTS = (RIGHT_EYE, LEFT_EYE, CHIN)
JITTER: dict[str, Any] = {"rotate": 25.0, "scale": 0.2, "shift": 0.1, "flip": True}


def dotted(width=300, height=260, middle=(150.0, 120.0), side=120.0, radius=4.0):
    """A sample: a black picture with soft red, green and blue dots at three keypoints of an upright face."""
    keypoints = (side * face_shape() + np.asarray(middle)).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width]
    squares = [(x - keypoints[i, 0]) ** 2 + (y - keypoints[i, 1]) ** 2 for i in DOTS]
    image = np.round(255 * np.exp(-np.stack(squares, axis=2) / (2 * radius**2))).astype(np.uint8)
    return {"image": image, "keypoints": keypoints}


def centres(image):
    """The centres of mass (3, 2) of the red, the green and the blue dot."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    weights = image.astype(np.float64)
    mass = weights.sum(axis=(0, 1))
    return np.column_stack([(weights * grid[:, :, None]).sum(axis=(0, 1)) / mass for grid in (x, y)])


def mirrored(points):
    """Whether right eye, left eye and chin (3, 2) have the opposite orientation to an upright face."""
    (ax, ay), (bx, by) = points[1] - points[0], points[2] - points[0]
    return ax * by - ay * bx < 0


def face(seed=0, size=(150, 120)):
    image, keypoints = draw_face(np.random.default_rng(seed), size=size)
    return {"image": image, "keypoints": keypoints.astype(np.float32)}


def test_dots_are_where_the_keypoints_are():
    """The tests below rely on this."""
    sample = dotted()
    np.testing.assert_allclose(centres(sample["image"]), sample["keypoints"][list(DOTS)], atol=0.02)


@pytest.mark.parametrize(
    ("size", "shape"),
    [(130, (130, 150)), (520, (520, 600)), ((390, 150), (390, 150)), (260, (260, 300)), ((100, 450), (100, 450))],
)
def test_rescale(size, shape):
    sample = dotted()
    scaled = Rescale(size)(sample)
    assert scaled["image"].shape == (*shape, 3)
    factor = np.array([shape[1] / 300, shape[0] / 260])
    np.testing.assert_allclose(scaled["keypoints"], sample["keypoints"] * factor, rtol=1e-5)
    # Resizing keeps the picture's edges, so it moves a pixel's centre by up to (factor - 1) / 2.
    centred = (sample["keypoints"][list(DOTS)] + 0.5) * factor - 0.5
    np.testing.assert_allclose(centres(scaled["image"]), centred, atol=0.05)


def test_rescale_keeps_the_shape_of_an_upright_picture():
    tall = {"image": np.zeros((200, 100, 3), np.uint8), "keypoints": np.full((68, 2), 10, np.float32)}
    assert Rescale(50)(tall)["image"].shape == (100, 50, 3)


def coordinates(height, width):
    """A picture whose red level is the row and whose green level is the column."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([y, x, np.zeros_like(x)], axis=2).astype(np.uint8)
    return {"image": image, "keypoints": np.full((68, 2), 20, np.float32)}


def test_random_crop_reaches_every_place_alike():
    crop, sample = RandomCrop(10, rng=0), coordinates(12, 13)
    counts = np.zeros((3, 4), int)
    for _ in range(1200):
        cropped = crop(sample)
        top, left = (int(v) for v in cropped["image"][0, 0, :2])
        counts[top, left] += 1
        assert cropped["image"].shape == (10, 10, 3)
        np.testing.assert_array_equal(cropped["keypoints"][0], [20 - left, 20 - top])
    assert counts.min() > 60  # 100 expected; 40 are 4 standard deviations
    assert counts.max() < 140


def test_crops_move_the_dots_with_the_keypoints():
    sample = dotted()
    for crop in (RandomCrop((200, 240), rng=1), CenterCrop((220, 260))):
        cropped = crop(sample)
        np.testing.assert_allclose(centres(cropped["image"]), cropped["keypoints"][list(DOTS)], atol=0.05)


def test_crops_of_a_shape_and_of_everything():
    sample = coordinates(12, 14)
    assert RandomCrop((5, 7), rng=0)(sample)["image"].shape == (5, 7, 3)
    np.testing.assert_array_equal(RandomCrop((12, 14), rng=0)(sample)["image"], sample["image"])
    np.testing.assert_array_equal(CenterCrop((6, 10))(sample)["image"][0, 0, :2], [3, 2])


@pytest.mark.parametrize("crop", [RandomCrop(13, rng=0), CenterCrop((12, 15)), RandomCrop((200, 1), rng=0)])
def test_a_crop_larger_than_the_image_is_refused(crop):
    expected = rf"{type(crop).__name__}: an image of 12 x 14 pixels is smaller than the crop of {crop.height} x"
    with pytest.raises(ValueError, match=expected):
        crop(coordinates(12, 14))


def test_normalize_is_the_course_projects():
    sample = face()
    normal = Normalize()(sample)
    gray = sample["image"] @ np.array([0.299, 0.587, 0.114]) / 255  # ITU-R BT.601
    np.testing.assert_allclose(normal["image"], gray, atol=1 / 255)
    assert normal["image"].dtype == normal["keypoints"].dtype == np.float32
    np.testing.assert_allclose(normal["keypoints"], (sample["keypoints"] - 100) / 50, atol=1e-6)
    np.testing.assert_allclose(Normalize(24, 12)(sample)["keypoints"], (sample["keypoints"] - 24) / 12, rtol=1e-5)
    white = {"image": np.full((2, 2, 3), 255, np.uint8), "keypoints": sample["keypoints"]}
    np.testing.assert_array_equal(Normalize()(white)["image"], np.ones((2, 2)))


def test_to_tensor_puts_channels_first():
    sample = face()
    tensor = ToTensor()(sample)
    np.testing.assert_array_equal(tensor["image"][2], sample["image"][:, :, 2])
    gray = Compose([Normalize(), ToTensor()])(sample)
    assert gray["image"].shape == (1, *sample["image"].shape[:2])
    for array in (tensor["image"], gray["image"], gray["keypoints"]):
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_the_course_projects_chain():
    chain = Compose([Rescale(250), RandomCrop(224, rng=0), Normalize(), ToTensor()])
    sample = chain(face())
    assert sample["image"].shape == (1, 224, 224)
    assert sample["keypoints"].shape == (68, 2)
    assert np.abs(sample["keypoints"]).max() < 4


@pytest.mark.parametrize("scale", [1.0, 1.4, 3.0])
@pytest.mark.parametrize("size", [48, 112])
def test_face_crop_without_jitter(size, scale):
    """The face's longer side becomes size / scale pixels, centred, for each of three sizes of the face."""
    for side in (40.0, 120.0, 190.0):
        sample = dotted(side=side)
        crop = FaceCrop(Framing("face", size, scale))(sample)
        assert crop["image"].shape == (size, size, 3)
        low, high = crop["keypoints"].min(axis=0), crop["keypoints"].max(axis=0)
        assert max(high - low) == pytest.approx(size / scale, rel=1e-4)
        np.testing.assert_allclose((low + high) / 2, (size - 1) / 2, atol=1e-3)
        assert crop["keypoints"].dtype == np.float32


def test_face_crop_with_every_jitter_keeps_dots_under_keypoints():
    sample = dotted()
    crop = FaceCrop(Framing("face", 112, 2.0), rng=3, **JITTER)
    flips, turns, sides, shifts = 0, [], [], []
    for _ in range(60):
        out = crop(sample)
        dots, points = centres(out["image"]), out["keypoints"]
        flipped = mirrored(dots)
        flips += flipped
        # The red dot marks the right eye; in a mirrored picture it marks the left eye.
        numbers = (LEFT_EYE, RIGHT_EYE, CHIN) if flipped else DOTS
        np.testing.assert_allclose(dots, points[list(numbers)], atol=0.2)
        assert not mirrored(points[list(DOTS)])
        across = points[LEFT_EYE] - points[RIGHT_EYE]
        turns.append(np.degrees(np.arctan2(across[1], across[0])))
        sides.append(np.linalg.norm(across) / np.linalg.norm(np.subtract(*sample["keypoints"][[45, 36]])))
        shifts.append(points[[RIGHT_EYE, LEFT_EYE, CHIN, 0, 16]].mean(axis=0))
    assert 15 <= flips <= 45
    assert -25.01 <= min(turns) < -12 < 12 < max(turns) <= 25.01
    plain = 112 / (2.0 * 120 * np.ptp(face_shape(), axis=0).max())
    assert plain / 1.222 <= min(sides) < plain / 1.1 < plain * 1.1 < max(sides) <= plain * 1.222  # exp(0.2)
    assert np.ptp(shifts, axis=0).min() > 112 * 0.1


def test_shift_alone_moves_by_shares_of_the_crop():
    sample = dotted()
    still = FaceCrop(Framing("face", 100, 1.5))(sample)["keypoints"]
    crop = FaceCrop(Framing("face", 100, 1.5), rng=0, shift=0.2)
    moves = np.array([(crop(sample)["keypoints"] - still)[0] for _ in range(200)])
    assert np.abs(moves).max() <= 20.001
    assert np.abs(moves).max(axis=0).min() > 18
    assert np.abs(moves.mean(axis=0)).max() < 3


def test_a_face_at_the_edge_is_cropped_beyond_it():
    sample = dotted(middle=(20.0, 250.0))
    crop = FaceCrop(Framing("face", 64, 2.5), rng=0, **JITTER)(sample)
    assert crop["image"].shape == (64, 64, 3)
    white = {**sample, "image": np.full_like(sample["image"], 255)}
    assert (FaceCrop(Framing("face", 64, 2.5))(white)["image"] == 255).all(), "the edge is repeated, not made black"


def test_a_gray_face_is_cropped_as_a_coloured_one():
    sample = face()
    crop = Compose([FaceCrop(Framing("face", 64, 1.4), rng=0, **JITTER), Gray()])(sample)
    turned = Compose([Gray(), FaceCrop(Framing("face", 64, 1.4), rng=0, **JITTER)])(sample)
    assert crop["image"].shape == turned["image"].shape == (64, 64)
    assert crop["image"].dtype == turned["image"].dtype == np.uint8
    np.testing.assert_allclose(turned["image"], crop["image"].astype(float), atol=2)  # rounded in different orders
    np.testing.assert_array_equal(turned["keypoints"], crop["keypoints"])


def test_gray_is_what_normalize_makes():
    sample = face()
    gray = Gray()(sample)
    np.testing.assert_array_equal(Normalize()(gray)["image"], Normalize()(sample)["image"])
    np.testing.assert_array_equal(Gray()(gray)["image"], gray["image"])


def test_the_seed_decides():
    sample, framing = face(), Framing("face", 48, 1.4)

    def crops(seed):
        crop = FaceCrop(framing, rng=seed, **JITTER)
        return np.stack([crop(sample)["image"] for _ in range(4)])

    np.testing.assert_array_equal(crops(1), crops(1))
    assert not np.array_equal(crops(1), crops(2))
    assert not np.array_equal(crops(1)[0], crops(1)[1])


@pytest.mark.parametrize(
    "transform",
    [
        Rescale(60),
        Rescale(120),
        RandomCrop(50, rng=0),
        RandomCrop((120, 150), rng=0),
        CenterCrop(50),
        Gray(),
        Normalize(),
        ToTensor(),
        FaceCrop(Framing("face", 48, 1.4), rng=0, **JITTER),
        Compose([Rescale(130), RandomCrop(100, rng=0), Normalize(), ToTensor()]),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_the_sample_stays_as_it_was(transform):
    sample = {**face(), "name": "Ada"}
    image, keypoints = sample["image"].copy(), sample["keypoints"].copy()
    for array in (sample["image"], sample["keypoints"]):
        array.setflags(write=False)
    result = transform(sample)
    assert result is not sample
    assert result["name"] == "Ada"
    np.testing.assert_array_equal(sample["image"], image)
    np.testing.assert_array_equal(sample["keypoints"], keypoints)


def test_ranges_part_the_68_points():
    assert [number for numbers in RANGES.values() for number in numbers] == list(range(68))
    assert [RANGES[name][0] for name in ("jaw", "right brow", "nose", "right eye", "mouth")] == [0, 17, 27, 36, 48]


def test_flip_order_is_the_mirror():
    """On a symmetrical face: tests/drawn.py places its points without using FLIP_ORDER."""
    shape = face_shape()
    np.testing.assert_allclose(shape[FLIP_ORDER] * [-1, 1], shape, atol=1e-12)
    np.testing.assert_array_equal(FLIP_ORDER[FLIP_ORDER], np.arange(68))
    assert OUTER_EYES == (36, 45)
    assert FLIP_ORDER[36] == 45
    assert shape[36, 0] == shape[36:48, 0].min()
    assert shape[45, 0] == shape[36:48, 0].max()


def test_real_faces_fill_their_crops(real_data):
    training = load_split(real_data, "training")
    crop = FaceCrop(Framing("face", 112, 1.4))
    for i in range(0, len(training), 300):
        sample = crop(training[i])
        assert sample["image"].shape == (112, 112, 3)
        low, high = sample["keypoints"].min(axis=0), sample["keypoints"].max(axis=0)
        assert max(high - low) == pytest.approx(80, abs=0.01)
        # The labelled people are upright: brows above eyes above mouth, and the right eye on the left.
        points = sample["keypoints"]
        assert points[17:27, 1].mean() < points[36:48, 1].mean() < points[48:68, 1].mean()
        assert points[36, 0] < points[45, 0]
