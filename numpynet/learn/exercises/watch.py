"""`watch NAME [FILE]`: check again whenever the file changes. Ctrl-C ends it."""

import argparse
import itertools
import time
from pathlib import Path

from numpynet.learn.exercises import find, verdict_text
from numpynet.learn.exercises.catalogue import add_file, given_place, reader_file
from numpynet.learn.exercises.judging_process import check_file

PAUSE = 0.3
"""Seconds between two looks at the file."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_file(parser)


def run(options: argparse.Namespace) -> int:
    """Look until Ctrl-C. Returns 0."""
    exercise = find(options.name)
    path = reader_file(exercise, given_place(options))
    before: bytes | None = None
    try:
        for _ in itertools.count():
            now = _content(path)
            if now is not None and now != before:
                before = now
                print(verdict_text.text(check_file(exercise, path)), flush=True)
                print("Watching; Ctrl-C ends.", flush=True)
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        print()
    return 0


def _content(path: Path) -> bytes | None:
    """The bytes of the file; None while an editor is replacing it."""
    try:
        return path.read_bytes()
    except OSError:
        return None
