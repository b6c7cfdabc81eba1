"""A run over many files: an error in one file is one line, and all other files are done and their results kept."""

import json
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from multiprocessing import parent_process
from pathlib import Path

import numpy as np
import pytest

import fkp_app
from fkp_app.errors import FkpError, UsageError, one_file, problem_of
from fkp_app.faces import finder as finder_module
from fkp_app.media.images import write_image
from fkp_app.media.sources import Source
from fkp_app.media.video.reader import open_video
from fkp_app.pipeline import image_run
from fkp_app.pipeline.image_run import ImageJob, ImageOutcome, run_image
from fkp_app.pipeline.run_options import RunOptions
from numpynet.files import PREFIX
from tests.videos import write_avi

BAD_SIZE = (60, 70)
"""Rows and columns of the one picture that goes wrong."""
STAGE = "FKP_TEST_STAGE"
"""An environment variable, which workers inherit: where it goes wrong."""
UNKNOWN = r"cannot be worked on (ArithmeticError: nobody has\foreseen this)"


def fail(*_, **__):
    raise ArithmeticError("nobody\n  has\\foreseen this")


def broken(function, is_bad):
    """`function`, except that it fails for the bad file."""
    return lambda *args, **kwargs: (fail if is_bad(*args) else function)(*args, **kwargs)


def by_name(path, *_):
    return path.name.startswith("b.")


def by_size(image, *_):
    return image.shape[:2] == BAD_SIZE


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


STAGES = {
    "reading": (image_run, "read_image", by_name),
    "finding": (finder_module, "find_faces", by_size),
    "writing": (image_run, "write_image", by_name),
}
"""What goes wrong at each stage: a function of a module, for the file that is bad."""


load_finder = RunOptions.load_finder


def load_broken(options):
    """Loads a finder, and makes one stage fail for one file."""
    stage, finder = os.environ[STAGE], load_finder(options)
    if stage in STAGES:
        module, name, is_bad = STAGES[stage]
        setattr(module, name, broken(getattr(module, name), is_bad))
    if stage == "dies":
        find = finder_module.find_faces
        finder_module.find_faces = lambda image, *args, **kwargs: (die if by_size(image) else find)(
            image, *args, **kwargs
        )
    return finder


def start_broken_worker(options):
    """A worker's first act: in a worker it fails, ends the process, or loads a finder as above; here it only loads."""
    if parent_process() is not None and os.environ[STAGE] == "dies at the start":
        os._exit(3)
    if parent_process() is not None and os.environ[STAGE] == "fails at the start":
        raise MemoryError
    return partial(run_image, finder=load_broken(options), options=options)


def start_ending_worker(options):
    """A worker's first act: in the first two workers that get the bad file, it makes the file end them."""
    finder, find = load_finder(options), finder_module.find_faces

    def ends(image, *args, **kwargs):
        for trace in ("first", "second"):
            path = Path(os.environ[STAGE], trace)
            if by_size(image) and not path.exists():
                path.touch()
                die()
        return find(image, *args, **kwargs)

    finder_module.find_faces = ends
    return partial(run_image, finder=finder, options=options)


def draw(image, faces):
    if os.environ[STAGE] == "drawing" and by_size(image):
        fail()
    return image


@pytest.fixture
def album(tmp_path):
    """Four pictures without a face, of which b.png goes wrong."""
    folder = tmp_path / "album"
    folder.mkdir()
    for name in "abcd":
        height, width = BAD_SIZE if name == "b" else (50, 40)
        write_image(folder / f"{name}.png", np.full((height, width, 3), 90, np.uint8))
    return folder


@pytest.fixture
def stage(monkeypatch):
    """Chooses the stage that goes wrong, in this process and in workers."""

    def choose(name):
        monkeypatch.setenv(STAGE, name)
        monkeypatch.setattr(RunOptions, "load_finder", load_broken)
        monkeypatch.setattr(image_run, "start_worker", start_broken_worker)
        for module, function, _ in STAGES.values():  # so that monkeypatch undoes the changes of load_broken
            monkeypatch.setattr(module, function, getattr(module, function))
        monkeypatch.setattr("fkp_app.faces.drawing.draw_faces", draw_marked)

    return choose


def draw_marked(image, faces, numbers):
    return draw(image, faces)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", [*STAGES, "drawing"])
