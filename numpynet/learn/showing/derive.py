"""`learn derive NAME`: a backward pass the long way, each intermediate with its shape, value and gradient."""

import argparse
from collections.abc import Collection

import numpy as np

from numpynet.console import nearest
from numpynet.learn.derivations import DERIVATIONS
from numpynet.learn.errors import LearnError
from numpynet.typing import AnyArray

WIDTH = 72
"""The widest line, so that a page can show what is printed here."""
DECIMALS = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(DERIVATIONS)}")
    parser.add_argument("intermediates", metavar="INTERMEDIATE", nargs="*", help="print these alone, such as x_hat")


def run(options: argparse.Namespace) -> int:
    """Print one derivation. LearnError if there is none of that name, or no such intermediate."""
    derivation = DERIVATIONS[_known("derivation", options.name, DERIVATIONS)]
    staged = derivation.example()
    chosen = [_known("intermediate", name, staged) for name in options.intermediates]
    print(f"{options.name}: {derivation.formula}\n(numbers rounded to {DECIMALS} decimals)")
    for name in chosen or staged:
        value, gradient = staged[name]
        print(f"\n{name}  {value.shape}")
        print(_indented("value", value))
        if gradient is not None:
            print(_indented("gradient", gradient))
    return 0


def _known(kind: str, name: str, names: Collection[str]) -> str:
    """`name`. LearnError with the nearest one if it is not among `names`."""
    if name in names:
        return name
    hint = nearest(name, names, f"there are {', '.join(names)}")
    raise LearnError(f"there is no {kind} {name!r}; {hint}")


def _indented(label: str, array: AnyArray) -> str:
    """`label` and the numbers after it. Axes of length 1 are left out, so a column is printed as a row."""
    numbers = np.round(np.squeeze(array).astype(np.float64), DECIMALS) + 0.0  # -0.0 becomes 0.0
    first, *rest = np.array2string(
        numbers, max_line_width=WIDTH - 12, threshold=numbers.size + 1, suppress_small=True
    ).splitlines()
    return "\n".join([f"  {label:8}  {first}", *(f"            {line}".rstrip() for line in rest)])
