"""Photos are read in separate processes: a photo that takes too long or ends its process stops nobody else."""

import contextlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as ReadTimeoutError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import PIL
from pebble import ProcessExpired, ProcessPool

from fkp_app.errors import FkpError
from fkp_app.media.images import ImageError, read_image
from fkp_app.media.images.formats import HEAD, kind_of
from fkp_app.media.images.reading import read_head
from numpynet.typing import AnyArray

WORKERS = 2
"""Number of processes that read photos."""
SECONDS = 15.0
"""Seconds within which a photo must be read."""
MEMORY = 4 << 30
"""Bytes of address space that a process may take."""
UNSAFE = ("TIFF", "JPEG2000")
"""Formats that are rare on pages. Pillow before 13 has faults in them that a file can exploit; Gradio does not allow 13
yet."""
SAFE_PILLOW = 13

T = TypeVar("T")


class PhotoReader:
    """Reads photos with `read_image`, several at a time. Close it after use."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self.closed = False
        """Whether the processes have ended or are about to end."""
        self._change = threading.Lock()
        self._pool = _new_pool()

    def work(self, photo: Path) -> tuple[int, int]:
        """The number of pixels that a file states, and the number of pixels decoded to read it.

        Both are 0 if it cannot be read; `read` then says why.
        """
        return self.run(photo, _work, photo)

    def read(self, photo: Path, notes: list[str], max_pixels: int) -> AnyArray:
        """The image in a file, as `read_image` gives it. FkpError also if it takes too long."""
        image, said = self.run(photo, _read, photo, max_pixels)
        notes += said
        return image

    def run(self, photo: Path, work: Callable[..., T], *arguments: object) -> T:
        """Call `work` in one of the processes. FkpError if it takes too long or ends the process."""
        pool = self._pool
        try:
            return pool.schedule(work, args=arguments, timeout=self._seconds).result()
        except ReadTimeoutError:
            raise FkpError(
                f"{photo}: cannot be read within {self._seconds:.0f} seconds; save it anew, as a plain JPEG or PNG"
            ) from None
        except (ProcessExpired, MemoryError):
            raise FkpError(f"{photo}: cannot be read; it takes too much memory or is damaged") from None
        except (BrokenProcessPool, CancelledError, RuntimeError):
            if self.closed:
                raise FkpError(f"{photo}: the page is about to end") from None
            if pool.active:
                raise
            self._renew(pool)
            raise FkpError(f"{photo}: was not read, since the system ended the page's processes; try again") from None

    def _renew(self, pool: ProcessPool) -> None:
        """Replace a pool that no longer works, for example because no process could be started."""
        with self._change:
            if self._pool is pool and not self.closed:
                self._pool = _new_pool()

    def close(self) -> None:
        """End the processes at once."""
        with self._change:
            self.closed = True
        self._pool.stop()
        self._pool.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _new_pool() -> ProcessPool:
    return ProcessPool(WORKERS, context=get_context("spawn"), initializer=_limit_memory)


def _work(photo: Path) -> tuple[int, int]:
    try:
        width, height, _ = read_head(photo)
        content = photo.read_bytes()
    except (ImageError, OSError):
        return 0, 0
    scans = (
        content.count(b"\xff\xda") if kind_of(content[:HEAD]) == "JPEG" else 1
    )  # may count those of its preview, too
    return width * height, width * height * max(1, scans)


def is_refused(kind: str | None, pillow: str) -> bool:
    """Whether the page refuses files of this kind with this version of Pillow."""
    major = re.match(r"\d+", pillow)
    return kind in UNSAFE and not (major and int(major[0]) >= SAFE_PILLOW)


def _read(photo: Path, max_pixels: int) -> tuple[AnyArray, list[str]]:
    notes: list[str] = []
    with contextlib.suppress(OSError), photo.open("rb") as file:
        kind = kind_of(file.read(HEAD))
        if is_refused(kind, PIL.__version__):
            name = "JPEG 2000" if kind == "JPEG2000" else kind
            raise ImageError(f"{photo}: is {name}, which this page does not read; save it as JPEG or PNG")
    return read_image(photo, notes, max_pixels), notes


def _limit_memory() -> None:
    """Limit the memory of this process, if the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
