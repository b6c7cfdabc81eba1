"""`show NAME`: numpynet's own source of an exercise, once yours is right."""

import argparse
import inspect
import textwrap

from numpynet.learn.exercises import find
from numpynet.learn.exercises.catalogue import add_file, command, given_place, reader_file
from numpynet.learn.exercises.judging_process import check_file
from numpynet.learn.replacement import original


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_file(parser)


def run(options: argparse.Namespace) -> int:
    """Print the source. 1 if the reader's file is not right yet."""
    exercise = find(options.name)
    path = reader_file(exercise, given_place(options))
    if not check_file(exercise, path).passed:
        print(f"{path} is not right yet; `{command('check', exercise, path)}` says where.")
        return 1
    function = original(exercise)
    print(f"# {exercise.module}.{exercise.function}\n")
    print(textwrap.dedent(inspect.getsource(function)).rstrip())
    print("\n# It uses names of its own module. Lines that call of_forward or of_output only check the arguments.")
    return 0
