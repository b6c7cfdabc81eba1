"""`fkp doctor`: check what this machine has and lacks, and say what to do about it."""

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Literal

import typer

from fkp_app.blas import advice
from fkp_app.errors import FkpError

State = Literal["ok", "missing", "broken"]

NEEDED = ("numpy", "safetensors", "threadpoolctl", "pillow", "pandas", "matplotlib", "typer", "rich", "pooch")
MODULES = {"pillow": "PIL"}
"""Import names of packages that are imported under another name."""
COLOURS = {"ok": "green", "missing": "yellow", "broken": "red"}
OPENCV = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
EXTRAS = {
    "torch": ("torch", "the PyTorch backend"),
    "av": ("video", "videos with their sound, written as H.264"),
    "onnx": ("onnx", "export to ONNX"),
    "gradio": ("web", "the page of `fkp web`"),
    "distributed": ("cluster", "`fkp detect --cluster` on a Dask cluster"),
    "mpi4py": ("mpi", "training in several processes of an MPI library, such as mpich"),
}


@dataclass(frozen=True)
class Finding:
    """The state of one thing. missing: fkp works without it. broken: it must be mended."""

    name: str
    state: State
    text: str


def examine(camera: bool = True) -> Iterator[Finding]:
    """Check everything, one thing after another. camera: whether to open the first camera, which lights its lamp."""
    yield _guarded(_fkp)
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from map(_package, NEEDED)
    checks: list[Callable[[], Finding]] = [_numba, _opencv, _cascades, _weights, _linear_algebra, _threads]
    yield from (_guarded(check) for check in checks)
    for name, (extra, use) in EXTRAS.items():
        yield _guarded(partial(_extra, name, extra, use), name)
    yield _guarded(_window)
    if camera:
        yield _guarded(_camera)


def _guarded(check: Callable[[], Finding], name: str | None = None) -> Finding:
    """The finding of a check. If the check raises an error, the finding is that error."""
    name = name or check.__name__.strip("_").replace("_", " ")
    try:
        return check()
    except Exception as error:  # a broken installation can raise any error
        return Finding(name, "broken", _line(error))


def _fkp() -> Finding:
    from numpynet import __version__

    return Finding("fkp", "ok", __version__)


def _package(name: str) -> Finding:
    """Check that a package is installed and can be imported: only the import shows whether it fits the others."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "broken", f"not installed: pip install {name}")
    try:
        importlib.import_module(MODULES.get(name, name))
    except Exception as error:
        return _unloadable(name, found, error)
    return Finding(name, "ok", found)


def _extra(name: str, extra: str, use: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return Finding(name, "missing", f"for {use}: pip install 'numpynet-fkp[{extra}]'")
    found = version(name)
    try:
        importlib.import_module(name)
    except Exception as error:
        return _unloadable(name, found, error)
    return Finding(name, "ok", f"{found}, for {use}")


def _unloadable(name: str, found: str, error: Exception) -> Finding:
    again = f"pip install --force-reinstall {name}"
    return Finding(name, "broken", f"{found} cannot be loaded ({_line(error)}); {again}")


def _numba() -> Finding:
    """Check the version, import the kernels, compile one and run it."""
    try:
        found = version("numba")
    except PackageNotFoundError:
        return Finding("numba", "broken", "not installed: pip install numba")
    try:
        import numpy as np

        import numpynet.kernels as kernels
        from numpynet import functional
        from numpynet.kernels.code_cache import cache_folder
        from numpynet.kernels.rows import add_four_to_one

        x = np.linspace(-1, 1, 8, dtype=np.float32)
        compiled, readable = (f.relu_backward(2 * x, f.relu(x)[1]) for f in (kernels, functional))
        if not np.array_equal(compiled, readable):
            raise ArithmeticError("its compiled code computes something else than NumPy")
    except Exception as error:
        return Finding(
            "numba",
            "broken",
            f"{found}: {_line(error)}; install numba and numpy again, or train with --ops readable",
        )
    folder = cache_folder(add_four_to_one)
    if folder is None:
        how = "compiles in every process that trains, for half a minute, as no folder can be written to keep the code"
        return Finding("numba", "missing", f"{found}, {how}: name one with NUMBA_CACHE_DIR")
    return Finding("numba", "ok", f"{found}, compiled code is kept in {folder}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
    from fkp_app.faces.detector import CASCADE, SECOND_CASCADE, FaceDetector

    FaceDetector()
    return Finding("cascades", "ok", f"{CASCADE}, {SECOND_CASCADE}")


def _weights() -> Finding:
    from fkp_app.backends.predictor import SHIPPED_WEIGHTS
    from fkp_app.faces.proposals import SHIPPED_FINDER
    from numpynet.checkpoint import load_net

    lines = []
    for path in (SHIPPED_WEIGHTS, SHIPPED_FINDER):
        net, card = load_net(path)
        count = sum(parameter.data.size for parameter in net.parameters())
        size = path.stat().st_size / 1e6
        lines.append(f"{path.name}: {card.architecture}, {count:,} weights, {size:.1f} MB")
    return Finding("weights", "ok", "; ".join(lines))


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
    from fkp_app.media.video.window import check_window

    try:
        check_window()
    except FkpError as error:
        return Finding("window", "missing", str(error))
    return Finding("window", "ok", f"can be shown here ({sys.platform})")


def _camera() -> Finding:
    from fkp_app.media.video.camera import open_camera

    try:
        with open_camera(0) as camera:
            return Finding("camera", "ok", f"camera:0, {camera.width} x {camera.height} pixels")
    except FkpError as error:
        return Finding("camera", "missing", str(error))


def doctor(
    camera: Annotated[bool, typer.Option("--camera/--no-camera", help="Try camera:0, which lights its lamp.")] = True,
) -> None:
    """Check what `fkp` needs: versions, cascades, weights, BLAS, threads, extras, window, camera.

    The exit code is 1 if anything is broken. For anything that is only missing, it says how to get it.
    """
    broken = 0
    for finding in examine(camera):
        state = typer.style(
            f"{finding.state:<8}", fg=COLOURS[finding.state]
        )  # Typer drops the colour if the output is not a terminal
        typer.echo(f"{finding.name:<14} {state} {finding.text}")
        broken += finding.state == "broken"
    if broken:
        raise typer.Exit(1)
