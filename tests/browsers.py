"""The distribution's browser, without a screen, for tests of pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def script(path: Path) -> str:
    """The function in a file of JavaScript, without the comments above it."""
    return "\n".join(line for line in path.read_text("utf-8").splitlines() if not line.startswith("//"))


LOW_CONTRAST = script(Path(__file__).parent / "contrast.js")
"""For `page.evaluate`: the texts that stand out too little, as sentences."""


@contextmanager
def launched(*options: str) -> Iterator[Any]:
    """A running browser. Skips the test if playwright or the browser is missing. options: of the command line."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install playwright)"
    )
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"there is no browser: none of {', '.join(BROWSERS)} is on the path")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=executable, args=["--no-sandbox", *options], headless=True)
