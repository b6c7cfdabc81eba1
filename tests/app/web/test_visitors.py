"""Limits per visitor on memory, disk, turns and time; and nothing of a visitor is left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from fkp_app.errors import FkpError
from fkp_app.web import limits
from fkp_app.web import photo as photo_module
from fkp_app.web import visits as visits_module
from fkp_app.web.bodies import Bodies
from fkp_app.web.folder import PREFIX, private_folder, remove_abandoned
from fkp_app.web.limits import RefusedError, is_this_machine
from fkp_app.web.visits import FullError, Visits
from tests.app.web.conftest import start
from tests.app.web.test_page import JOIN, JSON, ask, event, run, send

pytest.importorskip("gradio", reason="Gradio is not installed (the extra `web`)")

HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"


@pytest.fixture(scope="module")
def reader():
    from fkp_app.web.reader import PhotoReader

    with PhotoReader(seconds=5) as one:
        yield one


@pytest.fixture(scope="module")
def finder():
    return photo_module.SharedFinder()


class Clock:
    """The clock of the module of visits, set by a test."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(visits_module, "time", SimpleNamespace(monotonic=lambda: self.now))


def filled(visits, address=HERE, visitor=None, size=100):
    """A folder with one file of `size` bytes."""
    folder = visits.new_folder(address, size, visitor)
    (folder / "photo.png").write_bytes(b"x" * size)
    return folder


def test_a_photo_that_nobody_asks_about_goes_soon_and_one_that_is_looked_at_stays(tmp_path, monkeypatch):
    clock, visits = Clock(monkeypatch), Visits(tmp_path)
    unused, used, absent = filled(visits), filled(visits), filled(visits)
    visits.arrive("ann")
    assert visits.claim(used, "ann")
    assert visits.claim(absent, "a script")
    clock.now += visits_module.UNUSED_SECONDS + 1
    visits.sweep()
    assert (unused.exists(), used.exists(), absent.exists()) == (False, True, True)
    clock.now += visits_module.ABSENT_SECONDS
    visits.sweep()
    assert (used.exists(), absent.exists()) == (True, False)
    clock.now += visits_module.KEPT_SECONDS
    visits.sweep()
    assert list(tmp_path.iterdir()) == []


def test_results_for_a_visitor_who_has_left_are_removed_at_once(tmp_path):
    visits = Visits(tmp_path)
    visits.arrive("ann")
    photo, results = filled(visits), filled(visits, visitor="ann")
    visits.claim(photo, "ann")
    visits.leave("ann")
    assert list(tmp_path.iterdir()) == []
    late = filled(visits, visitor="ann")
    visits.keep("ann", photo, late)
    assert list(tmp_path.iterdir()) == []
    visits.arrive("ann")  # she loads the page again under the same name
    back = filled(visits, visitor="ann")
    visits.keep("ann", back)
    assert list(tmp_path.iterdir()) == [back]
    assert not results.exists()


def test_the_files_of_a_visitor_with_two_tabs_are_removed_with_the_last_tab(tmp_path):
    visits = Visits(tmp_path)
    visits.arrive("ann")
    visits.arrive("ann")
    photo = filled(visits, visitor="ann")
    visits.leave("ann")
    assert photo.exists()
    visits.leave("ann")
    assert not photo.exists()


def test_a_photo_is_its_visitors_alone(tmp_path):
    visits = Visits(tmp_path)
    photo = filled(visits)
    assert visits.claim(photo, "ann")
    assert not visits.claim(photo, "bob")
    assert not visits.claim(tmp_path / "never there", "bob")
    visits.keep("bob")
    assert photo.exists()


def test_all_files_together_have_a_limit_and_each_address_a_share_of_it(tmp_path):
    visits = Visits(tmp_path, most=1000)
    first = filled(visits, ELSEWHERE, size=250)
    with pytest.raises(FullError, match="try again in some minutes"):
        visits.new_folder(ELSEWHERE, 1)
    others = [filled(visits, "192.0.2.8", size=250), filled(visits, HERE, size=500)]
    with pytest.raises(FullError):
        visits.new_folder(HERE, 1)
    visits.remove(others[1])
    visits.new_folder(HERE, 500)
    visits.remove(first)
    visits.new_folder(ELSEWHERE, 250)


