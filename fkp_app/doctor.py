"""What there is and what is missing on this machine, each with what to do about it."""

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from fkp_app.blas import advice
from fkp_app.errors import FkpError
from numpynet import __version__

State = Literal["ok", "missing", "broken"]

NEEDED = ("numpy", "numba", "safetensors", "threadpoolctl", "pillow", "pandas", "matplotlib", "typer", "rich", "pooch")
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
EXTRAS = {
    "torch": ("torch", "the PyTorch backend"),
    "av": ("video", "videos with their sound, written as H.264"),
    "onnx": ("onnx", "export to ONNX"),
    "gradio": ("web", "the page of `fkp web`"),
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. missing: what one can do without; broken: what must be mended."""

    name: str
    state: State
    text: str


def examine(camera: bool = True) -> Iterator[Finding]:
    """Everything, one after another. camera: whether to try the first camera, which lights its lamp."""
    yield Finding("fkp", "ok", __version__)
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from map(_package, NEEDED)
    checks: list[Callable[[], Finding]] = [_opencv, _cascades, _weights, _linear_algebra, _threads]
    yield from (_guarded(check) for check in checks)
    for name, (extra, use) in EXTRAS.items():
        yield _extra(name, extra, use)
    yield _guarded(_window)
    if camera:
        yield _guarded(_camera)


def _guarded(check: Callable[[], Finding]) -> Finding:
    """A check's finding, where it fails as well: that is what one wants to know."""
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check()
    except Exception as error:  # whatever a broken installation comes up with
        return Finding(name, "broken", " ".join(str(error).split()) or type(error).__name__)


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "broken", f"not installed: pip install {name}")


def _extra(name: str, extra: str, use: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, "missing", f"for {use}: pip install 'numpynet-fkp[{extra}]'")
    return Finding(name, "ok", f"{version(name)}, for {use}")


def _opencv() -> Finding:
    import cv2

    there = []
    for name in OPENCV:
        try:
            there.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    if len(there) > 1:
        names = " ".join(entry.split()[0] for entry in there)
        return Finding(
            "opencv", "broken", f"{' and '.join(there)} overwrite each other: pip uninstall {names}, then one"
        )
    return Finding("opencv", "ok", f"{cv2.__version__} ({there[0] if there else 'of unknown origin'})")


def _cascades() -> Finding:
    from fkp_app.detector import CASCADE, SECOND_CASCADE, FaceDetector

    FaceDetector()
    return Finding("cascades", "ok", f"{CASCADE}, {SECOND_CASCADE}")


def _weights() -> Finding:
    from fkp_app.backends import SHIPPED_WEIGHTS
    from numpynet.checkpoint import load_net

    net, card = load_net(SHIPPED_WEIGHTS)
    count = sum(parameter.data.size for parameter in net.parameters())
    size = SHIPPED_WEIGHTS.stat().st_size / 1e6
    return Finding("weights", "ok", f"{SHIPPED_WEIGHTS.name}: {card.architecture}, {count:,} weights, {size:.1f} MB")


def _linear_algebra() -> Finding:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((8, 8)) @ np.ones((8, 8))
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    words = [f"{pool['internal_api']} {pool['version']}, {pool.get('architecture', '?')} kernels" for pool in pools]
    slow = advice()
    return Finding("BLAS", "missing" if slow else "ok", slow or "; ".join(dict.fromkeys(words)) or "NumPy's own")


def _threads() -> Finding:
    from numpynet.workers import physical_cores

    return Finding("threads", "ok", f"{physical_cores()} cores for this process, of {os.cpu_count()} processors")


def _window() -> Finding:
    from fkp_app.video.window import check_window

    try:
        check_window()
    except FkpError as error:
        return Finding("window", "missing", str(error))
    return Finding("window", "ok", f"can be shown here ({sys.platform})")


def _camera() -> Finding:
    from fkp_app.video.camera import open_camera

    try:
        with open_camera(0) as camera:
            return Finding("camera", "ok", f"camera:0, {camera.width} x {camera.height} pixels")
    except FkpError as error:
        return Finding("camera", "missing", str(error))
