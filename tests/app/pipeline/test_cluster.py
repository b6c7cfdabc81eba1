"""`--cluster`: images on a Dask cluster; nothing is lost, nothing comes twice, and nothing hangs."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from platform import node
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pytest

from benchmarks.many_files import workers_of
from fkp_app.media.images import write_image
from numpynet import __version__
from tests.app.pipeline.test_parts import lines_of
from tests.app.test_ended import begin, group_is_gone, pictures, wait_for
from tests.free_pictures import hopper

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.skipif(not find_spec("distributed"), reason="distributed is not installed (the extra `cluster`)"),
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc"),
]
COUNT = 120


@pytest.fixture
def album(tmp_path):
    """A portrait, a picture without a face, and a bad file."""
    folder = tmp_path / "album"
    folder.mkdir()
    write_image(folder / "a.png", hopper()[60:360, 115:415].copy())
    write_image(folder / "b.png", np.full((50, 40, 3), 90, np.uint8))
    (folder / "bad.jpg").write_bytes(b"")
    return folder


@pytest.fixture
def many(tmp_path):
    """Many links to a picture without a face."""
    folder = tmp_path / "many"
    folder.mkdir()
    write_image(folder / "000.png", np.full((300, 400, 3), 90, np.uint8))
    for i in range(1, COUNT):
        (folder / f"{i:03}.png").symlink_to("000.png")
    return folder


@contextmanager
def scheduler(workers, folder):
    """A scheduler and workers in processes of their own, which live in this folder; its process and address."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    options = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    options["env"] = os.environ | {"PYTHONPATH": str(ROOT)}
    file = folder / "scheduler.json"
    started = [subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", str(file)], **options)]
    try:
        wait_for(lambda: file.exists() and file.stat().st_size)
        address = json.loads(file.read_text())["address"]
        for _ in range(workers):
            command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
            started.append(subprocess.Popen([*command, "--nthreads", "1", "--no-dashboard"], **options))
        yield started[0], address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            process.wait(30)


def test_a_local_cluster_finds_what_one_process_finds(album, tmp_path, fkp):
    alone = fkp("detect", album, "--json", tmp_path / "a.json", "--out", tmp_path / "a", "--crops", tmp_path / "ac")
    options = ("--json", tmp_path / "b.json", "--out", tmp_path / "b", "--crops", tmp_path / "bc")
    environment = dict(os.environ)
    ended = fkp("detect", album, "--cluster", "local", "--workers", 2, *options)
    assert dict(os.environ) == environment
    assert (ended.code, ended.err) == (alone.code, alone.err) == (1, f"fkp: {album}/bad.jpg: is empty\n")
    assert json.loads((tmp_path / "b.json").read_text()) == json.loads((tmp_path / "a.json").read_text())
    for one, other in (("a", "b"), ("ac", "bc")):
        made = {path.name: path.read_bytes() for path in (tmp_path / one).iterdir()}
        assert made == {path.name: path.read_bytes() for path in (tmp_path / other).iterdir()}
        assert made
    lines = sorted(ended.out.splitlines()[:-1])
    assert lines == [line.replace(f"{tmp_path}/a/", f"{tmp_path}/b/") for line in sorted(alone.out.splitlines()[:-1])]


def test_a_cluster_in_another_folder_finds_files_by_relative_names(album, tmp_path, monkeypatch, fkp):
    monkeypatch.chdir(tmp_path)
    with scheduler(1, tmp_path / "elsewhere") as (_, address):
        ended = fkp("detect", "album", "--cluster", address, "--parts", "parts", "--out", "out")
    assert (ended.code, ended.err) == (1, "fkp: album/bad.jpg: is empty\n")
    assert sorted(line["image"] for line in lines_of(tmp_path / "parts")) == ["album/a.png", "album/b.png"]
    assert lines_of(tmp_path / "parts", "failed") == [{"image": "album/bad.jpg", "problem": "album/bad.jpg: is empty"}]
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.png.png", "b.png.png"]


def test_workers_that_are_killed_lose_nothing_and_double_nothing(many, tmp_path):
    folder, out = tmp_path / "parts", tmp_path / "out"
    process = begin("detect", many, "--cluster", "local", "--workers", 2, "--parts", folder, "--out", out)
    for made in (20, 60):
        wait_for(lambda made=made: out.is_dir() and len(pictures(out)) >= made)
        os.kill(next(iter(workers_of(process.pid))), signal.SIGKILL)
    output, errors = process.communicate(timeout=200)
    assert (process.returncode, errors.decode()) == (0, "")
    names = [line["image"] for line in lines_of(folder)]
    assert sorted(names) == [f"{many}/{i:03}.png" for i in range(COUNT)]
    assert sorted(path.name for path in out.iterdir()) == [f"{i:03}.png.png" for i in range(COUNT)]
    assert len(output.decode().splitlines()) == COUNT + 1


def test_a_file_that_ends_each_worker_is_lost_alone(many, tmp_path):
    for path in sorted(many.iterdir())[20:]:
        path.unlink()
    write_image(many / "bad.png", np.full((31, 40, 3), 90, np.uint8))
    program = tmp_path / "program.py"
    program.write_text(DEADLY)
    command = [sys.executable, program, "detect", many, "--cluster", "local", "--parts", tmp_path / "parts"]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=200)
    reason = "each worker of the cluster that was at it ended, perhaps for want of memory or by a fault in a reader"
    assert (ended.returncode, ended.stderr.decode()) == (1, f"fkp: {many}/bad.png: {reason}\n")
    assert len(lines_of(tmp_path / "parts")) == 20
    assert [line["image"] for line in lines_of(tmp_path / "parts", "failed")] == [f"{many}/bad.png"]


