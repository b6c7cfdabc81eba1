"""Compiled code and its cache: whatever is wrong with the files, the function computes the right result."""

import importlib
import importlib.util
import os
import pickle
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numba.core import caching
from numba.core.dispatcher import Dispatcher

from numpynet import kernels
from numpynet.dispatch import F, ImplementationError, use
from numpynet.kernels import code_cache

SOURCE = """
from numpynet.kernels.code_cache import njit

@njit(nogil=True, cache=True)
def twice(x):
    return x + x
"""


@pytest.fixture
def twice(tmp_path, monkeypatch):
    """Imitates a new process: `twice()` returns a function that is not yet compiled or loaded."""
    (tmp_path / "loops.py").write_text(SOURCE)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr("numba.core.config.CACHE_DIR", "")

    def load():
        spec = importlib.util.spec_from_file_location("loops", tmp_path / "loops.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.twice

    return load


def locator(name):
    """One of Numba's classes that locate the cache; in older versions their names begin with _."""
    return getattr(caching, name, None) or getattr(caching, f"_{name}")


def files(folder, suffix):
    return sorted((folder / "__pycache__").glob(f"*.{suffix}"))


def hits(function):
    return sum(function.stats.cache_hits.values())


def rewritten(path, change):
    path.write_bytes(change(path.read_bytes()))


def test_every_kernel_is_compiled_this_way():
    """Except for functions that were made inside others: they are compiled into the kernels that call them."""
    found = 0
    for module in pkgutil.iter_modules(kernels.__path__, f"{kernels.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Dispatcher) and value.py_func.__closure__ is None:
                assert isinstance(value._cache, code_cache._Cache), f"{module.name}.{name}"
                found += 1
    assert found > 30


def test_code_is_kept_for_the_next_process(twice, tmp_path):
    first = twice()
    assert first(2.0) == 4.0
    assert hits(first) == 0
    assert code_cache.cache_folder(first) == tmp_path / "__pycache__"
    second = twice()
    assert second(2.0) == 4.0
    assert hits(second) == 1


DAMAGES = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "one bit": lambda data: data[:200] + bytes([data[200] ^ 4]) + data[201:],
    "zeros": lambda data: bytes(len(data)),
    "a block of zeros": lambda data: data[:64] + bytes(64) + data[128:],
    "text": lambda data: b"<html>not a cache</html>",
    "another pickle": lambda data: pickle.dumps({"a": 1}),
    "longer": lambda data: data + b"\0" * 40,
}


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_anew_and_replaced(twice, tmp_path, suffix, damage):
    assert twice()(2.0) == 4.0
    (path,) = files(tmp_path, suffix)
    rewritten(path, DAMAGES[damage])
    again = twice()
    assert again(2.0) == 4.0
    assert hits(again) == 0
    after = twice()
    assert after(2.0) == 4.0
    assert hits(after) == 1  # the damage is gone


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_folder_in_a_files_place(twice, tmp_path, suffix):
    assert twice()(2.0) == 4.0
    (path,) = files(tmp_path, suffix)
    path.unlink()
    path.mkdir()
    assert twice()(2.0) == 4.0
    assert twice()(3) == 6


def test_code_under_another_kinds_name_is_not_run(twice, tmp_path):
    """Two processes that compile at once may use the same file name, and only one index is kept."""
    function = twice()
    assert function(2.0) == 4.0
    assert function(3) == 6
    one, other = files(tmp_path, "nbc")
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    again = twice()
    assert again(2.0) == 4.0
    assert again(3) == 6
    np.testing.assert_array_equal(again(np.arange(3.0)), [0, 2, 4])


def test_files_of_another_numba_are_replaced(twice, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("numba.__version__", "0.1")
        assert twice()(2.0) == 4.0
    again = twice()
    assert again(2.0) == 4.0
    assert hits(again) == 0


def test_files_of_other_kernels_are_not_used(twice, monkeypatch):
    """A kernel that is compiled into another one may have changed in its own file."""
    with monkeypatch.context() as patch:
        patch.setattr(code_cache, "_sources", lambda: "other")
        assert twice()(2.0) == 4.0
    again = twice()
    assert again(2.0) == 4.0
    assert hits(again) == 0


def test_without_any_folder_it_compiles_all_the_same(twice, tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(locator("CacheLocator"), "ensure_cache_path", refuse)
    function = twice()
    assert function(2.0) == 4.0
    assert code_cache.cache_folder(function) is None
    assert not (tmp_path / "__pycache__").exists() or not files(tmp_path, "nbi")


def test_a_user_without_a_home_gets_no_folder_named_tilde(twice, tmp_path, monkeypatch):
    monkeypatch.setattr(code_cache, "HAS_HOME", False)
    monkeypatch.setattr(locator("InTreeCacheLocator"), "from_function", classmethod(lambda *_: None))
    made = []
    monkeypatch.setattr(locator("UserWideCacheLocator"), "ensure_cache_path", lambda self: made.append(self))
    function = twice()
    assert function(2.0) == 4.0
    assert code_cache.cache_folder(function) is None
    assert made == []


def test_a_disk_that_is_full_when_code_is_saved(twice, tmp_path, monkeypatch):
    def full(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_open_for_write", full)
    assert twice()(2.0) == 4.0
    assert files(tmp_path, "nbi") == []


def test_a_folder_named_by_the_user_that_is_a_file(twice, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "file"))
    function = twice()
    assert function(2.0) == 4.0
    assert code_cache.cache_folder(function) == tmp_path / "__pycache__"


STUBS = {
    "other NumPy": ("raise ImportError('Numba needs NumPy 2.2 or less.\\n Got NumPy 2.4.')", "Numba needs NumPy 2.2"),
    "binary": ("raise SystemError('initialization of _internal failed')", "initialization of _internal failed"),
    "attribute": ("raise AttributeError('_ARRAY_API not found')", "_ARRAY_API not found"),
    "no text": ("raise RuntimeError", "RuntimeError"),
    "empty package": ("", "No module named 'numba.core'"),
}


@pytest.mark.parametrize("stub", STUBS)
def test_a_numba_that_cannot_be_loaded_is_one_clear_error(tmp_path, stub):
    content, reason = STUBS[stub]
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text(content)
    code = (
        "import numpynet\n"
        "try: numpynet.use('fast')\n"
        "except ValueError as error: print(type(error).__name__, error)\n"
        "print(numpynet.dispatch.F.__name__)"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONPATH": path, "NUMPYNET_OPS": "readable"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    error, module = ended.stdout.splitlines()
    assert error.startswith("ImplementationError use: 'fast' cannot be used here: Numba cannot be loaded (")
    assert reason in error
    assert module == "numpynet.functional"


def test_the_implementation_stays_if_the_fast_one_cannot_be_loaded(monkeypatch):
    with use("readable"):
        before = F.__name__
        monkeypatch.setitem(sys.modules, "numpynet.kernels", None)  # makes its import fail
        with pytest.raises(ImplementationError, match="'fast' cannot be used here"):
            use("fast")
        assert F.__name__ == before


LOOPS = """
import sys
import time
import numpy as np
from numpynet.kernels.code_cache import njit
from numpynet.kernels.vector_loops import pixel_loop


def times(factor):
    def rule(x):  # so long that the compiler does not put it into the functions that call it
        y = x
        for _ in range(300):
            y = y * x + x
        return (y * 0 + x * factor,)
    return rule


loop_2, loop_3 = pixel_loop(times(2)), pixel_loop(times(3))


@njit(nogil=True, cache=True)
def twice(x):
    for k in range(0, x.size, 8):
        loop_2(1, 8, (x, k, 0), (x, k, 0), (), ())
    loop_2(1, 0, (x, 0, 0), (x, 0, 0), (), ())


@njit(nogil=True, cache=True)
def thrice(x):
    for k in range(0, x.size, 8):
        loop_3(1, 8, (x, k, 0), (x, k, 0), (), ())
    loop_3(1, 0, (x, 0, 0), (x, 0, 0), (), ())


x = np.full(16, 0.5)
for name in sys.argv[1:]:
    globals()[name](x)
print(2 * x[0])
"""


def test_loops_that_were_compiled_in_different_processes_do_not_take_each_others_places(tmp_path):
    """Both are the first loop that their process compiles, so Numba gives both the same number."""
    (tmp_path / "loops.py").write_text(LOOPS)
    root = Path(kernels.__file__).parents[2]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(root)}

    def printed(*names):
        command = [sys.executable, tmp_path / "loops.py", *names]
        return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)

    assert (printed("twice"), printed("thrice"), printed("twice", "thrice"), printed("thrice", "twice")) == (2, 3, 6, 6)


COLD = """
import sys, time
from pathlib import Path
import numpy as np
import numpynet
from numpynet.dispatch import F

numpynet.use("fast")
folder, name = Path(sys.argv[1]), sys.argv[2]
(folder / name).touch()
while not (folder / "go").exists():
    time.sleep(0.01)
x = np.random.default_rng(0).standard_normal((2, 3, 16, 16), np.float32)
for _ in range(2):
    pooled, _ = F.max_pool2d(x, 2)
    out, _ = F.relu(pooled)
np.save(folder / f"{name}.npy", out)
"""


def test_processes_that_all_find_an_empty_cache_compute_the_right_result(tmp_path):
    """Six compile the same functions at once and save them to the same files; a seventh uses what they have saved."""
    root, cache = Path(kernels.__file__).parents[2], tmp_path / "cache"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(root)}
    x = np.random.default_rng(0).standard_normal((2, 3, 16, 16), np.float32)
    expected = np.maximum(x.reshape(2, 3, 8, 2, 8, 2).max(axis=(3, 5)), 0)

    def started(name):
        command = [sys.executable, "-c", COLD, str(tmp_path), name]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    six = {name: started(name) for name in "abcdef"}
    try:
        deadline = time.monotonic() + 120
        while not all((tmp_path / name).exists() for name in six) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert list(cache.rglob("*.nb*")) == []
        (tmp_path / "go").touch()
        said = {name: process.communicate(timeout=300)[1] for name, process in six.items()}
    finally:
        for process in six.values():
            process.kill()
    assert said == dict.fromkeys(six, "")
    kept = {path: path.read_bytes() for path in cache.rglob("*.nb*")}
    assert len(kept) >= 2
    seventh = started("g")
    assert seventh.communicate(timeout=300)[1] == ""
    assert {path: path.read_bytes() for path in cache.rglob("*.nb*")} == kept  # it had nothing to compile
    for name, process in (six | {"g": seventh}).items():
        assert process.returncode == 0
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected)
