"""`hint NAME [NUMBER]`: one of the three hints of an exercise. It keeps no account of which you have seen."""

import argparse
import textwrap

from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import find


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("name", help="the exercise")
    parser.add_argument("number", nargs="?", type=int, default=1, help="1, 2 or 3; each says more (default: 1)")


def run(options: argparse.Namespace) -> int:
    """Print the hint. LearnError if there is none of this number."""
    exercise = find(options.name)
    count = len(exercise.hints)
    if not 1 <= options.number <= count:
        raise LearnError(f"{exercise.name} has hints 1 to {count}, not {options.number}")
    print(f"Hint {options.number} of {count}:")
    print(textwrap.fill(exercise.hints[options.number - 1], 96, initial_indent="  ", subsequent_indent="  "))
    if options.number < count:
        print(f"The next: python -m numpynet.learn hint {exercise.name} {options.number + 1}")
    return 0
