"""`njit` as in Numba, with a cache on disk that can fail without stopping the program.

Numba keeps compiled code in files, so that a process need not compile for half a minute before its first step. Numba
itself raises, at every start, if there is no folder for the files, the disk is full, or a file is damaged, cut off or
belongs to somebody else. Here the code is compiled again in all these cases.
"""

import functools
import hashlib
import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import numba
    from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
except Exception as error:  # a Numba and a NumPy that do not fit may raise anything
    reason = " ".join(str(error).split()) or type(error).__name__
    raise ImportError(f"Numba cannot be loaded ({reason})", name="numba") from error

DISABLED = bool(vars(numba.config)["DISABLE_JIT"])
"""Whether NUMBA_DISABLE_JIT=1 is set: nothing is compiled then."""
DIGEST = hashlib.sha256().digest_size
HAS_HOME = Path(os.path.expanduser("~")).is_absolute()  # noqa: PTH111 (Path's raises where there is none)
"""Without a home, Numba would make a folder named "~" in the working directory."""

_inner = Counter[str]()
"""How many functions `njit_inner` compiled of each name. All of a name belong to one module, so that every process
makes them in the same order.
"""


class DamagedError(Exception):
    """A file of the cache differs from what was written."""


class _Files(IndexDataCacheFile):
    """A function's files. Each ends with its checksum, since damaged machine code would crash the process, or worse.

    A file holds the code and the key it was compiled for: two processes that compile at once may pick the same name.
    """

    def save(self, key: Any, data: Any) -> None:
        super().save(key, (key, data))

    def load(self, key: Any) -> Any:
        found = super().load(key)
        if found is not None and found[0] != key:
            raise DamagedError
        return found and found[1]

    def _load_index(self) -> Any:
        _check(self._index_path)
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        _check(self._data_path(name))
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[BinaryIO]:
        content = io.BytesIO()
        yield content
        with super()._open_for_write(filepath) as file:
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())


class _Place(CompileResultCacheImpl):
    """The folder of a function's files: NUMBA_CACHE_DIR, or beside the code, or the user's cache folder."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not HAS_HOME:
            self._locator_classes = [one for one in self._locator_classes if "UserWide" not in one.__name__]
        super().__init__(function)


class _Cache(FunctionCache):
    """A function's compiled code on disk. RuntimeError or OSError if there is no folder for it."""

    _impl_class = _Place

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), _sources())
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling what is no pickle may raise anything
            with suppress(Exception):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(sig, data)


def njit(*, cache: bool, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As numba.njit with these options; without the cache if there is no folder for it."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache:
            with suppress(Exception):  # RuntimeError, or whatever Numba met on the way
                dispatcher._cache = _Cache(function)
        return dispatcher

    return compiled


def njit_inner(function: Callable[..., Any], name: str) -> Any:
    """A function that was made inside another, compiled as part of those that call it, under a name of its own.

    In a process that loads compiled code from several files, a name stands for one function. Numba adds numbers to the
    names, but they are those of the process that compiled: functions of the same name could take each other's places.
    """
    _inner[name] += 1
    function.__qualname__ = f"{name}.{_inner[name]}"
    return njit(nogil=True, cache=False)(function)


def cache_folder(dispatcher: Any) -> Path | None:
    """The folder of a compiled function's code; None if every process compiles it."""
    path = dispatcher._cache.cache_path
    return None if path is None else Path(path)


@functools.cache
def _sources() -> str:
    """A checksum of all kernels. One is compiled into another, but Numba checks only the file of the outer one."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _check(path: str) -> None:
    """DamagedError if a file differs from what `_Files` wrote. No file is no error."""
    with suppress(FileNotFoundError):
        content = Path(path).read_bytes()
        if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
            raise DamagedError(path)
