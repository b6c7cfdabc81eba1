"""A process that reads changed files for the fuzzer: it may crash, hang or take memory, and the fuzzer sees which.

As a program (`python -m tests.fuzz.child`) it is that process: for each line "reader<TAB>path" it answers in one line.
"""

import contextlib
import ctypes
import gc
import json
import os
import queue
import re
import resource
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import NamedTuple, Self

from tests.fuzz.reader import Case, Reader

ROOT = Path(__file__).parents[2]
MOST = 6 << 30
"""Bytes of address space that the process may take beyond what its libraries take: no file brings the machine down."""
NO_MEMORY = re.compile("more memory|machine's memory|MemoryError|bad_alloc")
"""What readers say that asked for more memory than there is, instead of refusing to ask."""
STARTED = 300.0
"""Seconds for the start, in which kernels may be compiled."""


class Outcome(NamedTuple):
    """What reading a file came to.

    kind: "read", "refused", or a fault: "error" (another exception, or a message of several lines), "crash", "hang",
    "memory". text: the message, or where it went wrong. peak: MiB that reading took at most.
    """

    kind: str
    text: str
    peak: float = 0.0

    @property
    def fault(self) -> bool:
        return self.kind not in ("read", "refused")


class Child:
    """A process that reads files; a new one is started when it was lost. folder: an empty one for the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()
        self._warm: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def read(self, reader: Reader, case: Case) -> Outcome:
        """Write the files of the case, let the process read them, and judge what it did.

        A new process first reads the valid files, so that the libraries that it loads do not count. AssertionError if
        it refuses one of them.
        """
        if reader.name not in self._warm:
            for seed in reader.cases():
                outcome = self._asked(reader, seed)
                assert outcome.kind in ("read", "memory"), f"{reader.name}: a valid file is refused: {outcome}"
            self._warm.add(reader.name)
        return self._asked(reader, case)

    def _asked(self, reader: Reader, case: Case) -> Outcome:
        for old in self._folder.iterdir():
            old.unlink()
        for name, content in case.items():
            (self._folder / name).write_bytes(content)
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{reader.name}\t{self._folder / reader.target}\n")
        self._process.stdin.flush()
        try:
            answer = self._answers.get(timeout=reader.seconds)
        except queue.Empty:
            self._end()
            return Outcome("hang", f"more than {reader.seconds:g} seconds")
        if not answer:
            code = self._process.wait()
            self._end()
            return Outcome("crash", f"the process ended with {code}")
        kind, text, peak = json.loads(answer)
        if kind in ("read", "refused") and (peak > reader.memory or NO_MEMORY.search(text)):
            return Outcome("memory", f"{peak:.0f} MiB, and {reader.memory} are allowed ({text})", peak)
        return Outcome(kind, text, peak)

    def _start(self) -> None:
        environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._answers = queue.Queue()
        threading.Thread(target=_listen, args=(self._process, self._answers), daemon=True).start()
        if not self._answers.get(timeout=STARTED):
            raise RuntimeError("the process that reads files did not start")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):
                    pipe.close()
            self._process = None
            self._warm.clear()


def _listen(process: "subprocess.Popen[str]", answers: "queue.Queue[str]") -> None:
    """Pass on each line of the process; at its end an empty one."""
    assert process.stdout is not None
    with contextlib.suppress(ValueError):  # closed
        for line in process.stdout:
            answers.put(line)
    answers.put("")


def _read(reader: Reader, path: Path) -> tuple[str, str]:
    try:
        reader.read(path)
    except reader.errors as error:
        text = str(error)
        if "\n" in text or len(text) > 2000:
            return "error", f"its message is no short line: {text[:300]!r}"
        return "refused", text
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)
        own = [place for place in places if str(ROOT) in place.filename and "/tests/" not in place.filename]
        last = (own or places)[-1]
        return "error", f"{type(error).__name__}: {str(error)[:300]!r} at {last.filename}:{last.lineno} {last.name}"
    return "read", ""


def _memory(name: str) -> float:
    """MiB of this process by the name of /proc/self/status: VmRSS now, VmHWM at most since `_forget_peak`."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _give_memory_back() -> None:
    """Otherwise what earlier files took stays with the process, and a later file may use it unseen."""
    with contextlib.suppress(OSError, AttributeError):  # the C library has no such function
        ctypes.CDLL(None).malloc_trim(0)


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Read files as standard input asks for them."""
    out = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)  # decoders print
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    from tests.fuzz.kinds import READERS
    from tests.fuzz.planted import PLANTED

    taken = int(_memory("VmSize") * 1024 * 1024)
    resource.setrlimit(resource.RLIMIT_AS, (taken + MOST, taken + MOST))
    print("ready", file=out, flush=True)
    for line in sys.stdin:
        name, _, path = line.rstrip("\n").partition("\t")
        gc.collect()
        _give_memory_back()
        _forget_peak()
        before = _memory("VmRSS")
        kind, text = _read((READERS | PLANTED)[name], Path(path))
        print(json.dumps([kind, text, _memory("VmHWM") - before]), file=out, flush=True)


if __name__ == "__main__":
    main()
