"""NumPy, PyTorch or OpenCV with ONNX: the one place where they meet."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from fkp_app.backends.onnx.card import is_onnx
from fkp_app.backends.sharing import shared
from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.framing import check_card
from fkp_app.geometry.units import Units
from numpynet.checkpoint import WeightsCard, load_net
from numpynet.fuse import fuse
from numpynet.typing import Array
from numpynet.workers import set_threads

if TYPE_CHECKING:
    from types import ModuleType

BackendName = Literal["numpy", "torch", "onnx"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "hourglass.safetensors"


@dataclass(frozen=True)
class Predictor:
    """A network ready to use: `forward` turns crops (N, 1, S, S) float32 into its outputs (N, 136) float32."""

    backend: BackendName
    card: WeightsCard
    forward: Callable[[Array], Array]

    def __call__(self, crops: Array) -> Array:
        """The outputs. FkpError where one is NaN or infinite: a point that is nowhere must not pass for no face."""
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self.forward(crops)
        if not np.isfinite(outputs).all():
            raise FkpError("the network puts points nowhere (NaN or infinity): its weights are damaged; take others")
        return outputs

    def keypoints(self, crops: Array) -> Array:
        """Keypoints (N, 68, 2), in pixels of the crop, for crops (N, 1, S, S)."""
        return Units.of(self.card).to_pixels(self(crops))


def check_threads(threads: int | None) -> None:
    """UsageError where it is no number of threads; None is as many as there are cores."""
    if threads is not None and threads < 1:
        raise UsageError(f"--threads must be at least 1, got {threads}")


def limit_threads(backend: str, threads: int | None) -> None:
    """Use so many threads from here on, in the whole process; as many as there are cores where it is None."""
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
    """The network in a weights file (the shipped one where None), run by "numpy", "torch" or "onnx" (OpenCV).

    threads: how many to use from here on, in the whole process. own_process: whether it may be set up for this network
    also where threads is None, as a command's process may: with as many threads as there are cores. Else nothing of
    the process is changed. `fkp_app.backends.sharing` says how the threads are used.

    UsageError where the backend is unknown, not installed or not for such a file, numpynet.CheckpointError where the
    file is bad.
    """
    check_threads(threads)
    path = SHIPPED_WEIGHTS if weights is None else weights
    predictor = _load(check_backend(backend), path)
    if threads is None and not own_process:
        return predictor
    if backend == "onnx":  # whose threads do not spin
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
        check_card(predictor.card, path)
        return Predictor("torch", predictor.card, predictor)
    net, card = load_net(path)
    check_card(card, path)
    return Predictor("numpy", card, fuse(net))


def check_backend(backend: str) -> str:
    """`backend`, if it is one and installed; UsageError otherwise."""
    if backend not in BACKENDS:
        raise UsageError(f"--backend must be one of {', '.join(BACKENDS)}, got {backend}")
    if backend == "torch":
        reference_module("backend")
    return backend


def _onnx() -> "ModuleType":
    """The module that runs ONNX files, and with it OpenCV, imported only now."""
    from fkp_app.backends.onnx import predictor as backend

    return backend


def reference_module(name: str) -> "ModuleType":
    """A module of the PyTorch twin, imported only now."""
    import importlib

    try:
        return importlib.import_module(f"reference.{name}")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UsageError("--backend torch needs PyTorch: pip install 'numpynet-fkp[torch]'") from None
    except (ImportError, OSError) as error:
        raise FkpError(f"PyTorch is installed but cannot be loaded ({error}); install it again") from None
