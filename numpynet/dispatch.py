"""F: the functions that the layers call, readable or fast, and the one switch between the two.

    numpynet.use("fast")                # from here on
    with numpynet.use("readable"): ...  # until the end of the block
    NUMPYNET_OPS=fast python ...        # for a whole process

`F.conv2d(...)` calls `numpynet.functional.conv2d` or `numpynet.kernels.conv2d`, whichever is chosen at the moment of
the call. An implementation is a module with every name of `numpynet.functional`, with the same signatures. Only the
implementation that made a cache can read it: switch between steps, not between forward and backward.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpynet import functional as F

IMPLEMENTATIONS = {"readable": "numpynet.functional", "fast": "numpynet.kernels"}
VARIABLE = "NUMPYNET_OPS"

_chosen: Any = None


class ImplementationError(ValueError):
    """The implementation named in `use` or in the environment does not exist, or cannot be used here."""


def use(name: str) -> AbstractContextManager[None]:
    """Choose the implementation for the whole process, at once; as a context manager, until the end of the block.

    ImplementationError if there is none of that name, and for "fast" if Numba is missing or does not fit NumPy.
    """
    before = _implementation()
    _choose(name)
    return _back_to(before)


def _implementation() -> Any:
    """The chosen module; before the first choice, the one that the environment names."""
    if _chosen is None:
        _choose(os.environ.get(VARIABLE, "readable"), VARIABLE)
    return _chosen


def _choose(name: str, asked_by: str = "use") -> None:
    if not isinstance(name, str) or name not in IMPLEMENTATIONS:
        raise ImplementationError(f"{asked_by}: choose one of {', '.join(map(repr, IMPLEMENTATIONS))}, got {name!r}")
    try:
        module = importlib.import_module(IMPLEMENTATIONS[name])
    except ImportError as error:
        raise ImplementationError(f"{asked_by}: {name!r} cannot be used here: {error}; 'readable' can") from error
    _switch_to(module)


def _switch_to(module: Any) -> None:
    """Call `deactivate` of the old implementation and `activate` of the new one, if they have such functions."""
    global _chosen
    if module is _chosen:
        return
    if hasattr(_chosen, "deactivate"):
        _chosen.deactivate()
    _chosen = module
    if hasattr(_chosen, "activate"):
        _chosen.activate()


@contextmanager
def _back_to(module: Any) -> Iterator[None]:
    try:
        yield
    finally:
        _switch_to(module)


class _Chosen:
    """Looks each name up in the chosen implementation: `F.__name__` is that module's name."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_implementation(), name)


if not TYPE_CHECKING:  # an editor and mypy see numpynet.functional
    F = _Chosen()
