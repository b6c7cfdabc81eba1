"""Options that several commands have."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODELS = ("net", "compact", "hourglass")
"""The networks, by the names of the recipes that `fkp train` trains them with."""

SHARED: dict[str, dict[str, Any]] = {
    "--batch-size": {"type": int, "default": 10, "help": "images per batch (default %(default)s)"},
    "--data": {"type": Path, "required": True, "metavar": "DIR", "help": "the data set, as for `fkp train`"},
    "--every": {"type": int, "default": 1, "metavar": "N", "help": "measure only every Nth frame"},
    "--json": {"type": Path, "metavar": "FILE", "help": "write the machine, the settings and all figures there"},
    "--model": {"choices": MODELS, "default": "net", "help": "the network (default %(default)s)"},
    "--threads": {"type": int, "help": "threads of each side (default: the number that each chooses itself)"},
}


def add_shared(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add these of the SHARED options."""
    for name in names:
        parser.add_argument(name, **SHARED[name])


def at_least(least: int, reason: str = "") -> Callable[[str], int]:
    """The `type` of an option that is an integer of at least `least`; `reason` goes into the error message."""

    def whole(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {number}" + (reason and f" ({reason})"))
        return number

    whole.__name__ = "integer"  # argparse names it when the text is no number
    return whole
