"""`python -m benchmarks many-files`: `fkp detect` over many small pictures while worker processes are killed.

The pictures are links to a few small portraits from photos in the public domain. One worker is killed when a part of
the files is done, then the one that took its place. Printed are the images per second, and whether every file has one
result. Needs Linux, whose /proc tells which processes are the workers.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import cv2

from benchmarks.options import at_least
from benchmarks.quality.scenes import photo
from fkp_app.media.images import write_image

ENGINES = {"one": [], "workers": ["--workers"], "cluster": ["--cluster", "local", "--workers"]}
"""What does the images: one process, `--workers`, or a Dask cluster on this machine. Then the number of processes."""
SIDES = (96, 112, 128, 160)


def draw_album(folder: Path, files: int) -> None:
    """Write this number of files to a new folder: portraits of different sizes, and links to them."""
    folder.mkdir()
    heads = (photo("hopper")[60:360, 115:415], photo("astronaut")[20:240, 110:330])
    kinds = [(head, side) for head in heads for side in SIDES]
    for i in range(files):
        path = folder / f"{i:06}.png"
        if i < len(kinds):
            head, side = kinds[i]
            write_image(path, cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA))
        else:
            path.symlink_to(f"{i % len(kinds):06}.png")


def workers_of(parent: int) -> dict[int, int]:
    """The worker processes that a process has started, with the time at which each started, in ticks of the clock."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == parent and b"spawn_main" in command:
            found[int(path.name)] = int(fields[19])
    return found


class Ended(NamedTuple):
    """How a run of the command ended. code: its exit code; killed: how many workers were killed; errors: its lines."""

    code: int
    killed: int
    seconds: float
    errors: str


def detect(album: Path, parts: Path, options: list[str], kill_at: list[int]) -> Ended:
    """Run the command; kill its newest worker after each of these numbers of files."""
    command = [sys.executable, "-m", "fkp_app", "detect", str(album), "--parts", str(parts), *options]
    started, todo, done = time.perf_counter(), sorted(kill_at), 0
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        for _ in process.stdout:
            done += 1
            if todo and done >= todo[0] and (workers := workers_of(process.pid)):
                todo.pop(0)
                os.kill(max(workers, key=lambda one: workers[one]), signal.SIGKILL)
        code = process.wait()
        errors.seek(0)
        return Ended(code, len(kill_at) - len(todo), time.perf_counter() - started, errors.read())


def names_in(parts: Path) -> Counter[str]:
    """How often each file has a result."""
    texts = [path.read_text("utf-8") for path in sorted(parts.glob("part-*.jsonl"))]
    return Counter(json.loads(line)["image"] for text in texts for line in text.split("\n")[:-1])


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--files", type=at_least(10), default=10000, help="number of files (default %(default)s)")
    parser.add_argument("--workers", type=at_least(1), default=2, help="number of processes (default %(default)s)")
    parser.add_argument("--kills", type=at_least(0), default=2, help="workers to kill (default %(default)s)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["cluster"], help="default: cluster")


def run(args: argparse.Namespace) -> None:
    """Run the command with each engine, and print a table.

    SystemExit if a file has no result or two, if the command fails, or if fewer workers than wanted could be killed.
    """
    print(f"{'engine':10} {'files':>7} {'killed':>7} {'missing':>8} {'twice':>6} {'code':>5} {'s':>8} {'files/s':>9}")
    failed = False
    with tempfile.TemporaryDirectory() as place:
        album = Path(place, "album")
        draw_album(album, args.files)
        wanted = {str(path) for path in album.iterdir()}
        for engine in args.engines:
            options = ENGINES[engine] + ([str(args.workers)] if ENGINES[engine] else [])
            kills = 0 if engine == "one" else args.kills
            at = [args.files * (i + 1) // (kills + 1) for i in range(kills)]
            ended = detect(album, Path(place, engine), options, at)
            names = names_in(Path(place, engine))
            missing, twice = len(wanted - names.keys()), sum(number > 1 for number in names.values())
            row = f"{engine:10} {args.files:7} {ended.killed:7} {missing:8} {twice:6} {ended.code:5}"
            print(f"{row} {ended.seconds:8.1f} {args.files / ended.seconds:9.1f}", flush=True)
            print(ended.errors, end="")
            failed |= bool(missing or twice or ended.code or ended.killed < kills)
    if failed:
        raise SystemExit(1)
