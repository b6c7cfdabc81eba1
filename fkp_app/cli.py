"""The `fkp` command: its subcommands. Every error ends here, as one line and an exit code without a traceback."""

import contextlib
import io
import os
import signal
import sys
from typing import Annotated, Any

import typer

from fkp_app.blas import choose_kernels
from fkp_app.commands.data import data_app
from fkp_app.commands.demo import demo
from fkp_app.commands.detect import detect
from fkp_app.commands.doctor import doctor
from fkp_app.commands.evaluate import evaluate
from fkp_app.commands.export import export
from fkp_app.commands.filter import filter_command
from fkp_app.commands.inspect import inspect_command
from fkp_app.commands.train import train
from fkp_app.commands.train_finder import train_finder
from fkp_app.commands.web import web
from fkp_app.errors import FkpError

# Some versions of Typer use the package click, others a copy of it inside Typer. Both derive BadParameter from it.
ClickException: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

INTERRUPTED = 130
"""Exit code after Ctrl-C. As in shells, it is 128 plus the number of the signal."""
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that end a command: the system sends the first, and a closed terminal the second."""

app = typer.Typer(
    name="fkp",
    help="Find faces, place 68 keypoints on each, put sunglasses on them; train and evaluate the network that does.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # makes one paragraph of its lines
)
app.command()(demo)
app.command()(detect)
app.command("filter")(filter_command)
app.command()(web)
app.command()(export)
app.command()(train)
app.command("train-finder")(train_finder)
app.command()(evaluate)
app.command("inspect")(inspect_command)
app.command()(doctor)
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        from numpynet import __version__

        typer.echo(f"fkp {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of `fkp` itself."""


def main(arguments: list[str] | None = None) -> int:
    """Run `fkp` with these arguments (None: those of the process). Returns the exit code."""
    choose_kernels()
    if arguments is None:
        _occupy_closed()
        for number in ENDING:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup has SIGHUP ignored
                signal.signal(number, _end)
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # for file names that the terminal's encoding cannot show
        result = app(arguments, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # now, so that a full disk or a closed pipe is caught below
        if result == INTERRUPTED:  # Typer returns this after a KeyboardInterrupt
            return _fail("stopped", INTERRUPTED)
        return result if isinstance(result, int) else 0
    except ClickException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "fkp"
        message = error.format_message()
        if not message:  # there were no arguments, and Typer has printed the help
            return int(error.exit_code)
        return _fail(f"{message} (see {where} --help)", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", INTERRUPTED)
    except FkpError as error:
        return _fail(str(error), error.exit_code)
    except ImportError as error:
        if "libGL" in str(error) or error.name == "cv2":
            return _fail(
                f"OpenCV cannot be loaded ({error}); use its build without windows: "
                "pip uninstall opencv-python && pip install 'opencv-python-headless>=4.13,<5'",
                1,
            )
        raise
    except ValueError as error:
        from numpynet.checkpoint import CheckpointError
        from numpynet.dispatch import ImplementationError

        if isinstance(error, CheckpointError):
            return _fail(str(error), 1)
        if isinstance(error, ImplementationError):
            return _fail(str(error), 2)
        raise
    except OSError as error:
        _discard_output()
        if isinstance(error, BrokenPipeError):  # nobody reads our output any more, so there is no message
            return 1
        if isinstance(error, FileNotFoundError) and error.filename is None:  # raised by os.getcwd
            return _fail("the current folder no longer exists; change to another one", 1)
        what = f"{error.filename}: " if error.filename is not None else ""
        return _fail(f"{what}{error.strerror or error}", 1)


def _occupy_closed() -> None:
    """Open the null device for each closed standard stream.

    Otherwise the next file that we open would get the stream's number, and libraries would print into that file.
    """
    while True:
        handle = os.open(os.devnull, os.O_RDWR)
        if handle > 2:
            os.close(handle)
            return
        os.set_inheritable(handle, True)


def _end(number: int, _: object) -> None:
    """Raise SystemExit, so that unfinished files are removed. A second signal is ignored."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def _discard_output() -> None:
    """Point standard output at the null device: at exit Python could not flush it to a full disk or a closed pipe."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # standard output may be closed, or no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int) -> int:
    from fkp_app.pipeline.reporter import printable

    one_line = printable(" ".join(message.split()))
    with contextlib.suppress(OSError):  # the terminal may have been closed
        typer.echo(f"fkp: {one_line}", err=True)
    return code
