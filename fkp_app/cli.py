"""The `fkp` command: what it consists of, and how every error ends: one line, an exit code, no traceback."""

import os
import sys
from typing import Annotated, Any

import typer

from fkp_app.commands.data import data_app
from fkp_app.commands.detect import demo, detect, filter_command
from fkp_app.commands.evaluate import evaluate
from fkp_app.commands.train import train
from fkp_app.errors import FkpError

# Typer brings click in two ways, by version: as a package of its own or inside. Either way it is BadParameter's base.
ClickException: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

app = typer.Typer(
    name="fkp",
    help="Find faces, place 68 keypoints on each, put sunglasses on them; train and evaluate the network that does.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # which joins the lines of a paragraph
)
app.command()(demo)
app.command()(detect)
app.command("filter")(filter_command)
app.command()(train)
app.command()(evaluate)
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
    """Run `fkp` with these arguments (the process's own where None); returns the exit code."""
    try:
        result = app(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except ClickException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "fkp"
        return _fail(f"{error.format_message()} (see {where} --help)", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped", 130)
    except BrokenPipeError:
        # Whoever read our output has gone; let nothing be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except FkpError as error:
        return _fail(str(error), error.exit_code)
    except ImportError as error:
        if "libGL" in str(error) or error.name == "cv2":
            return _fail(
                f"OpenCV cannot be loaded ({error}); use its build without windows: "
                "pip uninstall opencv-python && pip install 'opencv-python-headless>=4.10,<5'",
                1,
            )
        raise
    except ValueError as error:
        from numpynet.checkpoint import CheckpointError

        if isinstance(error, CheckpointError):
            return _fail(str(error), 1)
        raise


def _fail(message: str, code: int) -> int:
    one_line = " ".join(message.split())
    typer.echo(f"fkp: {one_line}", err=True)
    return code
