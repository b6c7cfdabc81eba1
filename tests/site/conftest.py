"""The site, built once for all tests."""

import fcntl
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Build:
    """A built site: the folder of the pages, and what Sphinx said."""

    pages: Path
    failed: bool
    said: str


def build(source: Path, out: Path) -> Build:
    """Run Sphinx as `make docs` does, on the repository or on a copy of it."""
    for module in ("sphinx", "myst_parser", "furo", "latex2mathml"):
        pytest.importorskip(module, reason=f"{module} is not installed (the extra `docs`)")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-E",
        "-a",
        "-W",
        "-n",
        "--keep-going",
        "-c",
        "docs/site",
    ]
    command += ["-d", str(out / "cache"), ".", str(out / "pages")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])}
    result = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    return Build(out / "pages", result.returncode != 0, result.stdout + result.stderr)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The project's site. Parallel workers share it: the first one builds it, the others wait."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    out, said = folder / "site", folder / "site.txt"
    with (folder / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            result = build(ROOT, out)
            said.write_text(f"{result.failed:d}{result.said}", "utf-8")
        text = said.read_text("utf-8")
    return Build(out / "pages", text[0] == "1", text[1:])
