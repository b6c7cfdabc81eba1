"""Which tests watch over which file: those that a mutant of it must not survive."""

from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "numpynet"

Stage = tuple[str, ...]
"""Arguments of one pytest run."""


@dataclass(frozen=True)
class Target:
    """A file to mutate and the runs of pytest that it must pass, the quickest first."""

    path: Path
    stages: tuple[Stage, ...]

    @property
    def module(self) -> str:
        """Its dotted name."""
        return ".".join(("numpynet", *self.path.relative_to(PACKAGE).with_suffix("").parts))


BY_DEFINITION = "tests/functional"
GRADCHECK = "tests/gradcheck/test_gradcheck.py"
ERRORS = ("tests/parity/test_refused.py", "tests/parity/test_empty.py")
ORDER = "tests/parity/test_memory_order.py"
SHARED = "tests/layers/test_shared.py"
STATES = "tests/training/test_states.py"


def _operation(name: str, words: str, parity: str) -> Target:
    return Target(
        PACKAGE / "functional" / f"{name}.py",
        ((BY_DEFINITION, GRADCHECK, "-k", words), (f"tests/parity/{parity}.py",), (*ERRORS, "-k", words)),
    )


def _layer(name: str, parity: str) -> Target:
    return Target(
        PACKAGE / "layers" / f"{name}.py",
        (("tests/layers/test_layers.py",), (GRADCHECK, "-k", "layers"), (f"tests/parity/{parity}.py",), ERRORS),
    )


def _kernel(name: str, words: str = "") -> Target:
    files = [f"tests/kernels/test_{what}.py" for what in ("small", "fallback")]
    files.append(f"tests/kernels/test_spoiled{'_adam' * (name == 'adam')}.py")
    return Target(PACKAGE / "kernels" / f"{name}.py", tuple((file, "-k", words or name) for file in files))


TARGETS = [
    _operation("linear", "linear", "test_linear"),
    _operation("relu", "relu", "test_relu"),
    _operation("flatten", "flatten", "test_flatten"),
    _operation("dropout", "dropout", "test_dropout"),
    _operation("losses", "mse_loss or smooth_l1 or wing", "test_losses"),
    _operation("upsample_nearest2d", "upsample", "test_hourglass_layers"),
    _operation("soft_argmax2d", "soft_argmax", "test_hourglass_layers"),
    _operation("windows", "conv2d or max_pool2d", "test_max_pool2d"),
    _operation("conv2d", "conv2d", "test_conv2d"),
    _operation("max_pool2d", "max_pool2d", "test_max_pool2d"),
    _operation("batch_norm", "batch_norm or running_update", "test_batch_norm"),
    Target(
        PACKAGE / "functional" / "conv_block.py",
        (("tests/layers/test_fuse.py", "-k", "readable"), ("tests/parity/test_conv_block.py",)),
    ),
    _operation("adam", "adam", "test_optim"),
    _operation("sgd", "sgd", "test_optim"),
    _layer("linear", "test_linear"),
    _layer("relu", "test_relu"),
    _layer("flatten", "test_flatten"),
    _layer("dropout", "test_dropout"),
    _layer("max_pool2d", "test_max_pool2d"),
    _layer("conv2d", "test_conv2d"),
    _layer("upsample", "test_hourglass_layers"),
    _layer("soft_argmax2d", "test_hourglass_layers"),
    _layer("batch_norm", "test_batch_norm"),
    _kernel("windows", "conv or strips"),
    _kernel("strips", "conv or strips"),
    _kernel("conv2d"),
    _kernel("conv_block"),
    _kernel("norm_relu", "conv_block"),
    _kernel("linear"),
    _kernel("rows", "linear or adam"),
    _kernel("adam"),
    _kernel("batch_norm"),
    _kernel("relu"),
    Target(
        PACKAGE / "kernels" / "made_for.py",
        (("tests/kernels/test_small.py", "-k", "relu or linear"), ("tests/kernels/test_spoiled.py", "-k", "dtype")),
    ),
    _kernel("max_pool2d"),
    Target(PACKAGE / "functional" / "arguments.py", (("tests/kernels/test_spoiled.py", "-k", "backward"),)),
    Target(PACKAGE / "layers" / "conv_block.py", (("tests/layers/test_fuse.py",),)),
    Target(PACKAGE / "fuse.py", (("tests/layers/test_fuse.py", "tests/layers/test_fuse_limits.py"),)),
    Target(PACKAGE / "kernels" / "soft_argmax2d.py", (("tests/kernels/test_soft_argmax2d.py",),)),
    Target(
        PACKAGE / "schedules.py",
        (
            ("tests/training/test_schedules.py",),
            ("tests/parity/test_schedules.py",),
            (*ERRORS, "-k", "lr or cycle or cos"),
        ),
    ),
    Target(
        PACKAGE / "averaging.py",
        (
            ("tests/training/test_averaging.py", SHARED, STATES),
            ("tests/parity/test_averaging.py",),
            (ORDER, *ERRORS, "-k", "average"),
        ),
    ),
    Target(PACKAGE / "lines.py", ((ORDER, "-k", "average or (moves_as_pytorchs and Adam and 5)"),)),
    Target(PACKAGE / "checks.py", (ERRORS, (STATES,), ("tests/layers/test_parameter.py",))),
    Target(PACKAGE / "states.py", ((STATES, "tests/layers/test_layers.py"),)),
    Target(PACKAGE / "training_state.py", ((STATES, "tests/training/test_trainer.py"),)),
    Target(PACKAGE / "factors.py", (("tests/training/test_factors.py",),)),
    Target(
        PACKAGE / "parameter.py",
        (
            ("tests/training/test_factors.py",),
            ("tests/layers/test_layers.py", "tests/layers/test_parameter.py", "-k", "not large_layer"),
        ),
    ),
    Target(PACKAGE / "losses.py", (("tests/layers/test_models.py",), ("tests/parity/test_losses.py",), ERRORS)),
    Target(
        PACKAGE / "optim.py",
        (
            ("tests/training/test_optim.py", SHARED, STATES),
            ("tests/training/test_factors.py", "-k", "readable or another"),
            ("tests/parity/test_optim.py",),
            (*ERRORS, "-k", "adam or sgd"),
            (ORDER, "-k", "read_only or (moves_as_pytorchs and Adam and 5)"),
        ),
    ),
]
