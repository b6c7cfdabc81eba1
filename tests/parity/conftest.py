"""Prints, at the end of a run, how much of each tolerance the parity tests used."""

from collections.abc import Generator
from importlib.util import find_spec
from typing import Any

import pytest

from tests.one_thread import one_thread as one_thread

HAVE_TORCH = find_spec("torch") is not None
collect_ignore_glob = [] if HAVE_TORCH else ["test_*.py"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put the test's comparisons into its report, which reaches this process even if another ran the test (-n)."""
    from tests.parity.helper import comparisons

    comparisons.clear()
    try:
        return (yield)
    finally:
        item.user_properties += [("parity", comparison) for comparison in comparisons]


@pytest.fixture(autouse=True)
def _same_weights_every_time() -> None:
    """Seed PyTorch's global generator, from which its layers draw their first weights."""
    import torch

    torch.manual_seed(0)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One row per operation, dtype and kind: number of comparisons, largest difference, tolerance, share of it."""
    if not HAVE_TORCH:
        terminalreporter.section("tests/parity was left out: PyTorch, which it compares with, is not installed")
    rows: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for report in [r for reports in terminalreporter.stats.values() for r in reports]:
        if getattr(report, "when", None) == "call":
            for name, value in report.user_properties:
                if name == "parity":
                    operation, dtype, kind, difference, limit = value
                    rows.setdefault((operation, dtype, kind), []).append((difference, limit))
    if not rows:
        return
    terminalreporter.section("parity with PyTorch: largest relative difference and tolerance")
    for (operation, dtype, kind), entries in sorted(rows.items()):
        difference, limit = max(d for d, _ in entries), entries[0][1]
        terminalreporter.write_line(
            f"{operation:24} {dtype:8} {kind:9} {len(entries):5} compared  "
            f"{difference:9.2e} of {limit:7.0e}  {difference / limit:7.2%}"
        )
