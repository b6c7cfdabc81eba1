"""The predictor of the backend onnx: OpenCV's dnn module runs the network."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from fkp_app.backends.onnx.card import is_onnx, load_onnx
from fkp_app.backends.onnx.network import INPUT, OUTPUT, OUTPUTS
from fkp_app.errors import UsageError
from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import CheckpointError, load_net
from numpynet.typing import Array


class OnnxPredictor:
    """Crops (N, 1, S, S) float32 -> the network's raw outputs (N, 136) float32; S is the card's input_size.

    weights: a file that `fkp export --onnx` wrote, which needs OpenCV only; or a safetensors file, which the package
    onnx converts in memory.

    Threads may share a predictor. OpenCV's network keeps the arrays of a forward pass, so one pass runs at a time.

    CheckpointError if the file cannot be used, UsageError if the package onnx is needed and missing.
    """

    def __init__(self, weights: str | Path) -> None:
        path = Path(weights)
        data, self.card = load_onnx(path) if is_onnx(path) else _exported(path)
        self._lock = threading.Lock()
        try:
            with _silent():
                self._net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
                self(np.zeros((1, 1, self.card.input_size, self.card.input_size), np.float32))
        except (cv2.error, MemoryError) as error:
            reason = " ".join(str(error).split())
            raise CheckpointError(
                f"{path}: OpenCV {cv2.__version__} cannot run it ({reason}); export it again"
            ) from None

    def __call__(self, crops: Array) -> Array:
        side = self.card.input_size
        if crops.shape[1:] != (1, side, side):
            raise ValueError(f"OnnxPredictor: crops must have shape (N, 1, {side}, {side}), got {crops.shape}")
        if not len(crops):
            return np.empty((0, OUTPUTS), np.float32)
        with self._lock:
            self._net.setInput(np.ascontiguousarray(crops, np.float32), INPUT)
            return np.array(self._net.forward(OUTPUT), np.float32)  # a copy: OpenCV may reuse its own in the next pass


def set_threads(threads: int) -> None:
    """Set the number of threads that OpenCV uses from now on, in the whole process."""
    cv2.setNumThreads(threads)


def _exported(path: Path) -> tuple[bytes, CropCard]:
    """The network of a safetensors file as the bytes of an ONNX file, and its card."""
    from fkp_app.backends.onnx.export import import_onnx, to_onnx

    net, read = load_net(path)
    card = CropCard.of(read, path)
    try:
        import_onnx()
    except UsageError:
        raise UsageError(
            "--backend onnx needs the package onnx for a .safetensors file: pip install 'numpynet-fkp[onnx]', "
            "or give --weights a file that `fkp export --onnx` wrote"
        ) from None
    return to_onnx(net, card), card


@contextmanager
def _silent() -> Iterator[None]:
    """Keep OpenCV from printing the errors that it raises: the user reads one line, and that is ours."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