def test_an_unforeseen_error_is_the_line_of_one_file(name, workers, album, tmp_path, stage, fkp):
    stage(name)
    out, report, rows = tmp_path / "out", tmp_path / "a.json", tmp_path / "a.csv"
    ended = fkp("detect", album, "--workers", workers, "--out", out, "--json", report, "--csv", rows)
    assert (ended.code, ended.err) == (1, f"fkp: {album}/b.png: {UNKNOWN}\n")
    *lines, summary = ended.out.splitlines()
    assert lines == [f"{album}/{one}.png: no faces found -> {out}/{one}.png.png" for one in "acd"]
    assert "1 source failed" in summary
    found = "abcd" if name in ("drawing", "writing") else "acd"  # a missing picture takes no numbers away
    assert [result["image"] for result in json.loads(report.read_text())] == [f"{album}/{one}.png" for one in found]
    assert rows.read_text().startswith("image,face,")
    assert sorted(path.name for path in out.iterdir()) == ["a.png.png", "c.png.png", "d.png.png"]


def test_a_file_that_ends_each_worker_is_lost_alone(album, tmp_path, stage, fkp):
    stage("dies")
    ended = fkp("detect", album, "--workers", 2, "--json", tmp_path / "a.json")
    reason = "each of 3 processes that were at it ended (SIGKILL), perhaps for want of memory or by a fault in a reader"
    assert (ended.code, ended.err) == (1, f"fkp: {album}/b.png: {reason}\n")
    named = [result["image"] for result in json.loads((tmp_path / "a.json").read_text())]
    assert named == [f"{album}/{one}.png" for one in "acd"]
    assert ended.out.splitlines()[-1].startswith("3 images, no faces (3 images without any); 1 source failed; ")


def test_two_workers_that_are_killed_at_one_file_lose_nothing(album, tmp_path, monkeypatch, fkp):
    monkeypatch.setenv(STAGE, str(tmp_path))
    monkeypatch.setattr(image_run, "start_worker", start_ending_worker)
    ended = fkp("detect", album, "--workers", 2, "--json", tmp_path / "a.json")
    assert (ended.code, ended.err) == (0, "")
    assert (tmp_path / "second").exists()
    named = [result["image"] for result in json.loads((tmp_path / "a.json").read_text())]
    assert named == [f"{album}/{one}.png" for one in "abcd"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("dies at the start", "exit code 3"), ("fails at the start", "--workers: cannot be worked on (MemoryError)")],
)
def test_where_no_worker_can_be_started_one_process_does_the_work(name, reason, album, tmp_path, stage, fkp):
    stage(name)
    ended = fkp("detect", album, "--workers", 2, "--json", tmp_path / "a.json")
    what = f"2 of the processes could not be started ({reason})"
    assert (ended.code, ended.err) == (0, f"fkp: --workers: {what}; this one did all the work\n")
    assert len(json.loads((tmp_path / "a.json").read_text())) == 4