def test_results_count_and_are_removed_if_they_are_too_large(tmp_path):
    visits = Visits(tmp_path, most=1000)
    results = visits.new_folder(HERE, visitor="ann")
    (results / "picture.png").write_bytes(b"x" * 700)
    visits.grown(results)
    with pytest.raises(FullError):
        visits.new_folder(HERE, 400)
    (results / "picture.png").write_bytes(b"x" * 1100)
    with pytest.raises(FullError):
        visits.grown(results)
    assert not results.exists()
    visits.new_folder(HERE, 1000)


def test_a_visitor_has_one_job_at_a_time_and_an_address_a_few(tmp_path):
    visits = Visits(tmp_path)
    with visits.job("ann", HERE):
        with pytest.raises(FkpError, match="still worked on"), visits.job("ann", HERE):
            pass
        for i in range(20):
            visits.job(f"visitor {i}", HERE).__enter__()  # visitors of this machine have no limit on their number
    with visits.job("ann", HERE):
        pass
    several = [visits.job(f"{i}", ELSEWHERE) for i in range(visits_module.MAX_JOBS)]
    for job in several:
        job.__enter__()
    with pytest.raises(FkpError), visits.job("one more", ELSEWHERE):
        pass
    with visits.job("one more", "192.0.2.8"):
        pass
    several[0].__exit__(None, None, None)
    with visits.job("one more", ELSEWHERE):
        pass


@pytest.mark.parametrize(
    ("address", "here"),
    [(HERE, True), ("::1", True), ("::ffff:127.0.0.1", True), (ELSEWHERE, False), ("", False), ("localhost", False)],
)
def test_which_addresses_are_this_machine(address, here):
    assert is_this_machine(address) is here


def test_bodies_wait_for_room_and_are_refused_if_there_is_none():
    async def story():
        bodies, order = Bodies(most=100, seconds=0.3), []

        async def take(name, address, size, hold):
            async with bodies.room(address, size):
                order.append(name)
                await asyncio.sleep(hold)

        await asyncio.gather(take("first", HERE, 80, 0.1), take("second", HERE, 80, 0))  # the second waits
        held = asyncio.create_task(take("third", ELSEWHERE, 25, 1))
        await asyncio.sleep(0)
        with pytest.raises(RefusedError, match="try again in a moment") as refused:
            await take("fourth", ELSEWHERE, 1, 0)  # its address has its share
        await take("fifth", HERE, 75, 0)
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        await take("sixth", ELSEWHERE, 25, 0)  # an upload that broke off holds no room
        return order, refused.value.status

    assert asyncio.run(story()) == (["first", "second", "third", "fifth", "sixth"], 503)


def test_a_body_that_comes_too_slowly_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.05)

    async def one_byte_at_a_time():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(RefusedError, match="the body took more than") as refused:
        asyncio.run(limits.read_body({"path": limits.UPLOAD}, one_byte_at_a_time))
    assert refused.value.status == 408


def test_what_takes_too_long_or_too_much_or_ends_its_process_is_one_line_and_the_next_is_read(reader, photo):
    from fkp_app.web.reader import PhotoReader

    with PhotoReader(seconds=1) as hasty, pytest.raises(FkpError, match=r"p: cannot be read within 1 seconds; save it"):
        hasty.run(Path("p"), time.sleep, 600)
    for work, argument in ((os._exit, 1), (os.abort, None), (bytearray, 1 << 40)):
        with pytest.raises(FkpError, match="p: cannot be read; it takes too much memory or is damaged"):
            reader.run(Path("p"), work, *([] if argument is None else [argument]))
        assert reader.work(photo) == (512 * 600, 512 * 600)
    assert reader.read(photo, [], 10**6).shape == (600, 512, 3)


def test_a_pool_of_processes_that_works_no_more_is_replaced_and_a_closed_one_says_so(photo):
    from fkp_app.web.reader import PhotoReader

    with PhotoReader() as own:
        own._pool.stop()
        own._pool.join()
        with pytest.raises(FkpError, match=r"was not read, since the system ended the page's processes; try again"):
            own.work(photo)
        assert own.work(photo) == (512 * 600, 512 * 600)
    with pytest.raises(FkpError, match="the page is about to end"):
        own.work(photo)


