"""SECURITY.md is true: the tests that it names exist, so do its limits; and nothing in the packages reads pickles."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")
PACKAGES = ("numpynet", "reference", "fkp_app", "benchmarks")
PICKLERS = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle"}
LOADERS = {"load", "hub.load", "jit.load"}
"""Functions of PyTorch that unpickle, unless `weights_only` is true."""


def unpicklings(text: str) -> Iterator[str]:
    """Each place of a Python text that reads a pickle, or may."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (f"line {node.lineno} imports {name}" for name in names if name.split(".")[0] in PICKLERS)
        if not isinstance(node, ast.Call):
            continue
        options = {option.arg: option.value for option in node.keywords}
        allowed = options.get("allow_pickle")
        if allowed is not None and not (isinstance(allowed, ast.Constant) and allowed.value is False):
            yield f"line {node.lineno} allows pickles"
        called = ast.unparse(node.func)
        only = options.get("weights_only")
        safe = isinstance(only, ast.Constant) and only.value is True
        if called.startswith("torch.") and called.removeprefix("torch.") in LOADERS and not safe:
            yield f"line {node.lineno} calls {called} without weights_only=True"
        if called in ("pd.read_pickle", "pandas.read_pickle", "__import__", "yaml.load"):
            yield f"line {node.lineno} calls {called}"


def test_no_module_reads_pickles():
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    assert len(files) > 200
    found = {path.relative_to(ROOT).as_posix(): list(unpicklings(path.read_text("utf-8"))) for path in files}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "from pickle import loads", "import numpy, dill.source", "import shelve as s"),
        *("np.load(path, allow_pickle=True)", "np.load(path, allow_pickle=flag)", "torch.load(path)"),
        *("torch.load(path, weights_only=False)", "torch.jit.load(path)", "pd.read_pickle(path)"),
    ],
)
def test_a_module_that_reads_pickles_is_named(line):
    assert len(list(unpicklings(f"def late():\n    {line}\n"))) == 1


def test_other_readers_are_no_pickles():
    text = "import json\nnp.load(path)\nnp.load(path, allow_pickle=False)\ntorch.load(path, weights_only=True)\n"
    assert list(unpicklings(text)) == []


def threats() -> list[str]:
    """The rows of the table of threats."""
    part = PAGE[PAGE.index("\n## Threats") :]
    return [line for line in part.splitlines() if line.startswith("| ") and "`tests/" in line]


def test_the_tests_that_the_threats_name_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 30
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


def test_each_threat_names_what_stops_it_and_a_test():
    assert len(threats()) > 25
    for line in threats():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 3
        assert all(cells)
        assert re.fullmatch(r"(`tests/[\w/]+\.py::\w+`(, )?)+", cells[2])


LIMITS = {
    "header 4 MiB": ("numpynet.tensors", "LONGEST_HEADER", 4 << 20),
    "16 axes": ("numpynet.tensors", "MOST_AXES", 16),
    "1 MiB (`LONGEST_CARD`)": ("numpynet.card", "LONGEST_CARD", 1 << 20),
    "32 levels": ("numpynet.strict_json", "DEEPEST", 32),
    "numbers of 32 digits": ("numpynet.strict_json", "LONGEST_NUMBER", 32),
    "2^25 numbers a layer": ("numpynet.architectures", "MOST_NUMBERS", 1 << 25),
    "2^30 weights": ("numpynet.init", "MOST_WEIGHTS", 1 << 30),
    "10,000 fields a message": ("fkp_app.backends.onnx.protobuf", "MOST_FIELDS", 10_000),
    "2^27 all values": ("fkp_app.backends.onnx.network", "MOST_VALUES", 1 << 27),
    "2^37 multiplications": ("fkp_app.backends.onnx.network", "MOST_WORK", 1 << 37),
    "256 MiB (`LARGEST`)": ("fkp_app.data.labels", "LARGEST", 256 << 20),
    "2^18 rows": ("fkp_app.data.csv_rows", "MOST_ROWS", 1 << 18),
    "4096 columns": ("fkp_app.data.csv_rows", "MOST_COLUMNS", 4096),
    "2^18 characters a row": ("fkp_app.data.csv_rows", "LONGEST_ROW", 1 << 18),
    "64 MiB (`LARGEST`)": ("fkp_app.data.labelled_photos", "LARGEST", 64 << 20),
    "2 GiB (`MAX_BYTES`), 250": ("fkp_app.media.images.reading", "MAX_BYTES", 2 << 30),
    "250 million pixels": ("fkp_app.media.images.reading", "MAX_PIXELS", 250_000_000),
    "JPEG 2000: 100": ("fkp_app.media.images.reading", "MAX_JPEG2000", 100_000_000),
    "a side of 100,000": ("fkp_app.media.images.reading", "MAX_SIDE", 100_000),
    "JPEG: 100 scans": ("fkp_app.media.images.jpeg", "MAX_SCANS", 100),
    "TIFF: 1000 pages": ("fkp_app.media.images.tiff", "MOST_PAGES", 1000),
    "8192 x 8192 pixels": ("fkp_app.media.video.codecs", "MAX_SIDE", 8192),
    "| 2 GiB (`MAX_BYTES`) |": ("fkp_app.media.spool", "MAX_BYTES", 2 << 30),
    "TOML 64 KiB": ("fkp_app.tables", "LARGEST_TOML", 64 << 10),
    "pictures 16 MiB": ("fkp_app.styles.picture", "MOST_BYTES", 16 << 20),
    "2048 x 2048 pixels": ("fkp_app.styles.picture", "MOST_SIDE", 2048),
    "config.json 1 MiB": ("fkp_app.training.run_files", "LARGEST_CONFIG", 1 << 20),
    "settings.json 64 KiB": ("fkp_app.pipeline.parts", "LONGEST_SETTINGS", 64 << 10),
    "a line 256 MiB": ("fkp_app.pipeline.parts", "LONGEST_LINE", 256 << 20),
    "20 MiB (`MAX_UPLOAD`)": ("fkp_app.web.limits", "MAX_UPLOAD", 20 << 20),
    "64 KiB (`MAX_JSON`)": ("fkp_app.web.limits", "MAX_JSON", 64 << 10),
    "60 seconds": ("fkp_app.web.limits", "SECONDS", 60.0),
}


@pytest.mark.parametrize("words", LIMITS)
def test_the_stated_limits_are_those_of_the_code(words):
    module, name, value = LIMITS[words]
    assert words in PAGE
    assert getattr(import_module(module), name) == value


def test_files_that_hold_limits_exist():
    table = PAGE[PAGE.index("| file | limits") : PAGE.index("\n## Threats")]
    named = re.findall(r"`((?:numpynet|fkp_app)/[\w/]+(?:\.py|/))`", table)
    assert len(named) > 12
    assert all((ROOT / name).exists() for name in named)
