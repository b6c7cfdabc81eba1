"""Which implementation of the operations the layers call: one place, one switch.

    numpynet.use("readable")            # from here on
    with numpynet.use("readable"): ...  # and back afterwards

An implementation is a module that holds every name of `numpynet.functional` with the same signatures. A cache
belongs to the implementation that made it: switch between steps, not between forward and backward.
"""

import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

IMPLEMENTATIONS = {"readable": "numpynet.functional"}

_chosen = "readable"


def ops() -> Any:
    """The module whose functions the layers call at this moment."""
    return importlib.import_module(IMPLEMENTATIONS[_chosen])


def use(name: str) -> AbstractContextManager[None]:
    """Choose the implementation for the whole process, at once; as a context manager, until its end.

    ValueError where there is none of that name.
    """
    global _chosen
    if name not in IMPLEMENTATIONS:
        raise ValueError(f"use: choose one of {', '.join(map(repr, IMPLEMENTATIONS))}, got {name!r}")
    before, _chosen = _chosen, name
    return _back_to(before)


@contextmanager
def _back_to(name: str) -> Iterator[None]:
    global _chosen
    try:
        yield
    finally:
        _chosen = name
