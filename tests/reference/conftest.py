"""Leaves these tests out if PyTorch is not installed, and says so at the end of the run."""

from importlib.util import find_spec
from typing import Any

from tests.one_thread import one_thread as one_thread

HAVE_TORCH = find_spec("torch") is not None
collect_ignore_glob = [] if HAVE_TORCH else ["test_*.py"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say why no test of this folder ran."""
    if not HAVE_TORCH:
        terminalreporter.section("tests/reference was left out: PyTorch, which it is about, is not installed")
