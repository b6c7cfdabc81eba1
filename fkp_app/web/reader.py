"""Photos read in processes of their own: one that takes too long, or ends its process, stops nobody else."""

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
SECONDS = 15.0
"""A photo must be read within these."""
MEMORY = 4 << 30
"""Bytes of address space that reading may take."""
UNSAFE = ("TIFF", "JPEG2000")
"""Rare on pages, and in Pillow older than 13 with faults that a file can use. Gradio does not allow 13 yet."""
SAFE_PILLOW = 13

Result = TypeVar("Result")


class PhotoReader:
    """Reads photos with `read_image`, several at a time; to be closed."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self.closed = False
        """Whether the processes have ended, or are about to."""
        self._change = threading.Lock()
        self._pool = _new_pool()

    def work(self, photo: Path) -> tuple[int, int]:
        """How many pixels a file claims to have, and how many are gone through until it is read; 0 where it cannot be
        read, which `read` will say."""
        return self.run(photo, _work, photo)

    def read(self, photo: Path, notes: list[str], max_pixels: int) -> AnyArray:
        """The image in a file, and its notes, as `read_image` gives them. FkpError also where it takes too long."""
        image, said = self.run(photo, _read, photo, max_pixels)
        notes += said
        return image

    def run(self, photo: Path, work: Callable[..., Result], *arguments: object) -> Result:
        """What `work` gives for these arguments, in one of the processes. FkpError if it takes too long or ends it."""
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
        """Another pool in place of one that works no more, as where no process could be started."""
        with self._change:
            if self._pool is pool and not self.closed:
                self._pool = _new_pool()

    def close(self) -> None:
        """End the processes, whatever they are at."""
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
    scans = content.count(b"\xff\xda") if kind_of(content[:HEAD]) == "JPEG" else 1  # its preview's may be among them
    return width * height, width * height * max(1, scans)


def is_refused(kind: str | None, pillow: str) -> bool:
    """Whether the page reads no files of a kind with a version of Pillow."""
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
    """Where the system can do that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
