"""Folders of a user's own drawn photos and their labels."""

import shutil

import pytest

from tests.app.data.own_folders import PHOTOS
from tests.drawn import write_own_photos


@pytest.fixture(scope="module")
def drawn_photos(tmp_path_factory):
    return write_own_photos(tmp_path_factory.mktemp("own") / "photos", PHOTOS, side=96)


@pytest.fixture
def photos(drawn_photos, tmp_path):
    """A folder of IMG_0001.JPG .. IMG_0012.JPG and keypoints.csv, which a test may change."""
    return shutil.copytree(drawn_photos, tmp_path / "photos")
