"""`fkp evaluate`: tables, JSON and pictures, several weights, both backends, and its errors."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from fkp_app.backends.predictor import SHIPPED_WEIGHTS
from fkp_app.data.dataset import load_split, person
from fkp_app.media.images import write_image
from tests.drawn import write_dataset
from tests.free_pictures import group_picture

PICTURES = ("ced.png", "errors.png", "sheet.png")


def copy(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(SHIPPED_WEIGHTS, path)
    return path


def test_a_folder_receives_tables_figures_and_pictures(drawn_data, tmp_path, fkp):
    out, report = tmp_path / "out", tmp_path / "report.json"
    ended = fkp(
        "evaluate", "--data", drawn_data, "--threads", 1, "--split", "test", "--rolled", "--out", out, "--json", report
    )
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (out / "table.md").read_text("utf-8")
    assert report.read_text("utf-8") == (out / "results.json").read_text("utf-8")
    assert {path.name for path in out.iterdir()} == {"table.md", "results.json", *PICTURES}
    for name in PICTURES:
        pixels = np.asarray(Image.open(out / name).convert("RGB"))
        assert min(pixels.shape[:2]) > 400
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # something is drawn

    figures = json.loads(report.read_text("utf-8"))
    assert (figures["split"], figures["backend"], figures["weights"]) == ("test", "numpy", {"hourglass": "shipped"})
    names = load_split(drawn_data, "test").names
    rows = {(row["model"], row["protocol"]): row for row in figures["rows"]}
    assert len(rows) == 20
    crop = rows["hourglass", "crop"]
    assert crop["nme"] == pytest.approx(figures["model"]["nme"], rel=1e-4)
    assert crop["failures"] == pytest.approx(figures["model"]["failures"])
    assert rows["mean face", "crop"]["nme"] == pytest.approx(figures["mean_face"]["nme"], rel=1e-4)
    assert (crop["faces"], crop["people"]) == (len(names), len({person(name) for name in names}))
    assert crop["nme_interval"][0] < crop["nme"] < crop["nme_interval"][1]
    assert len(crop["ced"]) == len(figures["ced_levels"])
    assert next(iter(crop["worst"].values())) == max(crop["worst"].values())
    assert all(name.startswith("test/") for name in crop["worst"])
    assert rows["hourglass", "end to end"]["detection"]["frames"] == len(names)
    for row in rows.values():
        assert sum(count for count, _ in row["rolls"].values()) == row["faces"]
        assert f"| {row['model']}: {row['protocol']} " in ended.out
    assert f"{crop['nme']:.3f} % |" in ended.out


def test_people_seen_in_training_are_told(drawn_data, fkp):
    """In drawn data, too, the test file contains all people of the training file."""
    seen = {person(name) for name in load_split(drawn_data, "training").names}
    everyone = {person(name) for name in load_split(drawn_data, "test").names}
    ended = fkp("evaluate", "--data", drawn_data, "--threads", 1, "--split", "test")
    assert f"\nLeak: {len(seen)} of these {len(everyone)} people are in the training split too" in ended.out
    ended = fkp("evaluate", "--data", drawn_data, "--threads", 1, "--split", "validation")
    assert "\nNo leak: none of these " in ended.out
    assert "\nLeak" not in ended.out


@pytest.mark.torch
def test_both_backends_agree(drawn_data, fkp):
    found = []
    for backend in ("numpy", "torch"):
        ended = fkp(
            "evaluate", "--data", drawn_data, "--threads", 1, "--split", "test", "--backend", backend, "--json", "-"
        )
        assert ended.code == 0
        found.append(json.loads(ended.out))  # nothing else on standard output
    for one, other in zip(found[0]["rows"], found[1]["rows"], strict=True):
        assert one["nme"] == pytest.approx(other["nme"], rel=1e-3)
        assert one["auc"] == pytest.approx(other["auc"], abs=1e-3)
    assert found[1]["backend"] == "torch"


def test_several_weights_stand_in_one_table_by_name(drawn_data, tmp_path, fkp):
    files = [
        copy(tmp_path / name) for name in ("run1/weights.safetensors", "run2/weights.safetensors", "best.safetensors")
    ]
    options = [part for path in files for part in ("--weights", path)]
    ended = fkp("evaluate", "--data", drawn_data, "--threads", 1, "--split", "validation", *options, "--json", "-")
    assert ended.code == 0
    figures = json.loads(ended.out)
    assert figures["weights"] == dict(zip(("run1/weights", "run2/weights", "best"), map(str, files), strict=True))
    crops = [row for row in figures["rows"] if row["protocol"] == "crop"]
    assert [row["model"] for row in crops] == ["run1/weights", "run2/weights", "best", "mean face"]
    assert crops[0]["nme"] == crops[2]["nme"]


def test_rows_of_the_best_quality(drawn_data, tmp_path, fkp):
    """The mean of two copies sees in a crop what one sees."""
    files = [copy(tmp_path / name) for name in ("a.safetensors", "a-1.safetensors")]
    options = ["--data", drawn_data, "--threads", 1, "--split", "validation", "--weights", files[0], "--json", "-"]
    ended = fkp("evaluate", *options, "--quality", "best")
    assert (ended.code, ended.err) == (0, "")
    rows = {(row["model"], row["protocol"]): row for row in json.loads(ended.out)["rows"]}
    assert list(dict.fromkeys(model for model, _ in rows)) == ["a", "a, best", "mean face"]
    assert rows["a, best", "crop"]["nme"] == pytest.approx(rows["a", "crop"]["nme"], rel=1e-6)
    assert rows["a, best", "end to end"]["nme"] != rows["a", "end to end"]["nme"]
    assert rows["a, best", "end to end"]["detection"] == rows["a", "end to end"]["detection"]
    files[1].unlink()
    ended = fkp("evaluate", *options, "--quality", "best")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "there is no a-1.safetensors beside it" in ended.err


def test_what_it_refuses_is_one_line(drawn_data, tmp_path, fkp):
    file = copy(tmp_path / "a.safetensors")
    for options, words in (
        (["--split", "all"], "Invalid value for '--split': must be training, validation, report or test, got all"),
        (["--split", "test", "--quality", "good"], "Invalid value for '--quality': must be fast or best, got good"),
        (["--split", "test", "--out", file], "is a file or lies in one; name a folder"),
        (["--split", "test", "--json", tmp_path], "is a folder; name a file"),
        (["--split", "test", "--weights", file, "--weights", file], "would both be called"),
    ):
        ended = fkp("evaluate", "--data", drawn_data, "--threads", 1, *options)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert words in ended.err


def test_a_split_without_frames_is_told(tmp_path, fkp, monkeypatch):
    data = write_dataset(tmp_path / "data", people=2, videos=1, frames=2, test_frames=2)
    monkeypatch.setattr("fkp_app.data.dataset.split_of", lambda name: "training")
    ended = fkp("evaluate", "--data", data, "--split", "report", "--out", tmp_path / "out")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert "its report split is empty; choose another --split" in ended.err
    assert not (tmp_path / "out").exists()


def test_photos_of_ones_own_are_measured(tmp_path, fkp):
    photos, faces, out = tmp_path / "photos", tmp_path / "faces.json", tmp_path / "out"
    photos.mkdir()
    write_image(photos / "group.png", group_picture()[0])
    write_image(photos / "wall.png", np.full((90, 120, 3), 120, np.uint8))
    assert fkp("detect", photos, "--json", faces, "--quiet").code == 0
    labels = json.loads(faces.read_text("utf-8"))
    labels[0]["faces"][0] |= {"ignore": True}
    labels[1]["faces"] = [{"box": [10, 10, 40, 40]}]
    faces.write_text(json.dumps(labels), "utf-8")
    ended = fkp("evaluate", "--photos", photos, "--faces", faces, "--threads", 1, "--out", out, "--json", "-")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (out / "results.json").read_text("utf-8")
    figures = json.loads(ended.out)["models"]["hourglass"]
    assert (figures["faces"], figures["found"], figures["false"], figures["points"]) == (6, 5, 0, 5)
    assert figures["nme"] < 0.01
    assert list(figures["missed"]) == [labels[1]["image"]]
    table = (out / "table.md").read_text("utf-8")
    assert table.startswith(f"{photos}: 2 photos, labelled in {faces}\n")
    assert "| hourglass |      2 |     6 |     5 | 83.3 % |     0 |                 0 |" in table


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], "fkp: name what to measure on: --data and --split, or --photos and --faces"),
        (["--photos", "."], "fkp: --photos needs --faces and the reverse, and neither --data, --split nor --rolled"),
        (["--photos", ".", "--faces", "a.json", "--rolled"], "fkp: --photos needs --faces and the reverse, and neith"),
        (["--data", "."], "fkp: name what to measure on: --data and --split, or --photos and --faces"),
    ],
    ids=str,
)
def test_photos_and_frames_do_not_mix(options, line, fkp):
    ended = fkp("evaluate", *options)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(line)
    assert ended.err.count("\n") == 1
