"""Printing from a command line: a closed pager, a full disk, Ctrl-C or a poor encoding ends in one line at most."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path


def guarded(program: str, run: Callable[[], int]) -> int:
    """The exit status of `run`: 1 with one line if the system refuses something, 130 after Ctrl-C."""
    try:
        status = run()
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader closed the pager
        _print_nowhere()
        return 0
    except OSError as error:
        _print_nowhere()
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"{program}: {place}{error.strerror or error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130  # as a shell counts it: 128 + SIGINT


def outputs() -> None:
    """Have both outputs, even if they were closed, and print what their encoding lacks as \\xe4, without an error."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 (open to the end)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")


def _print_nowhere() -> None:
    """What is still to be printed would fail once more when Python ends."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: there is no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
