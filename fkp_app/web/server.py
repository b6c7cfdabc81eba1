"""The page's server: its address and its private folder, which is gone when it ends."""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import threading
import webbrowser
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from fkp_app.errors import UsageError
from fkp_app.web.folder import remove
from fkp_app.web.limits import is_this_machine

if TYPE_CHECKING:
    from fkp_app.web.reader import PhotoReader

LOCAL = frozenset(["localhost", "127.0.0.1", "::1"])
MISSING = "`fkp web` needs Gradio: pip install 'numpynet-fkp[web]'"
GRACE = 5.0
"""Seconds in which photos that are worked on may be done with when the page is told to end."""
M_MMAP_THRESHOLD = -3
"""As <malloc.h> numbers it."""
MAX_CONNECTIONS = 500
"""Each open page holds two."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any free one. UsageError where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=128)
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"--host {host}: is no address that is known; choose 127.0.0.1") from None
    except PermissionError:
        raise UsageError(f"--port {port}: is reserved for the system; choose one above 1023") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(f"--host {host}: is not an address of this machine; choose 127.0.0.1") from None
        raise UsageError(f"--port {port}: is in use; choose another, or 0 for any free one") from None


def is_local(host: str) -> bool:
    """Whether only this machine reaches that address."""
    return host in LOCAL or is_this_machine(host)


def serve(
    listening: socket.socket, host: str, folder: Path, weights: Path | None, threads: int | None, show: bool
) -> None:
    """Build the page and answer requests until a signal ends it. show: open a browser.

    UsageError where Gradio is not installed; errors of the weights as in `backends.get_predictor`.
    """
    try:
        import gradio  # noqa: F401
        import pebble  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        if error.name not in ("gradio", "pebble", "uvicorn"):
            raise
        raise UsageError(MISSING) from None
    from fkp_app.web.page import application
    from fkp_app.web.photo import SharedFinder
    from fkp_app.web.reader import PhotoReader

    give_memory_back()
    local, served = is_local(host), threading.Event()
    finder = SharedFinder(weights, threads)
    address = f"http://{_written(host)}:{listening.getsockname()[1]}/"

    class Server(uvicorn.Server):
        """Says so when it is ready; told to end, it ends, whatever is still worked on."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _announce(address, local, show)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            timer = threading.Timer(GRACE, _end, (sig, folder, reader, served))
            timer.daemon = True
            timer.start()

    # What goes wrong the gate says in one line; at the end, pages that are still open are cut off after a second.
    with PhotoReader() as reader:
        app = application(finder, reader, folder, LOCAL | {host} if local else None)
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        try:
            Server(config).run(sockets=[listening])
        finally:
            served.set()


def give_memory_back() -> None:
    """Have memory of a megabyte and more returned to the system when it is free.

    glibc keeps it for the thread that had it, once such sizes were freed before: photos then hold what a dozen threads
    needed for theirs at different times. Other systems have no such setting.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


def _end(sig: int, folder: Path, reader: "PhotoReader", served: threading.Event) -> None:
    """End the process at once: a search cannot be broken off, and at its own end Python would wait for it.

    served: set where the command has gone on to its own last words.
    """
    closing = threading.Thread(target=reader.close, daemon=True)
    closing.start()
    closing.join(GRACE)  # and not longer: its processes end with this one
    remove(folder)
    if sig == signal.SIGINT and not served.is_set():
        typer.echo("fkp: stopped", err=True)
    os._exit(128 + sig)


def _announce(address: str, local: bool, show: bool) -> None:
    typer.echo(f"The page is at {address} (Ctrl-C ends it)")
    if not local:
        typer.echo("fkp: everybody who can reach this machine can use the page; it asks for no password", err=True)
    if show:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _written(host: str) -> str:
    """A host as it stands in an address that a browser can open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
