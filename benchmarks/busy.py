"""`python -m benchmarks busy`: frames per second of `fkp detect` on a video, on a quiet machine and on a busy one.

The machine is made busy by one process per core that loops forever. Each figure is the one that a whole run of the
command prints. The settings take turns, so that other work on the machine slows all of them alike.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.quality.clips import HEIGHT, RATE, WIDTH, one_face
from fkp_app.backends.predictor import BACKENDS, get_predictor
from fkp_app.media.video.writer import VideoWriter

THIS_CHECKOUT = Path(__file__).parent.parent
LOADS = ("quiet", "busy", "two at once")
LOOP_FOREVER = "while True: pass"


class Setting(NamedTuple):
    """One way to run `fkp detect`.

    code: the checkout whose code runs; threads: the value of --threads, "" for the default; load: one of LOADS, what
    runs at the same time.
    """

    code: str
    backend: str
    threads: str
    load: str


def cores() -> list[int]:
    """The processors that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


@contextmanager
def busy_cores() -> Iterator[None]:
    """While this context lasts, a process on each core keeps it busy; bound to the core if the system allows that."""
    processes = []
    try:
        for core in cores():
            pin = f"import os; hasattr(os, 'sched_setaffinity') and os.sched_setaffinity(0, [{core}])"
            processes.append(subprocess.Popen([sys.executable, "-c", f"{pin}\n{LOOP_FOREVER}"]))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def start(setting: Setting, clip: Path) -> "subprocess.Popen[str]":
    """Start `fkp detect` on the clip."""
    options = ["--backend", setting.backend, *(["--threads", setting.threads] if setting.threads else [])]
    return subprocess.Popen(
        [sys.executable, "-m", "fkp_app", "detect", str(clip), *options],
        cwd=clip.parent,
        env=os.environ | {"PYTHONPATH": setting.code},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def speed(process: "subprocess.Popen[str]") -> float:
    """Wait for the command; the frames per second that it printed at its end. SystemExit if it failed."""
    out, errors = process.communicate()
    found = re.search(r"([\d.]+) frames (?:a|per) second", out)
    if process.returncode or found is None:
        raise SystemExit(f"{' '.join(map(str, process.args))}: exit code {process.returncode}: {errors or out}")  # type: ignore[arg-type]
    return float(found[1])


def measure(setting: Setting, clip: Path) -> float:
    """Frames per second of one run; for two runs at once, the mean of both."""
    if setting.load == "busy":
        with busy_cores():
            return speed(start(setting, clip))
    processes = [start(setting, clip) for _ in range(2 if setting.load == "two at once" else 1)]
    return statistics.mean([speed(process) for process in processes])


def draw_clip(path: Path, frames: int) -> None:
    """Write a video of one moving face to `path`."""
    clip = one_face("mix", get_predictor("numpy", threads=1), frames=frames)
    with VideoWriter(path, WIDTH, HEIGHT, RATE) as writer:
        for index, image in enumerate(clip.images()):
            writer.write(image, clip.time(index))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--frames", type=int, default=60, help="frames of the video (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="runs per setting; the median is printed")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS), help="default: all")
    parser.add_argument("--threads", nargs="+", default=["", "1"], help="values of --threads; '' is its default")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS), help="default: all")
    parser.add_argument("--code", nargs="+", default=[str(THIS_CHECKOUT)], help="checkouts to compare (default: this)")


def run(args: argparse.Namespace) -> None:
    """Measure all settings in turn, and print a table."""
    settings = [
        Setting(str(Path(code).absolute()), backend, threads, load)
        for load in args.loads
        for backend in args.backends
        for threads in args.threads
        for code in args.code
    ]
    found: dict[Setting, list[float]] = {setting: [] for setting in settings}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        draw_clip(clip, args.frames)
        for _ in range(args.rounds):
            for setting in settings:
                found[setting].append(measure(setting, clip))
    print(f"{len(cores())} processors; frames per second of `fkp detect`, {args.frames} frames, {args.rounds} rounds")
    print(f"{'code':40} {'backend':8} {'--threads':10} {'load':12} {'median':>8} {'least':>8} {'most':>8}")
    for setting, speeds in found.items():
        row = f"{setting.code[-40:]:40} {setting.backend:8} {setting.threads or 'default':10} {setting.load:12}"
        print(f"{row} {statistics.median(speeds):8.1f} {min(speeds):8.1f} {max(speeds):8.1f}")
