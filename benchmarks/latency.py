"""`python -m benchmarks latency`: the time for one face: the network alone, a photo, and a cold `fkp detect`."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.contenders import CONTENDERS, FAST
from benchmarks.machine import describe, print_description, write_results
from benchmarks.options import MODELS, add_shared
from benchmarks.processes import Worker
from fkp_app.geometry.crop_card import CropCard
from fkp_app.training.recipe import load_recipe
from numpynet.module import Chain
from numpynet.typing import Array

SIDES = {
    "fkp detect": ("numpy", ""),
    "numpynet, readable": ("numpy", "readable"),
    "numpynet, fast": ("numpy", "fast"),
    "torch": ("torch", ""),
    "OpenCV, from ONNX": ("onnx", ""),
}
"""Backend and numpynet's implementation by the name of the column in the results. Without one, numpynet's
network runs as `fkp detect` runs it: it is the same for both implementations, and one thread computes each product."""


def network(name: str, backend: str, ops: str) -> Callable[[], object]:
    """A call that runs the network of the recipe `name` on one face, in evaluation mode, as detection runs it."""
    from fkp_app.backends.predictor import limit_threads, ready_to_run
    from numpynet import fuse, use
    from numpynet.architectures import build

    recipe = load_recipe(name)
    size, architecture, arguments = recipe.framing.size, recipe.network.architecture, recipe.network.arguments
    image = np.random.default_rng(0).random((1, 1, size, size), np.float32)
    net = build(architecture, arguments, rng=0).eval()
    if backend == "numpy" and not ops:
        limit_threads(backend, 1)
        ready = ready_to_run(net)
        return lambda: ready(image)
    if backend == "numpy":
        use(ops)
        fused = fuse(net)
        return lambda: fused(image)
    if backend == "onnx":
        return from_onnx(net, recipe.card(training={}), image)
    import torch

    from reference.models import ARCHITECTURES

    twin, tensor = ARCHITECTURES[architecture].from_state(net.state_dict(), arguments).eval(), torch.from_numpy(image)

    def forward() -> object:
        with torch.inference_mode():
            return twin(tensor)

    return forward


def from_onnx(net: Chain, card: CropCard, image: Array) -> Callable[[], object]:
    """A call that runs the network in OpenCV, from ONNX."""
    import cv2

    from fkp_app.backends.onnx.export import to_onnx

    read = cv2.dnn.readNetFromONNX(np.frombuffer(to_onnx(net, card), np.uint8))

    def forward() -> object:
        read.setInput(image)
        return read.forward()

    return forward


def image_to_keypoints(backend: str) -> Callable[[], object]:
    """A call that finds the keypoints of a decoded photo as `fkp detect` does, from the search for faces on."""
    from fkp_app.commands.demo import sample_photo
    from fkp_app.faces.finder import load_finder
    from fkp_app.media.images import read_image

    finder, image = load_finder(backend), read_image(sample_photo())
    return lambda: finder(image)


def serve(connection: Connection, what: str, backend: str, ops: str) -> None:
    """In the worker's process: one call per message; the answer is its seconds. what: "image" or a recipe's name."""
    call = image_to_keypoints(backend) if what == "image" else network(what, backend, ops)
    while True:
        connection.recv()
        begin = time.perf_counter()
        call()
        connection.send(time.perf_counter() - begin)


def warm(what: str, rounds: int) -> dict[str, float]:
    """Median seconds of each side over `rounds` calls in turn, after three calls that do not count."""
    workers = {
        name: Worker(name, CONTENDERS[FAST].environment if backend == "numpy" else {}, serve, what, backend, ops)
        for name, (backend, ops) in SIDES.items()
        if not (what == "image" and ops)
    }
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    try:
        for i in range(-3, rounds):
            for name, worker in workers.items():
                taken = worker.ask(True)
                if i >= 0:
                    seconds[name].append(taken)
    finally:
        for worker in workers.values():
            worker.__exit__()
    return {name: statistics.median(found) for name, found in seconds.items()}


def cold(rounds: int) -> dict[str, float]:
    """Median wall-clock seconds of `fkp detect` on one photo over `rounds` new processes."""
    from fkp_app.commands.demo import sample_photo

    seconds: dict[str, list[float]] = {"numpy": [], "torch": []}
    for _ in range(rounds):
        for backend, found in seconds.items():
            with tempfile.TemporaryDirectory() as out:
                command = [sys.executable, "-m", "fkp_app", "detect", str(sample_photo()), "--out", out]
                begin = time.perf_counter()
                subprocess.run([*command, "--backend", backend], check=True, capture_output=True, env=dict(os.environ))
                found.append(time.perf_counter() - begin)
    return {backend: statistics.median(found) for backend, found in seconds.items()}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--rounds", type=int, default=31, help="timed calls of each side (default %(default)s)")
    parser.add_argument("--cold-rounds", type=int, default=7, help="runs of `fkp detect` (default %(default)s)")
    add_shared(parser, "--json")


def run(args: argparse.Namespace) -> None:
    """Measure all rows; print and store the medians."""
    machine = describe()
    print_description(machine)
    results: dict[str, Any] = {}
    for what in ("image", *MODELS):
        results[what] = warm(what, args.rounds)
        title = "photo to keypoints" if what == "image" else f"{what}, one face"
        print(f"{title:20}" + "".join(f"  {name} {1e3 * s:.2f} ms" for name, s in results[what].items()), flush=True)
    results["cold"] = cold(args.cold_rounds)
    print("fkp detect, cold    " + "".join(f"  {name} {s:.2f} s" for name, s in results["cold"].items()))
    if args.json is not None:
        write_results(args.json, machine, {"rounds": args.rounds, "cold_rounds": args.cold_rounds}, results)
