"""`start NAME`: write one small file, with what to read and a blank body. Without a name: the list of the exercises."""

import argparse
from pathlib import Path

from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import exercises, find
from numpynet.learn.exercises.catalogue import command
from numpynet.learn.exercises.starting_file import text_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", nargs="?", help="the exercise; without it, all are listed")
    parser.add_argument("--dir", default=".", help="the folder to write into (default: the current one)")


def run(options: argparse.Namespace) -> int:
    """Write the file. LearnError if there is one already, which stays as it is."""
    if options.name is None:
        for known in exercises().values():
            print(f"{known.name:27} {known.title}")
        return 0
    exercise, folder = find(options.name), Path(options.dir)
    if not folder.is_dir():
        raise LearnError(f"--dir {folder}: there is no such folder")
    path = folder / exercise.file
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text_of(exercise))
    except FileExistsError as error:
        raise LearnError(f"{path} is there already and stays as it is; move it away to begin anew") from error
    except OSError as error:
        raise LearnError(f"{path} cannot be written: {error.strerror}") from error
    told, then = f"{path} is written. Fill in {exercise.name}, then:", command("check", exercise, path)
    print(f"{told} {then}" if len(f"{told} {then}") <= 100 else f"{told}\n  {then}")
    return 0
