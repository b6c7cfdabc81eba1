"""Tiles and smaller copies of a picture, and the way back from them."""

import numpy as np
import pytest

from fkp_app.faces import views
from fkp_app.faces.detector import Candidate
from fkp_app.faces.views import OVERLAP, TILE_SIDE, View, smaller, tile_shrink, tiles


class Brightest:
    """A detector that proposes a 20 pixels wide square about the middle of the bright patch."""

    def candidates(self, image, angle=0.0, margin=0.0):
        rows, columns = np.nonzero(image[..., 0] > 100)
        if not len(rows):
            return []
        x, y = columns.mean(), rows.mean()
        return [Candidate((round(x - 10), round(y - 10), 20, 20), (x, y, 20.0), angle, 1.0, 1)]


def picture(height, width, x, y, half=12):
    image = np.zeros((height, width, 3), np.uint8)
    image[y - half : y + half, x - half : x + half] = 200
    return image


@pytest.mark.parametrize("shrink", [0.5, 1, 2, 3.7])
def test_a_candidate_of_a_small_copy_lies_where_the_image_shows_it(shrink):
    image = picture(600, 800, 300, 400)
    (found,) = smaller(image, shrink).candidates(Brightest(), 30.0)
    x, y, side = found.square
    assert (x, y) == pytest.approx((299.5, 399.5), abs=0.6 * shrink)
    assert side == pytest.approx(20 * max(1, shrink))
    assert found.box[0] + found.box[2] / 2 == pytest.approx(300, abs=2 * shrink)
    assert found.angle == 30


@pytest.mark.parametrize("size", [(400, 300), (640, 641), (1500, 2100), (2000, 12000)])
def test_tiles_cover_every_face_of_the_image_whole(size):
    height, width = size
    whole = smaller(np.zeros((height, width, 3), np.uint8), tile_shrink(height, width))
    seen = np.zeros(whole.picture.shape[:2], int)
    for tile in tiles(whole):
        left, top = round(tile.left / whole.shrink), round(tile.top / whole.shrink)
        h, w = tile.picture.shape[:2]
        assert max(h, w) <= TILE_SIDE
        seen[top : top + h - OVERLAP + 1, left : left + w - OVERLAP + 1] += 1  # a face that begins here lies inside
    inner = seen[: max(1, seen.shape[0] - OVERLAP), : max(1, seen.shape[1] - OVERLAP)]
    assert inner.min() >= 1


def test_a_candidate_of_a_tile_lies_where_the_image_shows_it(monkeypatch):
    monkeypatch.setattr(views, "MOST_PIXELS", 1500 * 1100)
    image = picture(2200, 3000, 2500, 1700)
    found = [one for tile in tiles(smaller(image, tile_shrink(2200, 3000))) for one in tile.candidates(Brightest())]
    assert found
    assert any(one.square == pytest.approx((2499.5, 1699.5, 40), abs=2) for one in found)


def test_known_faces_are_painted_over_in_the_copy_alone():
    image = picture(600, 800, 300, 400)
    image[:100] = 50
    shown = View(image).without([(299.5, 399.5, 40.0), (-90.0, 10.0, 30.0)])
    assert Brightest().candidates(shown.picture) == []
    assert image.max() == 200
    np.testing.assert_array_equal(shown.picture[:100], image[:100])
    (tile,) = [View(image[300:, 200:], 200, 300, 1.0).without([(299.5, 399.5, 40.0)])]
    assert Brightest().candidates(tile.picture) == []
