"""The page's server: its address and its private folder, which is gone when it ends."""

import errno
import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from fkp_app.errors import UsageError

LOCAL = frozenset(["localhost", "127.0.0.1", "::1"])
MISSING = "`fkp web` needs Gradio: pip install 'numpynet-fkp[web]'"
ENVIRONMENT = {
    # Read when Gradio and what it brings are imported: nobody is told that, or how, the page is used.
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


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
    if host in LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for this process alone, removed at the end, also on SIGTERM and Ctrl-C. Gradio is told to use it.

    SystemExit (143) on SIGTERM and where the terminal is closed.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    folder = Path(tempfile.mkdtemp(prefix="fkp-web-")).resolve()
    try:
        places = {"GRADIO_TEMP_DIR": str(folder), "GRADIO_EXAMPLES_CACHE": str(folder / "examples")}
        os.environ.update(ENVIRONMENT | places)
        yield folder
    finally:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        # A thread may still be about to write there: under the old name it can no more.
        gone = folder.rename(folder.with_name(f"{folder.name}.gone"))
        shutil.rmtree(gone, ignore_errors=True)


def serve(
    listening: socket.socket, host: str, folder: Path, weights: Path | None, threads: int | None, show: bool
) -> None:
    """Build the page and answer requests until a signal ends it. show: open a browser.

    UsageError where Gradio is not installed; errors of the weights as in `backends.get_predictor`.
    """
    try:
        import gradio  # noqa: F401
        import uvicorn
    except ModuleNotFoundError as error:
        if error.name not in ("gradio", "uvicorn"):
            raise
        raise UsageError(MISSING) from None
    from fkp_app.web.page import application
    from fkp_app.web.photo import Finder

    local = is_local(host)
    app = application(Finder(weights, threads), folder, LOCAL | {host} if local else None)
    address = f"http://{_written(host)}:{listening.getsockname()[1]}/"

    class Server(uvicorn.Server):
        """Says so when it is ready."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _announce(address, local, show)

    # What goes wrong the gate says in one line; at the end, pages that are still open are cut off after a second.
    config = uvicorn.Config(app, log_level="critical", access_log=False, ws="none", timeout_graceful_shutdown=1)
    Server(config).run(sockets=[listening])


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
