"""What every command line does: one line for a mistake, no traceback from a closed pager, a full disk or Ctrl-C."""

import argparse
import contextlib
import difflib
import io
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, and suggests the nearest option for one that does not exist."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, which parses subcommands with it; what is left over is an error of this parser."""
        found, left_over = super().parse_known_args(args, namespace)
        if left_over:
            unknown = next((word.split("=")[0] for word in left_over if word.startswith("-")), None)
            if unknown is None:
                self.error(f"there is no argument {left_over[0]!r}; --help lists the arguments")
            options = [name for action in self._actions for name in action.option_strings]
            self.error(f"there is no option {unknown}; {nearest(unknown, options, '--help lists the options', 0.6)}")
        return found, left_over

    def error(self, message: str) -> NoReturn:
        for kind, words in (("int", "a whole number"), ("float", "a number")):
            message = re.sub(rf"argument ([^:]+): invalid {kind} value: ", rf"\1 must be {words}, got ", message)
        self.exit(2, f"{self.prog}: {message}\n")


def most_alike(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The name of `known` that is most like `name`. cutoff: how much alike they must be, from 0 to 1."""
    near = difflib.get_close_matches(name, known, 1, cutoff)
    return near[0] if near else None


def nearest(name: str, known: Iterable[str], otherwise: str, cutoff: float = 0.5) -> str:
    """The text "did you mean NAME?", with the name that `most_alike` gives; `otherwise` if it gives none."""
    near = most_alike(name, known, cutoff)
    return f"did you mean {near}?" if near else otherwise


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
