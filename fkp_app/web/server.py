"""The page's server: it listens, answers, and removes the private folder at its end."""

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
OPEN_TO_ALL = "everybody who can reach this machine can use the page; it asks for no password"
GRACE = 5.0
"""Seconds that photos at work get to finish when the page is told to end."""
M_MMAP_THRESHOLD = -3
"""Number of this setting in <malloc.h>."""
MAX_CONNECTIONS = 500
"""Connections at once; each open page holds two."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at host and port; port 0 takes any free one. UsageError if that fails."""
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
    """Whether only this machine can reach that address."""
    return host in LOCAL or is_this_machine(host)


def serve(
    listening: socket.socket,
    host: str,
    folder: Path,
    weights: Path | None,
    detector: str | None,
    threads: int | None,
    show: bool,
    proxy: str | None,
) -> None:
    """Build the page and answer requests until a signal ends it. show: open a browser. proxy: as in `visitor_of`.

    UsageError if Gradio is not installed; errors of the weights as in `get_predictor`.
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
    local, served = is_local(host) and proxy is None, threading.Event()
    finder = SharedFinder(weights, threads, detector)
    address = f"http://{_written(host)}:{listening.getsockname()[1]}/"

    class Server(uvicorn.Server):
        """Prints the address when it is ready. Told to end, it ends after GRACE seconds, even with photos at work."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _announce(address, local, show)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            timer = threading.Timer(GRACE, _end, (sig, folder, reader, served))
            timer.daemon = True
            timer.start()

    # uvicorn logs nothing: the gate says in one line what goes wrong. Open pages are cut off a second after the end.
    with PhotoReader() as reader:
        app = application(finder, reader, folder, LOCAL | {host} if local else None, proxy)
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            ws="none",
            proxy_headers=False,  # the gate reads them, if it is told to
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        try:
            Server(config).run(sockets=[listening])
        finally:
            served.set()


def give_memory_back() -> None:
    """Make glibc return freed blocks of a megabyte or more to the system at once.

    By default it raises that size after the first such block was freed, and keeps freed blocks for the thread that had
    them: the page would hold the memory of a dozen photos that were read at different times. Other systems have no such
    setting.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)


def _end(sig: int, folder: Path, reader: "PhotoReader", served: threading.Event) -> None:
    """End the process at once: Python would wait for a running search, which cannot be stopped.

    served: set if the command prints its own last line.
    """
    closing = threading.Thread(target=reader.close, daemon=True)
    closing.start()
    closing.join(GRACE)  # no longer: the reader's processes end with this one
    remove(folder)
    if sig == signal.SIGINT and not served.is_set():
        typer.echo("fkp: stopped", err=True)
    os._exit(128 + sig)


def _announce(address: str, local: bool, show: bool) -> None:
    typer.echo(f"The page is at {address} (Ctrl-C ends it)")
    if not local:
        typer.echo(f"fkp: {OPEN_TO_ALL}", err=True)
    if show:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _written(host: str) -> str:
    """A host as part of a URL that a browser can open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