def test_a_picture_that_cannot_be_written_is_its_line_and_its_numbers_are_kept(album, tmp_path, fkp):
    (tmp_path / "out" / "b.png.png").mkdir(parents=True)
    for workers in (1, 2):
        options = ("--workers", workers, "--json", tmp_path / "a.json", "--out", tmp_path / "out")
        ended = fkp("detect", album, *options)
        assert ended.code == 1
        assert ended.err == f"fkp: {tmp_path}/out/b.png.png: cannot be written (this is a directory, not a file)\n"
        assert len(json.loads((tmp_path / "a.json").read_text())) == 4
        assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_name_that_has_no_room_for_a_suffix_is_its_line(album, tmp_path, fkp):
    """A result's name is the source's name and .png: 244 + 4 bytes are possible, 252 + 4 are not."""
    for length in (244, 252):
        (album / "b.png").rename(album / ("é" * (length // 2 - 2) + ".png"))
        ended = fkp("detect", album, "--out", tmp_path / f"{length}", "--json", tmp_path / "a.json")
        long = ended.err.count("File name too long")
        assert (ended.code, ended.err.count("\n"), long) == ((0, 0, 0) if length == 244 else (1, 1, 1))
        assert len(list((tmp_path / f"{length}").iterdir())) == (4 if length == 244 else 3)
        assert len(json.loads((tmp_path / "a.json").read_text())) == 4
        (album / ("é" * (length // 2 - 2) + ".png")).rename(album / "b.png")


def test_all_pictures_of_a_file_are_tried(album, tmp_path):
    def fails(image, faces):
        raise RuntimeError("no ink")

    options = RunOptions(fails, [], threads=1, min_confidence=0.0)
    job = ImageJob(Source("image", album / "a.png", album), tmp_path / "p.png")
    outcome = run_image(job, options.load_finder(), options)
    assert outcome.problem == f"{album}/a.png: cannot be worked on (RuntimeError: no ink)"
    assert outcome.result is not None
    assert (outcome.result.width, outcome.result.height) == (40, 50)


def test_what_a_killed_worker_left_of_a_picture_is_gone_when_the_run_ends(album, tmp_path, monkeypatch, fkp):
    out = tmp_path / "out"

    def killed(jobs, workers, options, notes):
        (out / f"{PREFIX}0123456789abcdef.png").write_bytes(b"half a picture")
        yield from (ImageOutcome(job, problem=f"{job.source.name}: lost") for job in jobs)

    monkeypatch.setattr("fkp_app.pipeline.file_run.run_in_workers", killed)
    assert fkp("detect", album, "--workers", 2, "--out", out).code == 1
    assert list(out.iterdir()) == []


@pytest.fixture
def clips(tmp_path):
    """Two short videos, of which b.avi goes wrong."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in "ab":
        height, width = (64, 80) if name == "b" else (48, 64)
        write_avi(folder / f"{name}.avi", [np.full((height, width, 3), 90, np.uint8)] * 6)
    return folder


class Counted:
    """Calls a function, and fails at the call with this number, counted from 1."""

    def __init__(self, function, number):
        self.function, self.number, self.calls = function, number, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls == self.number:
            fail()
        return self.function(*args, **kwargs)


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("name", ["opening", "reading", "finding", "drawing", "writing", "finishing"])
def test_an_error_in_a_video_is_its_line(name, keep, clips, tmp_path, monkeypatch, fkp):
    from fkp_app.media.video.reader import VideoReader
    from fkp_app.media.video.writer import VideoWriter
    from fkp_app.tracking.tracker import FaceTracker

    place = {
        "opening": ("fkp_app.pipeline.video_run.open_video", open_video, 2),
        "reading": (VideoReader, "__iter__", None),
        "finding": (FaceTracker, "update", 6 + 4),
        "drawing": ("fkp_app.faces.drawing.draw_faces", lambda image, faces, numbers: image, 6 + 4),
        "writing": (VideoWriter, "write", 6 + 4),
        "finishing": (VideoWriter, "_end", 2),
    }[name]
    if name == "reading":
        each = VideoReader.__iter__

        def reading(self):
            for i, frame in enumerate(each(self)):
                if i == 3 and self.path.name == "b.avi":
                    fail()
                yield frame

        monkeypatch.setattr(VideoReader, "__iter__", reading)
    elif isinstance(place[0], str):
        monkeypatch.setattr(place[0], Counted(place[1], place[2]))
    else:
        count = Counted(getattr(place[0], place[1]), place[2])
        monkeypatch.setattr(place[0], place[1], lambda *args, **kwargs: count(*args, **kwargs))
    out, options = tmp_path / "out", ("--json", tmp_path / "a.json") if keep else ()
    ended = fkp("detect", clips, "--out", out, *options)
    assert (ended.code, ended.err) == (1, f"fkp: {clips}/b.avi: {UNKNOWN}\n")
    lines = ended.out.splitlines()
    assert lines[0].startswith(f"{clips}/a.avi: faces in 0 of 6 frames, ")
    assert lines[-1].endswith(" s")
    assert "1 source failed" in lines[-1]
    drawn = {path.name: path for path in out.iterdir()}
    kept_so_far = name in ("reading", "finding")
    assert sorted(drawn) == (["a.avi.mp4", "b.avi.mp4"] if kept_so_far else ["a.avi.mp4"])
    if kept_so_far:
        with open_video(drawn["b.avi.mp4"]) as video:
            assert len(list(video)) == 3
    if keep:
        found = {result["video"]: len(result["frames"]) for result in json.loads((tmp_path / "a.json").read_text())}
        frames = {"opening": None, "reading": 3, "finding": 3}.get(name, 6)  # without a picture the numbers still go on
        assert found == {f"{clips}/a.avi": 6} | ({} if frames is None else {f"{clips}/b.avi": frames})


def test_json_that_cannot_be_written_takes_no_csv_away(album, tmp_path, monkeypatch, fkp):
    monkeypatch.setattr("fkp_app.pipeline.results.to_json", fail)
    ended = fkp("detect", album, "--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv")
    assert (ended.code, ended.err) == (1, f"fkp: {tmp_path}/a.json: {UNKNOWN}\n")
    assert (tmp_path / "a.csv").read_text().startswith("image,face,")
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    "error", [MemoryError(), RecursionError("deep"), StopIteration(), KeyError("x"), OSError(5, "x")]
)
def test_errors_that_are_the_line_of_one_file(error):
    problems = []
    with one_file("a.png", problems):
        raise error
    assert problems == [problem_of("a.png", error)]
    assert problems[0].startswith("a.png: cannot be worked on (")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_errors_that_end_the_whole_run(error):
    problems = []
    with pytest.raises(error), one_file("a.png", problems):
        raise error
    assert problems == []


def test_an_error_of_ours_is_its_own_line():
    assert problem_of("a.png", FkpError("a.png: is empty")) == "a.png: is empty"
    assert problem_of("a.png", UsageError("no")) == "no"
    assert problem_of("a.png", ValueError()) == "a.png: cannot be worked on (ValueError)"
    assert len(problem_of("a.png", ValueError("long " * 1000))) < 400


def test_a_result_folder_that_vanishes_during_the_run_is_made_again(album, tmp_path, monkeypatch, fkp):
    out, write = tmp_path / "out", image_run.write_image

    def write_and_lose(path, image):
        write(path, image)
        if path.name == "b.png.png":
            shutil.rmtree(out)

    monkeypatch.setattr(image_run, "write_image", write_and_lose)
    assert fkp("detect", album, "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["c.png.png", "d.png.png"]


def test_a_source_that_vanishes_during_the_run_is_its_line(album, tmp_path, monkeypatch, fkp):
    find = finder_module.find_faces

    def find_and_lose(*args, **kwargs):
        (album / "c.png").unlink(missing_ok=True)
        return find(*args, **kwargs)

    monkeypatch.setattr(finder_module, "find_faces", find_and_lose)
    ended = fkp("detect", album, "--json", tmp_path / "a.json")
    assert (ended.code, ended.err) == (1, f"fkp: {album}/c.png: no such file\n")
    assert len(json.loads((tmp_path / "a.json").read_text())) == 3


def test_a_full_disk_is_the_line_of_each_file_and_the_numbers_are_written(album, tmp_path, monkeypatch, fkp):
    from PIL import Image

    def full(self, path, *_, **__):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    ended = fkp("detect", album, "--out", tmp_path / "out", "--json", tmp_path / "a.json")
    assert ended.code == 1
    why = "cannot be written (No space left on device)"
    assert ended.err.splitlines() == [f"fkp: {tmp_path}/out/{name}.png.png: {why}" for name in "abcd"]
    assert len(json.loads((tmp_path / "a.json").read_text())) == 4
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("workers", [1, 2])
def test_closed_output_costs_nothing(closed, workers, tmp_path):
    """As some service managers and cron start it."""
    for name in ("a.png", "b.png"):
        write_image(tmp_path / name, np.full((60, 80, 3), 90, np.uint8))
    command = f'"$0" -m fkp_app detect a.png b.png --workers {workers} --json a.json --out out {closed}'
    ended = subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len(json.loads((tmp_path / "a.json").read_text())) == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png.png", "b.png.png"]


def test_results_for_a_closed_standard_output_are_refused_before_the_work(tmp_path):
    command = '"$0" -m fkp_app detect a.png --json - >&-'
    ended = subprocess.run(["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr == b"fkp: --json -: standard output is closed; name a file\n"


def test_a_current_folder_that_is_gone(tmp_path):
    command = 'mkdir gone && cd gone && rmdir ../gone && "$0" -m fkp_app detect a.png'
    process = ["sh", "-c", command, sys.executable]
    environment = os.environ | {"PYTHONPATH": str(Path(fkp_app.__file__).parents[1].resolve())}
    ended = subprocess.run(process, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == b"fkp: the current folder no longer exists; change to another one\n"
