"""The page as visitors see it: `fkp web` in its own process with its own temporary folder."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from threadpoolctl import threadpool_limits

from tests.free_pictures import hopper


@dataclass
class Page:
    """A running `fkp web`: its address, the folder of its temporary files, and its console output."""

    process: subprocess.Popen[str]
    url: str
    temporary: Path
    log: Path

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def files(self) -> list[Path]:
        """Visitors' files. The page may remove folders meanwhile."""
        return [Path(folder) / name for folder, _, names in os.walk(self.temporary) for name in names]

    def end(self, by: signal.Signals = signal.SIGINT) -> int:
        """Stop it with a signal; return the exit code."""
        self.process.send_signal(by)
        return self.process.wait(timeout=60)


def start(folder: Path, *options: str, program: str | None = None) -> Page:
    """Start `fkp web` on a free port and wait until it is ready. program: Python code to run instead."""
    pytest.importorskip("gradio", reason="Gradio is not installed (the extra `web`)")
    temporary, log = folder / "tmp", folder / "log"
    temporary.mkdir()
    command = [sys.executable, "-m", "fkp_app", "web", "--port", "0", *options]
    if program is not None:
        command = [sys.executable, "-c", program]
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment, cwd=folder
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    address = re.search(r"http\S+", line)
    if address is None:
        process.wait(timeout=60)
        pytest.fail(f"fkp web did not start: {line}{log.read_text()}")
    return Page(process, address[0], temporary, log)


@pytest.fixture(autouse=True)
def one_thread():
    """BLAS adds up on one thread here, as in the page: a last digit can move what a second look sees by 0.02 pixels."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """One page for all tests. At the end it must stop without a message and leave no files."""
    running = start(tmp_path_factory.mktemp("web"))
    yield running
    code = running.end() if running.process.poll() is None else "ended before"
    assert code == 130
    assert running.log.read_text() == "fkp: stopped\n"  # no traceback, no warning
    assert list(running.temporary.iterdir()) == []


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """A photo with one face, as a PNG."""
    from fkp_app.media.images import write_image

    path = tmp_path_factory.mktemp("photo") / "hopper.png"
    write_image(path, hopper())
    return path
