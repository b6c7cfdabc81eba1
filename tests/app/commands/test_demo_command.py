"""`fkp demo`: its pictures and its report, and what it says without its photo."""

import numpy as np
import pytest

from fkp_app.media.images import read_image
from tests.app.commands.one_face import EYES, one_face
from tests.free_pictures import hopper


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_the_demo(backend, tmp_path, fkp):
    ended = fkp("demo", "--backend", backend, "--out", tmp_path / "demo")
    assert (ended.code, ended.err) == (0, "")
    assert "grace_hopper.jpg: 1 face found" in ended.out
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "faces.json",
        "keypoints.png",
        "sunglasses.png",
    ]
    one_face((tmp_path / "demo" / "faces.json").read_text(), np.array(EYES))
    worn = read_image(tmp_path / "demo" / "sunglasses.png")
    for x, y in EYES:
        assert worn[y, x].max() < 110
    assert (read_image(tmp_path / "demo" / "keypoints.png") != hopper()).any(axis=2).mean() > 0.005


def test_a_demo_without_its_photo(tmp_path, monkeypatch, fkp):
    monkeypatch.setattr("fkp_app.commands.demo.PHOTO", ("no_such_package", "photo.jpg"))
    ended = fkp("demo", "--out", tmp_path / "demo")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("fkp: the demo's photo is missing: pip install matplotlib")
    assert not (tmp_path / "demo").exists()
