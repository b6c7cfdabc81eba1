"""NumPy or PyTorch: the one place where the two meet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from fkp_app.errors import FkpError, UsageError
from numpynet.checkpoint import WeightsCard, load_net
from numpynet.fuse import fuse
from numpynet.typing import AnyArray, Array
from numpynet.workers import set_threads

if TYPE_CHECKING:
    from types import ModuleType

BackendName = Literal["numpy", "torch"]
BACKENDS: tuple[BackendName, ...] = get_args(BackendName)

LossName = Literal["smooth_l1", "mse"]

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "compact.safetensors"


@dataclass(frozen=True)
class Predictor:
    """A network ready to use: `forward` turns crops (N, 1, S, S) float32 into its outputs (N, 136) float32."""

    backend: BackendName
    card: WeightsCard
    forward: Callable[[Array], Array]

    def __call__(self, crops: Array) -> Array:
        return self.forward(crops)

    def keypoints(self, crops: Array) -> Array:
        """Keypoints (N, 68, 2), in pixels of the crop, for crops (N, 1, S, S)."""
        return to_keypoints(self(crops), self.card)


class Trainer(Protocol):
    """What training needs of a backend: `numpynet.training.Trainer` or its twin `reference.training.Trainer`."""

    def train_step(self, images: Array, targets: Array) -> float: ...

    def train(self, mode: bool = True) -> object: ...

    def predict(self, images: Array) -> Array: ...

    def weights(self) -> dict[str, AnyArray]: ...

    def state(self) -> dict[str, AnyArray]: ...

    def load_state(self, state: dict[str, AnyArray]) -> None: ...


def to_keypoints(outputs: Array, card: WeightsCard) -> Array:
    """Outputs or targets (N, 136) in the card's normalised units as keypoints (N, 68, 2) in pixels of the crop."""
    return outputs.reshape(-1, 68, 2) * np.float32(card.keypoint_scale) + np.float32(card.keypoint_offset)


def limit_threads(backend: str, threads: int | None) -> None:
    """Use so many threads from here on, in the whole process; as many as there are cores where it is None."""
    if threads is None:
        return
    if threads < 1:
        raise UsageError(f"--threads must be at least 1, got {threads}")
    if backend == "torch":
        _reference("backend").set_threads(threads)
    threadpool_limits(limits=threads)
    set_threads(threads)


def get_predictor(backend: str = "numpy", weights: Path | None = None, threads: int | None = None) -> Predictor:
    """The network in a weights file (the shipped one where None), run by "numpy" or "torch".

    UsageError where the backend is unknown or not installed, numpynet.CheckpointError where the file is bad.
    """
    path = SHIPPED_WEIGHTS if weights is None else weights
    limit_threads(check_backend(backend), threads)
    if backend == "torch":
        predictor = _reference("backend").TorchPredictor(path)
        return Predictor("torch", predictor.card, predictor)
    net, card = load_net(path)
    return Predictor("numpy", card, fuse(net))


def get_trainer(
    backend: str, arguments: dict[str, Any], loss: LossName, lr: float, seed: int, fused: bool = False
) -> Trainer:
    """A KeypointNet of these constructor `arguments` with fresh weights, its loss and Adam.

    Both backends begin with the same weights: numpynet draws them. fused: whether numpynet fuses the network's layers.
    UsageError as in `get_predictor`.
    """
    from numpynet.losses import MSELoss, SmoothL1Loss
    from numpynet.models import KeypointNet
    from numpynet.optim import Adam
    from numpynet.training import Trainer as NumpyTrainer

    net = KeypointNet(**arguments, rng=seed)
    if check_backend(backend) == "torch":
        torch_trainer: Trainer = _reference("training").make_trainer(net.state_dict(), arguments, loss, lr, seed)
        return torch_trainer
    criterion = SmoothL1Loss() if loss == "smooth_l1" else MSELoss()
    trained = fuse(net, input_gradient=False) if fused else net
    return NumpyTrainer(trained, criterion, Adam(net.parameters(), lr=lr))


def check_backend(backend: str) -> str:
    """`backend`, if it is one and installed; UsageError otherwise."""
    if backend not in BACKENDS:
        raise UsageError(f"--backend must be one of {', '.join(BACKENDS)}, got {backend}")
    if backend == "torch":
        _reference("backend")
    return backend


def _reference(name: str) -> "ModuleType":
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
