"""`learn derive NAME`: a backward pass the long way, each intermediate with its shape, value and gradient."""

import argparse
import difflib

import numpy as np

from numpynet.learn.derivations import DERIVATIONS
from numpynet.learn.errors import LearnError
from numpynet.typing import AnyArray

WIDTH = 72
"""The widest line, so that a page can show what is printed here."""
DECIMALS = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(DERIVATIONS)}")


def run(options: argparse.Namespace) -> int:
    """Print one derivation. LearnError if there is none of that name."""
    if options.name not in DERIVATIONS:
        near = difflib.get_close_matches(options.name, DERIVATIONS, 1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(DERIVATIONS)}"
        raise LearnError(f"there is no derivation {options.name!r}; {hint}")
    derivation = DERIVATIONS[options.name]
    print(f"{options.name}: {derivation.formula}\n(numbers rounded to {DECIMALS} decimals)")
    for name, (value, gradient) in derivation.example().items():
        print(f"\n{name}  {value.shape}")
        print(_indented("value", value))
        if gradient is not None:
            print(_indented("gradient", gradient))
    return 0


def _indented(label: str, array: AnyArray) -> str:
    """`label` and the numbers after it. Axes of length 1 are left out, so a column is printed as a row."""
    numbers = np.round(np.squeeze(array).astype(np.float64), DECIMALS) + 0.0  # -0.0 becomes 0.0
    first, *rest = np.array2string(numbers, max_line_width=WIDTH - 12, threshold=numbers.size + 1).splitlines()
    return "\n".join([f"  {label:8}  {first}", *(f"            {line}".rstrip() for line in rest)])