DEADLY = """
import os, signal, sys
from fkp_app.cli import main
from fkp_app.faces import finder

find = finder.find_faces

def deadly(image, *args, **kwargs):
    if image.shape[0] == 31:
        os.kill(os.getpid(), signal.SIGKILL)
    return find(image, *args, **kwargs)

if __name__ == "__mp_main__":  # in Dask's workers
    finder.find_faces = deadly

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_run_that_is_ended_goes_on_and_leaves_no_process(number, many, tmp_path, fkp):
    folder, out = tmp_path / "parts", tmp_path / "out"
    process = begin("detect", many, "--cluster", "local", "--workers", 2, "--parts", folder, "--out", out)
    wait_for(lambda: out.is_dir() and len(pictures(out)) >= 30)
    if number == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    lines = errors.decode().splitlines()
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        kept = "and what was found in them is written; the same command goes on from there"
        done = len(lines_of(folder))
        assert 0 < done < COUNT
        assert lines[0] == f"fkp: {done} of {COUNT} sources were done, {kept}"
        assert lines[1:] == (["fkp: stopped"] if number == signal.SIGINT else [])
    wait_for(lambda: group_is_gone(process.pid), 30)
    ended = fkp("detect", many, "--cluster", "local", "--workers", 2, "--parts", folder, "--out", out)
    assert ended.code == 0
    names = [line["image"] for line in lines_of(folder)]
    assert len(names) == len(set(names)) == COUNT


def test_a_scheduler_that_ends_is_said_and_the_run_goes_on(many, tmp_path, fkp):
    with scheduler(1, tmp_path) as (process, address):
        run = begin("detect", many, "--cluster", address, "--parts", tmp_path / "parts", "--out", tmp_path / "out")
        wait_for(lambda: (tmp_path / "out").is_dir() and len(pictures(tmp_path / "out")) >= 20)
        process.kill()
        _, errors = run.communicate(timeout=120)
    assert run.returncode == 1
    assert (
        errors.decode().splitlines()[-1]
        == f"fkp: --cluster {address}: the scheduler has ended or cannot be reached any more"
    )
    assert 0 < len(lines_of(tmp_path / "parts")) < COUNT
    assert fkp("detect", many, "--parts", tmp_path / "parts", "--out", tmp_path / "out").code == 0
    assert len({line["image"] for line in lines_of(tmp_path / "parts")}) == len(lines_of(tmp_path / "parts")) == COUNT


def test_clusters_that_cannot_work(album, tmp_path, monkeypatch, fkp):
    monkeypatch.setattr("fkp_app.pipeline.cluster.PATIENCE", 1.0)
    before = time.monotonic()
    ended = fkp("detect", album, "--cluster", "tcp://127.0.0.1:9")
    assert (ended.code, ended.err.splitlines()[-1]) == (
        1,
        "fkp: --cluster tcp://127.0.0.1:9: no scheduler answers there",
    )
    ended = fkp("detect", album, "--cluster", "gopher://127.0.0.1:9")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("fkp: --cluster gopher://127.0.0.1:9: is no address of a scheduler (")
    with scheduler(0, tmp_path) as (_, address):
        ended = fkp("detect", album, "--cluster", address)
    line = f"fkp: --cluster {address}: has no workers; start some with `dask worker {address}`"
    assert (ended.code, ended.err.splitlines()[-1]) == (1, line)
    assert time.monotonic() - before < 60
    ended = fkp("detect", album, "--cluster", address, "--workers", 2)
    assert ended.code == 2
    assert ended.err.startswith("fkp: --workers is for this machine")


def test_weights_that_a_worker_does_not_see_are_one_line(album, tmp_path, fkp):
    """The file is there when the command checks it, and gone when the worker loads it."""
    from fkp_app.pipeline import cluster

    weights = tmp_path / "w.safetensors"
    weights.write_bytes((ROOT / "fkp_app" / "weights" / "hourglass.safetensors").read_bytes())
    client = cluster._client

    @contextmanager
    def losing(address, workers):
        with client(address, workers) as connected:
            weights.unlink()
            yield connected

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "_client", losing)
        ended = fkp("detect", album, "--cluster", "local", "--weights", weights)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith(
        f"fkp: --cluster: the worker on {node()} cannot begin: {weights}: no such file"
    )


def test_a_local_cluster_lets_no_stranger_in():
    from distributed import Client, Security

    from fkp_app.pipeline import cluster

    with cluster._client(cluster.LOCAL, 1) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        place = urlsplit(client.scheduler.address)
        assert (place.scheme, place.hostname) == ("tls", "127.0.0.1")
        with pytest.raises(OSError, match="TLS certificate does not match"):
            Client(place.geturl(), security=Security.temporary(), timeout=3, set_as_default=False)
        with pytest.raises(OSError, match=r"Timed out|reset by peer"):
            Client(f"tcp://{place.netloc}", timeout=3, set_as_default=False)
        about = client.scheduler_info()
        ports = [about["services"]["dashboard"], *(one["services"]["dashboard"] for one in about["workers"].values())]
        for port in ports:
            for page in ("info/main/workers.html", "json/counts.json", "metrics", "health"):
                with pytest.raises(HTTPError, match="404"):
                    urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10)


def test_a_worker_that_does_not_see_the_files_ends_the_run(album, tmp_path, monkeypatch, fkp):
    """The worker lives in a folder of its own, and gets names that are relative, as if another disk were mounted."""
    from fkp_app.pipeline import cluster

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cluster, "_absolute", lambda job: job)
    with scheduler(1, tmp_path / "elsewhere") as (_, address):
        ended = fkp("detect", "album", "--cluster", address, "--parts", "parts")
    assert ended.code == 1
    line = f"fkp: --cluster: the worker on {node()} does not see {tmp_path}/album/"
    assert ended.err.splitlines()[-1].startswith(line)
    assert lines_of(tmp_path / "parts") == []


def test_a_worker_of_another_version_ends_the_run(album, monkeypatch, fkp):
    from fkp_app.pipeline import cluster

    monkeypatch.setattr(cluster, "__version__", "9.9")  # the workers import their own
    ended = fkp("detect", album, "--cluster", "local")
    line = f"it has numpynet-fkp {__version__}, this machine 9.9; install the same"
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == f"fkp: --cluster: the worker on {node()} cannot begin: {line}"


def test_a_file_that_is_gone_when_its_turn_comes_is_one_line(album, fkp, monkeypatch):
    """It was there when the command looked for files, and nobody sees it since."""
    from fkp_app.pipeline import cluster

    start = cluster.run_in_cluster

    def losing(jobs, address, options):
        (album / "b.png").unlink()
        yield from start(jobs, address, options)

    monkeypatch.setattr(cluster, "run_in_cluster", losing)
    ended = fkp("detect", album, "--cluster", "local")
    assert ended.code == 1
    assert sorted(ended.err.splitlines()) == [
        f"fkp: {album}/b.png: no such file",
        f"fkp: {album}/bad.jpg: is empty",
    ]
