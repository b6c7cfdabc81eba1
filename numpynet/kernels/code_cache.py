"""`njit`, as Numba's, with a cache on disk that never stands in the way.

Numba keeps compiled code in files, so that a process need not compile for half a minute before its first step. Here
these files are a help and no more: where there is no folder to keep them in, a file is damaged, cut off or another's,
or the disk is full, the code is compiled anew. Numba itself would raise, at every start.
"""

import functools
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

try:
    import numba
    from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
except Exception as error:  # whatever a Numba and a NumPy that do not fit come up with
    reason = " ".join(str(error).split()) or type(error).__name__
    raise ImportError(f"Numba cannot be loaded ({reason})", name="numba") from error

DIGEST = hashlib.sha256().digest_size
HAS_HOME = Path(os.path.expanduser("~")).is_absolute()  # noqa: PTH111 (Path's raises where there is none)
"""Without one Numba would make a folder named "~" wherever the process happens to be."""


class DamagedError(Exception):
    """A file of the cache that is not as it was written."""


class _Files(IndexDataCacheFile):
    """A function's files, each with its checksum at its end: damaged machine code would end the process, or worse.

    With the code goes what it was compiled for: two processes that compile at once may both take the same name.
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
    """Where a function's files are: a folder beside the code, or the user's own, or where NUMBA_CACHE_DIR says."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not HAS_HOME:
            self._locator_classes = [one for one in self._locator_classes if "UserWide" not in one.__name__]
        super().__init__(function)


class _Cache(FunctionCache):
    """A function's compiled code on disk. RuntimeError or OSError where there is no place for it."""

    _impl_class = _Place

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), _sources())
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling what is not a pickle may raise
            with suppress(Exception):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(Exception):
            super().save_overload(sig, data)


def njit(*, cache: bool, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As numba.njit with these options; without the cache where there is no place for it."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache:
            with suppress(Exception):  # Numba says RuntimeError; what it meets on the way may be anything
                dispatcher._cache = _Cache(function)
        return dispatcher

    return compiled


def cache_folder(dispatcher: Any) -> Path | None:
    """Where a compiled function's code is kept; None where it is compiled in every process."""
    path = dispatcher._cache.cache_path
    return None if path is None else Path(path)


@functools.cache
def _sources() -> str:
    """A checksum of all kernels: one is compiled into another, and Numba itself looks only at the outer one's file."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _check(path: str) -> None:
    """DamagedError where a file is not as `_Files` wrote it. OK where there is none."""
    with suppress(FileNotFoundError):
        content = Path(path).read_bytes()
        if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
            raise DamagedError(path)
