"""`python -m benchmarks video`: faces followed through clips: frames per second, shake and lag of the points.

The clips (`benchmarks/quality/clips.py`) are 640 x 480, made of free photos with a known motion and a camera's faults.
The time of a frame runs from the frame in memory to its smoothed points. Each backend has a process of its own.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from benchmarks.machine import describe, print_description, write_results
from benchmarks.options import add_shared, at_least
from benchmarks.quality.clips import HEIGHT, PLACES, RATE, WIDTH, one_face
from benchmarks.quality.motions import MOTIONS
from benchmarks.quality.point_filter import PointFilter
from benchmarks.quality.steadiness import Steadiness, steadiness
from benchmarks.video_speed import BACKENDS, speed_table, speeds
from fkp_app.backends.predictor import Predictor, get_predictor
from fkp_app.faces.detectors import DEFAULT_DETECTOR, DETECTORS, make_detector
from fkp_app.tracking.smoothing import FaceSmoother, Tuning
from fkp_app.tracking.tracker import FaceTracker
from numpynet import use
from numpynet.typing import Array

POINT = {"One-Euro, usual": Tuning(1.0, 0.007), "One-Euro, tuned": Tuning(0.5, 0.25)}
"""The One-Euro filter on each coordinate, in pixels: with constants in common use, and with those, of some sixty tried
on these clips, whose shake is about that of AFTER."""
AFTER, WITHIN = "pose, shape: after", "pose, shape: within"
"""AFTER: FaceSmoother applied to the points that the tracker found without smoothing, as One-Euro is here. WITHIN:
FaceSmoother inside the tracker, which then cuts the next crop around the smoothed points."""
WAYS = ("as found", *POINT, AFTER, WITHIN)
"""The ways of smoothing that are compared."""


def paths(motion: str, person: str, predictor: Predictor, frames: int) -> tuple[dict[str, Array], Array]:
    """Points (T, 68, 2) of a clip by each of WAYS, and the true points."""
    clip, detector = one_face(motion, predictor, person, frames), make_detector()
    images = list(clip.images())
    found: dict[str, Array] = {}
    for way, smooth in (("as found", False), (WITHIN, True)):
        tracker = FaceTracker(detector, predictor, smooth=smooth)
        faces = [tracker.update(image, clip.time(index)) for index, image in enumerate(images)]
        if [len(seen) for seen in faces] != [1] * frames or len({seen[0].track for seen in faces}) != 1:
            raise SystemExit(f"{motion}, {person}: the face was not followed through the clip")
        found[way] = np.stack([seen[0].keypoints for seen in faces]).astype(np.float64)
    filters = {way: PointFilter(tuning) for way, tuning in POINT.items()} | {AFTER: FaceSmoother()}
    for way, smoother in filters.items():
        found[way] = np.stack([smoother(points, 1 / RATE) for points in found["as found"]])
    return found, np.stack([clip.truth(index)[0] for index in range(frames)])


def steady(frames: int) -> dict[str, dict[str, Steadiness]]:
    """The figures by motion and way of smoothing, means over the people of the clips."""
    predictor, results = get_predictor("numpy"), {}
    for motion in MOTIONS:
        rows: dict[str, list[Steadiness]] = {way: [] for way in WAYS}
        for person in PLACES:
            found, truth = paths(motion, person, predictor, frames)
            for way in WAYS:
                rows[way].append(steadiness(found[way], truth))
        results[motion] = {way: _mean(of_people) for way, of_people in rows.items()}
    return results


def _mean(rows: list[Steadiness]) -> Steadiness:
    return Steadiness(*(float(np.mean(column)) for column in zip(*(asdict(row).values() for row in rows), strict=True)))


def steady_table(results: dict[str, dict[str, Steadiness]]) -> Iterator[str]:
    """One row per motion and way of smoothing."""
    yield f"{'':8}{'':20}{'shake px':>9}{'spread px':>11}{'error px':>10}{'% of eyes':>11}{'lag frames':>12}{'ms':>6}"
    for motion, ways in results.items():
        for way, row in ways.items():
            late = "-" if math.isnan(row.lag) else f"{row.lag:.2f}"
            ms = "-" if math.isnan(row.lag) else f"{1e3 * row.lag / RATE:.0f}"
            yield (
                f"{motion:8}{way:20}{row.shake:9.3f}{row.spread:11.3f}{row.error:10.2f}{row.error_percent:11.2f}"
                f"{late:>12}{ms:>6}"
            )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    enough = at_least(40, "shorter clips do not show how points lag")
    parser.add_argument("--backend", nargs="*", choices=BACKENDS, default=list(BACKENDS), help="measure their speed")
    parser.add_argument("--frames", type=enough, default=100, help="frames of each clip (default %(default)s)")
    parser.add_argument("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR, help="default: %(default)s")
    parser.add_argument("--no-steadiness", action="store_true", help="measure speed alone")
    add_shared(parser, "--threads", "--json")


def run(args: argparse.Namespace) -> None:
    """Measure speed, and shake and lag unless --no-steadiness; print and store both."""
    machine = describe()
    print_description(machine)
    print(f"{WIDTH} x {HEIGHT}, {args.frames} frames per clip; other work on this machine would lower these speeds")
    speed = {backend: speeds(backend, args.detector, args.frames, args.threads) for backend in args.backend}
    print("\n".join(speed_table(speed)), flush=True)
    found: dict[str, dict[str, Steadiness]] = {}
    if not args.no_steadiness:
        with use("fast"):
            found = steady(args.frames)
        print("\n".join(steady_table(found)))
    if args.json is not None:
        settings = {
            "detector": args.detector,
            "frames": args.frames,
            "threads": args.threads,
            "rate": RATE,
            "size": [WIDTH, HEIGHT],
        }
        rows = {motion: {way: _numbers(row) for way, row in ways.items()} for motion, ways in found.items()}
        write_results(args.json, machine, settings, {"speed": speed, "steadiness": rows})


def _numbers(row: Steadiness) -> dict[str, float | None]:
    """The figures for JSON, which cannot express NaN: null instead."""
    return {name: None if math.isnan(value) else value for name, value in asdict(row).items()}
