"""What a command's arguments stand for."""

import os
from pathlib import Path

import pytest

from fkp_app.errors import UsageError
from fkp_app.outputs import target_paths
from fkp_app.sources import Source
from fkp_app.sources import expand as expand_all


@pytest.fixture
def tree(tmp_path):
    """A folder of images and videos, with folders in it."""
    for name in (
        *("b.jpg", "a.PNG", "c.tiff", "clip.MP4", "notes.txt", ".hidden.png", "._b.jpg", "jpg"),
        *("deep/d.png", "deep/deeper/e.webp", ".git/f.png", "out/a.PNG.png"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def expand(*arguments, **options):
    """Sources and problems."""
    expanded = expand_all(*arguments, **options)
    return expanded.sources, expanded.problems


def notes(*arguments, **options):
    """The lines that say what was left out or guessed, without `left out: `."""
    return [note.removeprefix("left out: ") for note in expand_all(list(map(str, arguments)), **options).notes]


def inside(sources):
    return [str(source.inside) for source in sources]


def test_a_folder_gives_its_images_and_videos_by_name(tree):
    sources, problems = expand([str(tree)])
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4"]
    assert [source.kind for source in sources] == ["image", "image", "image", "video"]
    assert [source.path for source in sources] == [tree / name for name in inside(sources)]
    assert problems == []


def test_folders_in_folders_only_when_asked_and_never_the_results(tree):
    sources, _ = expand([str(tree)], recursive=True)
    deep = ["deep/d.png", "deep/deeper/e.webp"]
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4", *deep, "out/a.PNG.png"]
    sources, _ = expand([str(tree)], recursive=True, leave_out=[tree / "out"])
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4", *deep]


def test_a_folder_that_holds_both_sources_and_results(tree):
    assert inside(expand([str(tree)], leave_out=[tree])[0]) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4"]


def test_links_that_lead_in_circles(tree):
    (tree / "deep" / "up").symlink_to(tree)
    sources, problems = expand([str(tree / "deep")], recursive=True)
    assert inside(sources) == ["d.png", "deeper/e.webp"]
    assert not problems


def test_patterns(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert inside(expand(["*.[jP]*"])[0]) == ["a.PNG", "b.jpg"]
    sources, problems = expand(["**/*"], recursive=False)
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4", "d.png", "e.webp", "a.PNG.png"]
    assert not problems
    sources, problems = expand(["*.bmp", "b.jpg"])
    assert inside(sources) == ["b.jpg"]
    assert problems == ["*.bmp: no image or video matches this pattern"]


def test_a_file_whose_name_looks_like_a_pattern(tree):
    (tree / "photo[1].jpg").write_bytes(b"x")
    sources, problems = expand([str(tree / "photo[1].jpg")])
    assert inside(sources) == ["photo[1].jpg"]
    assert not problems


def test_a_file_is_taken_whatever_its_name(tree):
    """What is no image is said where it is read."""
    sources, problems = expand([str(tree / "notes.txt"), str(tree / "missing.mov")])
    assert [(source.kind, source.path.name) for source in sources] == [("image", "notes.txt"), ("video", "missing.mov")]
    assert not problems


def test_cameras():
    (source,), problems = expand(["camera:12"])
    assert (source.kind, source.camera, source.name) == ("camera", 12, "camera:12")
    assert not problems
    for wrong in ("camera:", "camera:-1", "camera:front", "camera:²"):
        with pytest.raises(UsageError, match=f"^{wrong}: name a camera by its number, as in camera:0$"):
            expand([wrong])


def test_an_empty_folder_is_a_problem_beside_the_rest(tree):
    (tree / "empty").mkdir()
    sources, problems = expand([str(tree / "empty"), str(tree / "b.jpg")])
    assert inside(sources) == ["b.jpg"]
    (problem,) = problems
    assert problem == f"{tree}/empty: holds no images or videos; --recursive looks into the folders in it"
    (problem,) = expand([str(tree / "empty")], recursive=True)[1]
    assert problem == f"{tree}/empty: holds no images or videos"


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(tree, monkeypatch):
    walk = os.walk

    def locked(folder, onerror):
        for place, folders, names in walk(folder):
            if place.endswith("deep"):
                onerror(PermissionError(13, "Permission denied", place))
                folders.clear()
            else:
                yield place, folders, names

    monkeypatch.setattr("fkp_app.folders.os.walk", locked)
    sources, problems = expand([str(tree)], recursive=True)
    assert "a.PNG" in inside(sources)
    assert problems == [f"{tree}/deep: cannot be read (Permission denied)"]


def source(path, inside=None):
    kind = "video" if path.endswith(".mp4") else "image"
    return Source(kind, Path(path), Path(inside or Path(path).name))


def test_results_lie_as_the_sources_do():
    sources = [source("in/a.jpg"), source("in/deep/a.jpg", "deep/a.jpg"), source("in/b.mp4")]
    assert target_paths(Path("out"), sources) == [
        Path("out/a.jpg.png"),
        Path("out/deep/a.jpg.png"),
        Path("out/b.mp4.mp4"),
    ]


def test_no_result_goes_over_a_source_or_another_result():
    sources = [source("x/a.jpg"), source("out/a.jpg.png"), source("y/a.jpg"), source("y/A.JPG")]
    expected = ["out/a.jpg.2.png", "out/a.jpg.png.png", "out/a.jpg.3.png", "out/A.JPG.4.png"]
    assert [str(path) for path in target_paths(Path("out"), sources)] == expected
