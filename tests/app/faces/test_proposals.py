"""The pyramid: what the network says about a small picture is found in the large one."""

import cv2
import numpy as np
import pytest

from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.faces import proposals
from fkp_app.faces.detector import SIDE
from fkp_app.faces.proposals import NetDetector, peaks
from fkp_app.geometry.finder_card import FinderCard
from numpynet import CheckpointError, FinderNet, WeightsCard, save_weights
from tests.free_pictures import group_picture


class OneSpot(NetDetector):
    """A detector whose network sees a face wherever a disc of about 34 pixels is white."""

    def __init__(self):
        self.sizes = []
        self._forward = self.look

    def look(self, image):
        height, width = image.shape[0] // 8, image.shape[1] // 8
        self.sizes.append(image.shape[:2])
        answer = np.full((height, width, 6), -9.0, np.float32)
        answer[..., 1:] = 0, 0, 0, 1, 0
        count, _, stats, middles = cv2.connectedComponentsWithStats((image[..., 0] > 0.5).astype(np.uint8))
        for i in range(1, count):
            side = stats[i, cv2.CC_STAT_WIDTH]
            if 24 <= side < 48:
                x, y = middles[i]
                row, column = min(height - 1, int(y / 8)), min(width - 1, int(x / 8))
                right, down = (x - (8 * column + 3.5)) / 8, (y - (8 * row + 3.5)) / 8
                answer[row, column] = 3, right, down, np.log2(side / 34), 0.5, 0.5
        return answer


@pytest.mark.parametrize(("x", "y", "radius"), [(200, 150, 14), (333, 120, 40), (250, 201, 130)])
def test_a_face_of_any_size_is_found_once_where_it_is(x, y, radius):
    image = np.zeros((403, 601, 3), np.uint8)
    cv2.circle(image, (x, y), radius, (255, 255, 255), -1)
    (found,) = OneSpot().candidates(image)
    assert found.square[:2] == pytest.approx((x, y), abs=0.02 * radius + 0.6)
    assert found.square[2] == pytest.approx(2 * radius + 1, rel=0.1)
    assert found.angle == pytest.approx(45)
    assert found.logit == 3


def test_large_images_are_shrunk_and_small_ones_are_not():
    spy = OneSpot()
    spy.candidates(np.zeros((3000, 4000, 3), np.uint8))
    height, width = spy.sizes[0]
    assert height * width <= 1.01 * proposals.MOST_PIXELS
    assert width / height == pytest.approx(4 / 3, rel=0.02)
    spy = OneSpot()
    spy.candidates(np.zeros((240, 320, 3), np.uint8))
    assert spy.sizes == [(240, 320), (120, 160), (64, 80), (32, 40)]


@pytest.mark.parametrize(("height", "width"), [(400, 600), (1500, 2000)])
def test_the_smallest_face_that_is_found_is_as_large_as_it_says(height, width):
    """`least` is the side of a box; the face square is SIDE of it, and the disc as wide as the square."""
    spy, found = OneSpot(), []
    for share in (0.9, 1.1):
        image = np.zeros((height, width, 3), np.uint8)
        radius = round(share * spy.least(height, width) * SIDE / 2)
        cv2.circle(image, (300, 200), radius, (255, 255, 255), -1)
        found.append(len(spy.candidates(image)))
    assert found == [0, 1]


def test_a_changed_image_is_searched_at_a_smaller_size():
    for change in ({"angle": 180.0}, {"margin": 0.1}):
        spy = OneSpot()
        spy.candidates(np.zeros((1000, 1300, 3), np.uint8), **change)
        height, width = spy.sizes[0]
        assert height * width == pytest.approx(proposals.MOST_CHANGED, rel=0.03)


def test_extended_edges_move_the_coordinates_back():
    image = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(image, (8, 100), 20, (255, 255, 255), -1)
    spy = OneSpot()
    (found,) = spy.candidates(image, margin=0.3)
    assert spy.sizes[0] == (320, 416)  # in whole cells
    assert found.square[1] == pytest.approx(100, abs=1)
    assert found.box[0] >= 0
    assert spy.candidates(image, 35.0) == []  # the network finds rolled faces by itself


@pytest.mark.parametrize("angle", [90.0, -90.0, 180.0, 120.0])
def test_a_turned_search_gives_places_in_the_image_as_it_is(angle):
    image = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(image, (220, 60), 18, (255, 255, 255), -1)
    (found,) = OneSpot().candidates(image, angle)
    assert found.square[:2] == pytest.approx((220, 60), abs=1)
    assert found.angle == pytest.approx(angle + 45)


def test_no_image_is_too_small():
    assert OneSpot().candidates(np.zeros((1, 1, 3), np.uint8)) == []
    assert OneSpot().candidates(np.zeros((2, 900, 3), np.uint8)) == []


def test_only_the_likeliest_of_neighbouring_cells_is_kept():
    answer = np.zeros((6, 3, 4))
    answer[0] = [[5, 4, 0, 1], [0, 0, 0, 0], [0, 0, 2, 2]]
    kept = peaks(answer)[0]
    assert np.argwhere(np.isfinite(kept)).tolist() == [[0, 0], [0, 3], [2, 0], [2, 2], [2, 3]]
    assert (answer[0, 0, 1], kept[0, 1]) == (4, -np.inf)  # and the answer itself is unchanged


def test_other_weights_are_refused_in_one_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"hourglass.safetensors: holds a HourglassNet, which places keypoints"):
        NetDetector(SHIPPED_WEIGHTS)
    net, path = FinderNet(rng=0), tmp_path / "a.safetensors"
    save_weights(path, net.state_dict(), WeightsCard(net.arguments, 128, {"grid": {"cell": 4}}, "FinderNet"))
    with pytest.raises(CheckpointError, match="its grid is not the one that this program knows"):
        NetDetector(path)
    save_weights(path, net.state_dict(), FinderCard.describe(net.arguments, {}))
    NetDetector(path).candidates(np.zeros((40, 40, 3), np.uint8))


@pytest.mark.parametrize(("turn", "back"), [(None, 0.0), (cv2.ROTATE_90_CLOCKWISE, -90.0), (cv2.ROTATE_180, 180.0)])
def test_the_shipped_finder_proposes_every_face_of_the_group(turn, back):
    image, known = group_picture()
    if turn is not None:
        image = cv2.rotate(image, turn)
    found = [one for one in NetDetector().candidates(image, back) if one.logit > 0]
    assert len(known) <= len(found) < len(known) + 6
