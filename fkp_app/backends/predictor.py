"""One predictor for the three backends: NumPy, PyTorch, and OpenCV with ONNX."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from fkp_app.backends.channels_last import channels_last
from fkp_app.backends.onnx.card import is_onnx
from fkp_app.backends.sharing import shared
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import load_net
from numpynet.fuse import fuse
from numpynet.module import Module
from numpynet.typing import Array
from numpynet.workers import set_threads

if TYPE_CHECKING:
    from types import ModuleType

BackendName = Literal["numpy", "torch", "onnx"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "hourglass.safetensors"


@dataclass(frozen=True)
class Predictor:
    """A network ready to use: `forward` computes outputs (N, 136) float32 from crops (N, 1, S, S) float32."""

    backend: BackendName
    card: CropCard
    forward: Callable[[Array], Array]

    def __call__(self, crops: Array) -> Array:
        """The outputs. FkpError if one is NaN or infinite: such a point must not be mistaken for "no face"."""
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self.forward(crops)
        if not np.isfinite(outputs).all():
            raise FkpError("the network gives points that are NaN or infinite: its weights are damaged; use others")
        return outputs

    def keypoints(self, crops: Array) -> Array:
        """The keypoints (N, 68, 2) of crops (N, 1, S, S), in pixels of the crop."""
        return self.card.units.to_pixels(self(crops))


def check_threads(threads: int | None) -> None:
    """UsageError if this is no number of threads. None means one thread per core."""
    if threads is not None and threads < 1:
        raise UsageError(f"--threads must be at least 1, got {threads}")


def limit_threads(backend: str, threads: int | None) -> None:
    """Set the number of threads from now on, in the whole process. None changes nothing: one thread per core."""
    check_threads(threads)
    if threads is None:
        return
    if backend == "torch":
        reference_module("backend").set_threads(threads)
    if backend == "onnx":
        _onnx().set_threads(threads)
    threadpool_limits(limits=threads)
    set_threads(threads)


def get_predictor(
    backend: str = "numpy", weights: Path | None = None, threads: int | None = None, own_process: bool = False
) -> Predictor:
    """The network in a weights file, run by "numpy", "torch" or "onnx" (OpenCV). weights: None is the shipped file.

    threads: how many to use from now on, in the whole process. own_process: the process belongs to the caller, as that
    of a command does, so that it may be set up for this network even if threads is None, with one thread per core. If
    threads is None and own_process False, no setting of the process changes. `fkp_app.backends.sharing` says how the
    threads are used.

    UsageError if the backend is unknown, not installed or cannot run such a file, numpynet.CheckpointError if the file
    is bad.
    """
    check_threads(threads)
    path = SHIPPED_WEIGHTS if weights is None else weights
    predictor = _load(check_backend(backend), path)
    if threads is None and not own_process:
        return predictor
    if backend == "onnx":  # its threads do not spin
        limit_threads(backend, threads)
        return predictor
    limit_threads(backend, 1)
    set_threads(threads)
    return replace(predictor, forward=shared(predictor.forward))


def _load(backend: str, path: Path) -> Predictor:
    if backend == "onnx":
        opencv = _onnx().OnnxPredictor(path)
        return Predictor("onnx", opencv.card, opencv)
    if is_onnx(path):
        raise UsageError(f"{path}: is an ONNX file, which --backend onnx runs; --backend {backend} needs .safetensors")
    if backend == "torch":
        predictor = reference_module("backend").TorchPredictor(path)
        return Predictor("torch", CropCard.of(predictor.card, path), predictor)
    net, card = load_net(path)
    return Predictor("numpy", CropCard.of(card, path), ready_to_run(net))


def ready_to_run(net: Module) -> Callable[[Array], Array]:
    """The network as the backend numpy runs it: channels last if it can, otherwise fused."""
    return channels_last(net) or fuse(net)


def check_backend(backend: str) -> str:
    """`backend`, if there is such a backend and it is installed; UsageError otherwise."""
    if backend not in BACKENDS:
        raise UsageError(f"--backend must be one of {', '.join(BACKENDS)}, got {backend}")
    if backend == "torch":
        reference_module("backend")
    return backend


def _onnx() -> "ModuleType":
    """The module that runs ONNX files with OpenCV, imported only when it is needed."""
    from fkp_app.backends.onnx import predictor as backend

    return backend


def reference_module(name: str) -> "ModuleType":
    """A module of `reference`, the PyTorch twin, imported only when it is needed.

    UsageError if PyTorch is not installed, FkpError if it cannot be loaded.
    """
    import importlib

    try:
        return importlib.import_module(f"reference.{name}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError("--backend torch needs PyTorch: pip install 'numpynet-fkp[torch]'") from None
    except (ImportError, OSError) as error:
        raise FkpError(f"PyTorch is installed but cannot be loaded ({error}); install it again") from None