def looked(finder, reader, visits, photo):
    """The outputs of the page's function for an uploaded photo."""
    from fkp_app.web.page import build

    page = build(finder, reader, visits)
    (look,) = [event.fn for event in page.fns.values() if event.name == "look"]
    folder = filled(visits)
    path = folder / "photo.png"
    path.write_bytes(photo.read_bytes())
    request = SimpleNamespace(session_hash="ann", client=SimpleNamespace(host=HERE))
    choice = {"path": str(path), "orig_name": "my.png"}
    return look(choice, "numpy", "sunglasses", ["points"], "fast", request)


def fails(*_, **__):
    raise RuntimeError("no\nsuch luck")


STAGES = {
    "reading": ("fkp_app.web.reader.PhotoReader.read", "RuntimeError: no such luck"),
    "finding": ("fkp_app.faces.finder.find_faces", "RuntimeError: no such luck"),
    "drawing": ("fkp_app.web.photo.wear", "RuntimeError: no such luck"),
    "writing": ("PIL.Image.Image.save", "RuntimeError: no such luck"),
    "numbers": ("fkp_app.web.photo.to_json", "RuntimeError: no such luck"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_an_error_that_nobody_foresaw_is_one_line_whichever_stage_it_is_in(
    finder, reader, photo, tmp_path, monkeypatch, capfd, stage
):
    target, words = STAGES[stage]
    visits = Visits(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(target, fails)
        outputs = looked(finder, reader, visits, photo)
    assert f'class="bad">my.png: cannot be worked on ({words})' in outputs[1]
    assert capfd.readouterr().err == f"fkp: my.png: cannot be worked on ({words})\n"
    assert outputs[0] is None
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["photo.png"]  # no half-written results
    assert "1 face found." in looked(finder, reader, visits, photo)[1]


def test_results_for_which_there_is_no_room_are_one_line(finder, reader, photo, tmp_path):
    visits = Visits(tmp_path, most=photo.stat().st_size + 1000)
    outputs = looked(finder, reader, visits, photo)
    assert 'class="bad">the page holds as many photos as it can' in outputs[1]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["photo.png"]


def test_large_photos_wait_in_a_line_of_their_own(finder, tmp_path, monkeypatch):
    """While a large photo is worked on, a small photo is answered, and a large or slow one is told to wait."""
    claimed = {"small": (12_000_000, 150_000_000), "large": (12_000_001,) * 2, "slow": (1_600_000, 150_000_001)}
    sizes = SimpleNamespace(work=lambda path: claimed[path.name], read=fails, closed=False)
    choices = photo_module.Choices("numpy", "none", [])
    with finder.large.place() as turn:
        assert list(turn) == []
        for name in claimed:
            steps = photo_module.answer(tmp_path / name, name, choices, finder, sizes, tmp_path)
            if name == "small":
                with pytest.raises(FkpError):
                    next(steps)
            else:
                assert next(steps).before == 1
                steps.close()
    with pytest.raises(FkpError):  # the line is empty again
        next(photo_module.answer(tmp_path / "large", "large", choices, finder, sizes, tmp_path))


def test_uploads_are_refused_in_one_line_where_there_is_no_room_or_the_disk_is_full(tmp_path, monkeypatch):
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from fkp_app.web import uploads

    server, visits = FastAPI(), Visits(tmp_path, most=400_000)  # an address elsewhere gets a quarter of it
    uploads.add_uploads(server, visits)
    client = TestClient(server, client=(ELSEWHERE, 1))

    def upload(size):
        return client.post(uploads.UPLOAD, files={"files": ("a.png", b"x" * size)})

    assert upload(60_000).status_code == 200
    answer = upload(60_000)
    assert (answer.status_code, answer.text.count("\n")) == (507, 1)
    assert "as many photos as it can" in answer.text

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads.shutil, "copyfileobj", full)
    answer = upload(10)
    assert answer.text == "the photo cannot be kept (No space left on device); try again later\n"
    assert answer.status_code == 507
    assert len(list(tmp_path.iterdir())) == 1  # the folder of the first photo
    monkeypatch.undo()
    assert upload(10).status_code == 200


def test_somebody_elses_photo_cannot_be_looked_at(page, photo):
    config = json.loads(ask(page, "GET", "/config")[2])
    number = next(event["id"] for event in config["dependencies"] if len(event["inputs"]) == 5)
    file = {"path": send(page, photo.read_bytes()), "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    assert "1 face found." in run(page, number, [file, "numpy", "none", [], "fast"], "visitorone")[1]
    outputs = run(page, number, [file, "numpy", "none", [], "fast"], "visitortwo")
    assert 'class="bad">a.png: is no longer here; choose it again' in outputs[1]


HANGING = """
import sys, time
import fkp_app.faces.finder as finder
finder.find_faces = lambda *_, **__: time.sleep(600)
from fkp_app.cli import main
sys.exit(main(["web", "--port", "0"]))
"""


@pytest.mark.parametrize(("by", "code", "words"), [(signal.SIGINT, 130, "fkp: stopped\n"), (signal.SIGTERM, 143, "")])
def test_a_page_that_is_told_to_end_does_not_wait_for_a_search(tmp_path, photo, by, code, words):
    running = start(tmp_path, program=HANGING)
    config = json.loads(ask(running, "GET", "/config")[2])
    number = next(event["id"] for event in config["dependencies"] if len(event["inputs"]) == 5)
    file = {"path": send(running, photo.read_bytes()), "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    assert ask(running, "POST", JOIN, event(number, [file, "numpy", "none", [], "fast"]), JSON)[0] == 200
    time.sleep(2)  # until the search has begun
    assert running.end(by) == code
    assert running.log.read_text() == words
    assert list(running.temporary.iterdir()) == []


def test_the_next_start_removes_the_files_of_a_killed_page_and_keeps_those_of_a_living_one(tmp_path, monkeypatch):
    program = (
        "import sys, time; from fkp_app.web.folder import private_folder\n"
        "with private_folder() as folder:\n"
        "    (folder / 'photo.png').write_bytes(b'x'); print(folder, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    pages = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    try:
        killed, living = (Path(page.stdout.readline().strip()) for page in pages)
        pages[0].kill()
        pages[0].wait()
        assert killed.exists()
        strange = tmp_path / f"{PREFIX}link"
        strange.symlink_to(tmp_path / "elsewhere")
        remove_abandoned(tmp_path)
        assert killed.exists()  # the folder is so new that its page may not have locked it yet
        for folder in (killed, living):
            os.utime(folder, (time.time() - 60, time.time() - 60))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        try:
            with private_folder() as own:
                assert (killed.exists(), living.exists(), own.exists()) == (False, True, True)
        finally:
            for one, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), before, strict=True):
                signal.signal(one, handler)
        assert (living / "photo.png").exists()
        assert not own.exists()
    finally:
        for page in pages:
            page.kill()
            page.wait()


def test_the_processes_that_read_photos_end_with_a_killed_page(tmp_path):
    running = start(tmp_path)
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    if not children.exists():
        running.end()
        pytest.skip("this system does not list a process's children")
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 64)).save(path)
    config = json.loads(ask(running, "GET", "/config")[2])
    number = next(event["id"] for event in config["dependencies"] if len(event["inputs"]) == 5)
    file = {"path": send(running, path.read_bytes()), "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    run(running, number, [file, "numpy", "none", [], "fast"])
    threads = Path(f"/proc/{running.process.pid}/task").glob("*/children")
    processes = [int(one) for thread in threads for one in thread.read_text().split()]
    assert len(processes) >= 2
    running.process.kill()
    running.process.wait()
    end = time.monotonic() + 30
    while any(alive(process) for process in processes) and time.monotonic() < end:
        time.sleep(0.1)
    assert [process for process in processes if alive(process)] == []


def alive(process):
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("closed", "left", "printed"), [(False, False, 1), (True, False, 0), (False, True, 0)])
def test_failures_caused_by_the_end_of_the_page_or_of_the_visit_are_not_printed(
    finder, photo, tmp_path, capfd, closed, left, printed
):
    reader = SimpleNamespace(work=lambda _: (1, 1), read=fails, closed=closed)
    results = tmp_path / "gone" if left else tmp_path
    with pytest.raises(FkpError):
        next(photo_module.answer(photo, "a.png", photo_module.Choices("numpy", "none", []), finder, reader, results))
    assert capfd.readouterr().err.count("\n") == printed
