"""`python -m benchmarks video`: faces followed through clips: frames a second, how steady points are, and how late.

The clips are made of free photos with a known motion and a camera's faults (`benchmarks/clips.py`), 640 x 480. The
clock runs from a frame in memory to its smoothed points. Each backend is a process of its own.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.clips import HEIGHT, PLACES, RATE, WIDTH, one_face
from benchmarks.machine import describe, print_description, write_results
from benchmarks.motions import MOTIONS
from benchmarks.steadiness import Steadiness, steadiness
from benchmarks.video_speed import BACKENDS, speed_table, speeds
from fkp_app.backends.predictor import Predictor, get_predictor
from fkp_app.faces.detector import FaceDetector
from fkp_app.tracking.smoothing import FaceSmoother, PointFilter, Tuning
from fkp_app.tracking.tracker import FaceTracker
from numpynet import use
from numpynet.typing import Array

POINT = {"One-Euro, usual": Tuning(1.0, 0.007), "One-Euro, tuned": Tuning(0.5, 0.25)}
"""One-Euro on every coordinate, in pixels: with constants that are often seen, and with those, of some sixty tried on
these clips, that shake about as little as pose and shape do after the tracking."""
AFTER, WITHIN = "pose, shape: after", "pose, shape: within"
"""FaceSmoother applied to what was found, as One-Euro is here; and in the tracker, where the next crop is cut by what
was smoothed, too."""
WAYS = ("as found", *POINT, AFTER, WITHIN)


def paths(motion: str, person: str, predictor: Predictor, frames: int) -> tuple[dict[str, Array], Array]:
    """Points (T, 68, 2) of each of WAYS through a clip, and the truth."""
    clip, detector = one_face(motion, predictor, person, frames), FaceDetector()
    images = list(clip.images())
    found: dict[str, Array] = {}
    for way, smooth in (("as found", False), (WITHIN, True)):
        tracker = FaceTracker(detector, predictor, smooth=smooth)
        faces = [tracker.update(image, clip.time(index)) for index, image in enumerate(images)]
        if [len(seen) for seen in faces] != [1] * frames or len({seen[0].track for seen in faces}) != 1:
            raise SystemExit(f"{motion}, {person}: the face was not followed through the clip")
        found[way] = np.stack([seen[0].keypoints for seen in faces]).astype(np.float64)
    filters = {way: PointFilter(tuning) for way, tuning in POINT.items()} | {AFTER: FaceSmoother()}
    for way, each in filters.items():
        found[way] = np.stack([each(points, 1 / RATE) for points in found["as found"]])
    return found, np.stack([clip.truth(index)[0] for index in range(frames)])


def steady(frames: int) -> dict[str, dict[str, Steadiness]]:
    """Of every motion and each of WAYS: the mean over the people."""
    predictor, results = get_predictor("numpy"), {}
    for motion in MOTIONS:
        each: dict[str, list[Steadiness]] = {way: [] for way in WAYS}
        for person in PLACES:
            found, truth = paths(motion, person, predictor, frames)
            for way in WAYS:
                each[way].append(steadiness(found[way], truth))
        results[motion] = {way: _mean(rows) for way, rows in each.items()}
    return results


def _mean(rows: list[Steadiness]) -> Steadiness:
    return Steadiness(*(float(np.mean(column)) for column in zip(*(asdict(row).values() for row in rows), strict=True)))


def steady_table(results: dict[str, dict[str, Steadiness]]) -> Iterator[str]:
    """A row a motion and way."""
    yield f"{'':8}{'':20}{'shake px':>9}{'spread px':>11}{'error px':>10}{'% of eyes':>11}{'lag frames':>12}{'ms':>6}"
    for motion, ways in results.items():
        for way, row in ways.items():
            late = "-" if math.isnan(row.lag) else f"{row.lag:.2f}"
            ms = "-" if math.isnan(row.lag) else f"{1e3 * row.lag / RATE:.0f}"
            yield (
                f"{motion:8}{way:20}{row.shake:9.3f}{row.spread:11.3f}{row.error:10.2f}{row.error_percent:11.2f}"
                f"{late:>12}{ms:>6}"
            )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks video", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--backend", nargs="*", choices=BACKENDS, default=list(BACKENDS), help="whose speed to measure")
    parser.add_argument("--frames", type=int, default=100, help="of each clip (default %(default)s)")
    parser.add_argument("--threads", type=int, help="of each backend; without it, what each chooses")
    parser.add_argument("--no-steadiness", action="store_true", help="measure speed alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write figures and machine")
    args = parser.parse_args()
    if args.frames < 40:
        parser.error("--frames must be at least 40: clips take a while to show how points lag")
    machine = describe()
    print_description(machine)
    print(
        f"{WIDTH} x {HEIGHT}, {args.frames} frames a clip; a machine with other work makes these slower than they are"
    )
    speed = {backend: speeds(backend, args.frames, args.threads) for backend in args.backend}
    print("\n".join(speed_table(speed)), flush=True)
    found: dict[str, dict[str, Steadiness]] = {}
    if not args.no_steadiness:
        with use("fast"):
            found = steady(args.frames)
        print("\n".join(steady_table(found)))
    if args.json is not None:
        settings = {"frames": args.frames, "threads": args.threads, "rate": RATE, "size": [WIDTH, HEIGHT]}
        rows = {motion: {way: _numbers(row) for way, row in ways.items()} for motion, ways in found.items()}
        write_results(args.json, machine, settings, {"speed": speed, "steadiness": rows})
    return 0


def _numbers(row: Steadiness) -> dict[str, float | None]:
    """For JSON, which has no word for what is not a number."""
    return {name: None if math.isnan(value) else value for name, value in asdict(row).items()}
