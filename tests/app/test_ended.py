"""Runs that end from outside: by signals, by a kill that cannot be caught, and what the next run does."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.many_files import workers_of
from fkp_app.media.images import read_image, write_image
from numpynet.files import PREFIX, atomic
from tests.videos import write_avi

COUNT = 400
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


@pytest.fixture
def album(tmp_path):
    """Many pictures without a face, so that a run still works when it is ended."""
    folder = tmp_path / "album"
    folder.mkdir()
    write_image(folder / "000.png", np.full((300, 400, 3), 90, np.uint8))
    for i in range(1, COUNT):
        os.link(folder / "000.png", folder / f"{i:03}.png")
    return folder


def begin(*arguments, before=()):
    """`fkp` as a process that leads its own process group."""
    command = [*before, sys.executable, "-m", "fkp_app", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def pictures(folder):
    return [path for path in folder.glob("*.png") if not path.name.startswith(".")]


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_whole_files_and_the_results_so_far(number, workers, album, tmp_path):
    out, report = tmp_path / "out", tmp_path / "a.json"
    process = begin("detect", album, "--workers", workers, "--out", out, "--json", report)
    wait_for(lambda: len(pictures(out)) >= 12)
    os.killpg(process.pid, number)  # to the whole group, as a closed terminal, `timeout` and service managers do
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    results = json.loads(report.read_text())
    assert 2 < len(results) < COUNT
    lines = errors.decode().splitlines()
    assert lines[0] == f"fkp: {len(results)} of {COUNT} sources were done, and what was found in them is written"
    assert lines[1:] == (["fkp: stopped"] if number == signal.SIGINT else [])
    assert [result["image"] for result in results] == [f"{album}/{i:03}.png" for i in range(len(results))]
    assert {path.name for path in out.iterdir()} == {path.name for path in pictures(out)}
    for path in pictures(out):
        assert read_image(path).shape == (300, 400, 3)
    wait_for(lambda: group_is_gone(process.pid), 20)


def test_ctrl_c_while_modules_are_loaded_prints_nothing(tmp_path):
    (tmp_path / "typer.py").write_text("import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    command = [sys.executable, "-P", "-m", "fkp_app", "doctor"]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b"")


def test_workers_end_with_a_parent_that_is_killed(album, tmp_path):
    process = begin("detect", album, "--workers", 3, "--out", tmp_path / "out")
    wait_for(lambda: len(pictures(tmp_path / "out")) >= 3)
    process.kill()
    process.wait()
    wait_for(lambda: group_is_gone(process.pid), 20)
    assert len(pictures(tmp_path / "out")) < COUNT
    assert not list((tmp_path / "out").glob(f"{PREFIX}*"))  # the workers had time to remove their unfinished files


class Lasting:
    """Makes the function of a worker, which begins a file for each job, reports it, and never ends."""

    def __call__(self):
        return self.work

    def work(self, path):
        with atomic(path):
            path.with_suffix(".begun").touch()
            time.sleep(3600)


LASTING = """
import sys
from pathlib import Path
from fkp_app.pipeline.worker_pool import WorkerPool
from tests.app.test_ended import Lasting

if __name__ == "__main__":
    jobs = [Path(sys.argv[1], f"{i}.png") for i in range(2)]
    list(WorkerPool(Lasting(), 2, lambda job, reason: reason).results(jobs))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_in_the_middle_of_a_job_that_lasts(number, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(LASTING)
    command = [sys.executable, program, tmp_path]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, env=environment)
    wait_for(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
    os.kill(process.pid, number)
    process.wait(30)
    wait_for(lambda: group_is_gone(process.pid), 30)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.begun", "1.begun", "program.py"]


def test_a_closed_terminal_under_nohup_does_not_end_it(album, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    for i in range(30):
        os.link(album / "000.png", few / f"{i:03}.png")
    process = begin("detect", few, "--out", tmp_path / "out", before=("nohup",))
    wait_for(lambda: (tmp_path / "out").is_dir() and pictures(tmp_path / "out"))
    os.killpg(process.pid, signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(pictures(tmp_path / "out")) == 30


def test_the_next_run_removes_what_a_killed_one_left(tmp_path):
    still = np.full((240, 320, 3), 90, np.uint8)
    video = write_avi(tmp_path / "long.avi", [still] * 2000)
    out = tmp_path / "out"
    process = begin("filter", video, "--out", out)
    wait_for(lambda: out.is_dir() and any(path.stat().st_size for path in out.iterdir()))
    process.kill()
    process.communicate()
    (left,) = out.iterdir()
    assert left.name.startswith(PREFIX)
    (out / ".mine.png").write_text("kept")
    write_image(tmp_path / "a.png", still)
    process = begin("filter", tmp_path / "a.png", "--out", out)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors.decode()) == (0, "fkp: 1 unfinished file of a run that was killed removed\n")
    assert sorted(path.name for path in out.iterdir()) == [".mine.png", "a.png.png"]


def test_a_run_beside_another_leaves_its_files_alone(tmp_path):
    still = np.full((240, 320, 3), 90, np.uint8)
    video, out = write_avi(tmp_path / "long.avi", [still] * 400), tmp_path / "out"
    write_image(tmp_path / "a.png", still)
    first = begin("filter", video, "--out", out)
    wait_for(lambda: out.is_dir() and any(path.stat().st_size for path in out.iterdir()))
    second = begin("filter", tmp_path / "a.png", "--out", out)
    assert second.communicate(timeout=60)[1] == b""
    assert first.poll() is None  # otherwise the test would show nothing
    assert first.communicate(timeout=60)[1] == b""
    assert (first.returncode, second.returncode) == (0, 0)
    assert sorted(path.name for path in out.iterdir()) == ["a.png.png", "long.avi.mp4"]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_closed_pipe_for_the_lines_costs_no_results(wanted, album, tmp_path):
    process = begin("detect", album, *(("--json", tmp_path / "a.json") if wanted else ()))
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    assert process.wait() == 1
    if not wanted:
        assert errors == ""
        return
    results = json.loads((tmp_path / "a.json").read_text())
    assert 0 < len(results) < COUNT
    assert errors == f"fkp: {len(results)} of {COUNT} sources were done, and what was found in them is written\n"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_workers_that_are_killed_from_outside_cost_nothing(album, tmp_path):
    process = begin("detect", album, "--workers", 2, "--out", tmp_path / "out", "--json", tmp_path / "a.json")
    for made in (6, 40, 80):
        wait_for(lambda made=made: len(pictures(tmp_path / "out")) >= made)
        os.kill(next(iter(workers_of(process.pid))), signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    # A victim was at a file, waited between two files, or was still starting while the other one worked.
    assert re.fullmatch(
        r"(fkp: --workers: \d of the processes could not be started \(SIGKILL\); .*\n)?", errors.decode()
    )
    assert process.returncode == 0
    names = [result["image"] for result in json.loads((tmp_path / "a.json").read_text())]
    assert names == [f"{album}/{i:03}.png" for i in range(COUNT)]
    assert len(pictures(tmp_path / "out")) == COUNT
    assert not list((tmp_path / "out").glob(f"{PREFIX}*"))
