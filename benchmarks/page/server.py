"""`fkp web` in a process of its own, watched from outside: memory, threads, open files, files of visitors."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

HOST = "127.0.0.1"
END_SECONDS = 60
KIB = 1024


class Held(NamedTuple):
    """What a server holds: bytes of memory of its process and of those that read photos for it; threads, open files."""

    memory: int
    readers: int
    threads: int
    open_files: int


@dataclass
class Server:
    """A running page. folder: where all its temporary files lie; log: the file of its standard error."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    log: Path

    def held(self) -> Held:
        """What it holds now. It needs Linux."""
        first, *others = _family(self.process.pid)
        proc = Path(f"/proc/{first}")
        return Held(
            _memory(first),
            sum(_memory(other) for other in others),
            len(list((proc / "task").iterdir())),
            len(list((proc / "fd").iterdir())),
        )

    def files(self) -> list[Path]:
        """All files in its folder. It may remove some meanwhile."""
        return [Path(folder) / name for folder, _, names in os.walk(self.folder) for name in names]

    def end(self) -> int:
        """Stop it as Ctrl-C does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=END_SECONDS)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server that listens on a free port of this machine, behind a proxy: the visitors say which address they have.

    folder: an empty one. SystemExit with the server's own words if it does not start.
    """
    temporary, log = folder / "tmp", folder / "log"
    temporary.mkdir()
    command = [sys.executable, "-m", "fkp_app", "web", "--port", "0", "--proxy", HOST]
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
    try:
        assert process.stdout is not None
        address = re.search(r"http\S+", process.stdout.readline())
        port = urlsplit(address[0]).port if address else None
        if port is None:
            process.wait(timeout=END_SECONDS)
            raise SystemExit(f"fkp web did not start: {log.read_text().strip()}")
        yield Server(process, port, temporary, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _family(process: int) -> list[int]:
    """A process and its descendants."""
    children = [
        int(child)
        for thread in Path(f"/proc/{process}/task").glob("*/children")
        for child in thread.read_text("ascii").split()
    ]
    return [process, *(one for child in children for one in _family(child))]


def _memory(process: int) -> int:
    """Resident bytes of a process; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
    return KIB * int(found[1]) if found else 0
