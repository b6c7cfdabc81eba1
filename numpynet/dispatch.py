"""Which implementation of the operations the layers call: one place, one switch.

    numpynet.use("fast")                # from here on
    with numpynet.use("readable"): ...  # and back afterwards
    NUMPYNET_OPS=fast python ...        # for a whole process

An implementation is a module that holds every name of `numpynet.functional` with the same signatures. A cache
belongs to the implementation that made it: switch between steps, not between forward and backward.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

IMPLEMENTATIONS = {"readable": "numpynet.functional", "fast": "numpynet.kernels"}
VARIABLE = "NUMPYNET_OPS"

_chosen: Any = None


class ImplementationError(ValueError):
    """An implementation, given to `use` or in the environment, that there is not, or that cannot be used here."""


def ops() -> Any:
    """The module whose functions the layers call at this moment."""
    if _chosen is None:
        _choose(os.environ.get(VARIABLE, "readable"), VARIABLE)
    return _chosen


def use(name: str) -> AbstractContextManager[None]:
    """Choose the implementation for the whole process, at once; as a context manager, until its end.

    ImplementationError where there is none of that name, and for "fast" where Numba is missing or does not fit NumPy.
    """
    before = ops()
    _choose(name)
    return _back_to(before)


def _choose(name: str, asked_by: str = "use") -> None:
    if not isinstance(name, str) or name not in IMPLEMENTATIONS:
        raise ImplementationError(f"{asked_by}: choose one of {', '.join(map(repr, IMPLEMENTATIONS))}, got {name!r}")
    try:
        module = importlib.import_module(IMPLEMENTATIONS[name])
    except ImportError as error:
        raise ImplementationError(f"{asked_by}: {name!r} cannot be used here: {error}; 'readable' can") from error
    _enter(module)


def _enter(module: Any) -> None:
    """Make it the chosen one. A module may want to know: `activate` and `deactivate`, if it has them."""
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
        _enter(module)
