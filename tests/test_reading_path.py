"""The reading path: the files that explain how the network learns import NumPy, plain Python and each other.

Nothing there may need what makes the network fast: Numba, threads, the kernels and their memory. Every import counts,
also one inside a function or below `if TYPE_CHECKING`.
"""

import ast
import shutil
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "numpynet"

PATH = ("functional", "init", "layers", "losses", "models", "module", "optim", "parameter", "schedules", "training")
"""What a learner reads: modules, or folders of modules."""

BESIDE = (
    *("averaging", "blocks", "checks", "dispatch", "divergence", "receptive_field", "record", "states"),
    *("training_state", "typing"),
)
"""What these import, and what must keep to the same rule."""

PLAIN = {
    "__future__", "abc", "collections", "collections.abc", "contextlib", "contextvars", "copy", "dataclasses", "enum",
    "functools", "itertools", "math", "numbers", "time", "typing",
}  # fmt: skip
"""Modules of the standard library that explain themselves."""

OWN = {"dispatch": {"importlib", "os"}, "training_state": {"json"}}
"""What one module alone needs: dispatch loads the chosen implementation, training_state saves random generators."""


def files(package: Path) -> dict[str, Path]:
    """The path of every module on the reading path, by its dotted name without the package's."""
    found = {}
    for name in PATH + BESIDE:
        folder, file = package / name, package / f"{name}.py"
        assert folder.is_dir() != file.is_file(), f"{name} must be a module or a folder of modules"
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [file]:
            parts = path.relative_to(package).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(node: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> list[str]:
    """The dotted names of the modules that an import statement may load."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    origin = node.module or ""
    if node.level:
        parts = f"numpynet.{module}".split(".")
        above = parts[: len(parts) - node.level + is_package]
        origin = ".".join([*above, *filter(None, [node.module])])
    if origin == "numpynet":  # `from numpynet import functional`: each name is a module
        return [f"numpynet.{alias.name}" for alias in node.names]
    return [origin]


def trespasses(package: Path) -> list[str]:
    """Every import that breaks the rule, as "file:line: name"."""
    path = files(package)
    allowed = {f"numpynet.{name}" for name in path}
    found = []
    for module, file in path.items():
        plain = PLAIN | OWN.get(module, set())
        statements = ast.walk(ast.parse(file.read_text("utf-8")))
        for node in (node for node in statements if isinstance(node, ast.Import | ast.ImportFrom)):
            for name in imported(node, module, file.name == "__init__.py"):
                if not (name in plain or name in allowed or name.split(".")[0] == "numpy"):
                    found.append(f"{file.relative_to(package.parent)}:{node.lineno}: {name}")
    return found


def test_the_reading_path_imports_numpy_plain_python_and_itself():
    assert trespasses(PACKAGE) == []


def test_every_file_of_the_path_is_looked_at():
    """A path that finds no file would keep every rule."""
    found = files(PACKAGE)
    assert {"functional", "functional.conv2d", "optim", "parameter", "training", "dispatch"} <= set(found)
    assert len(found) >= len(PATH) + len(BESIDE) + len(list((PACKAGE / "functional").glob("*.py"))) - 2


PLANTED = [
    ("parameter.py", "from numpynet.kernels.factors import Factors", "numpynet.kernels.factors"),
    ("optim.py", "def f():\n    from numpynet.kernels.buffers import empty", "numpynet.kernels.buffers"),
    ("functional/adam.py", "import numba", "numba"),
    ("functional/conv2d.py", "from numpynet.workers import run", "numpynet.workers"),
    ("init.py", "if TYPE_CHECKING:\n    import threading", "threading"),
    ("training.py", "from concurrent.futures import ThreadPoolExecutor", "concurrent.futures"),
    ("module.py", "from numpynet import kernels", "numpynet.kernels"),
    ("losses.py", "from .kernels import linear", "numpynet.kernels"),
    ("functional/linear.py", "from ..workers import run", "numpynet.workers"),
    ("functional/__init__.py", "from ..kernels.adam import adam_update", "numpynet.kernels.adam"),
    ("schedules.py", "import json", "json"),
    ("models.py", "from . import fuse", "numpynet.fuse"),
]


@pytest.mark.parametrize(("place", "statement", "name"), PLANTED, ids=[place for place, *_ in PLANTED])
def test_a_planted_import_is_found_and_named(place, statement, name, tmp_path):
    package = tmp_path / "numpynet"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    clean = trespasses(package)
    file = package / place
    code = file.read_text("utf-8").rstrip("\n") + "\n"
    file.write_text(code + statement + "\n", "utf-8")
    line = code.count("\n") + statement.count("\n") + 1
    assert sorted(set(trespasses(package)) - set(clean)) == [f"numpynet/{place}:{line}: {name}"]
