"""`python -m numpynet.gradcheck [CASE [--option value ...]]`: compares analytic gradients with numerical ones."""

import argparse
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet.checks import whole
from numpynet.gradcheck.cases import CASES
from numpynet.gradcheck.diagnosis import Finding


def main(arguments: list[str] | None = None) -> int:
    """Check one case or all. Returns the exit status: 0 if every gradient is right, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m numpynet.gradcheck", description=__doc__)
    parser.set_defaults(case=None, seed=0)
    cases = parser.add_subparsers(title="cases", metavar="CASE", help="what to check (default: everything)")
    for name, case in CASES.items():
        _add_case(cases.add_parser(name, help=f"options: {', '.join(_options(case)) or 'none'}"), name, case)
    options = vars(parser.parse_args(arguments))
    chosen, seed = options.pop("case"), options.pop("seed")
    failed = 0
    for name in CASES if chosen is None else [chosen]:
        try:
            whole(seed, "--seed", 0)
            for option, value in options.items():
                if type(value) is int:  # a size of 0 leaves no gradient to check
                    whole(value, f"--{option}", 0 if option == "padding" else 1)
            findings = CASES[name](np.random.default_rng(seed), **options)
        except ValueError as error:
            parser.error(str(error))
        failed += _print(name, findings)
    print("every gradient is right" if not failed else f"{failed} gradients are WRONG")
    return 1 if failed else 0


def _options(case: Callable[..., Any]) -> dict[str, Any]:
    """The keywords of a case, with their defaults."""
    parameters = inspect.signature(case).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _add_case(parser: argparse.ArgumentParser, name: str, case: Callable[..., Any]) -> None:
    parser.set_defaults(case=name)
    parser.add_argument("--seed", type=int, default=0, help="seed of the random inputs (default %(default)s)")
    for option, default in _options(case).items():
        if isinstance(default, bool):
            parser.add_argument(f"--{option}", action=argparse.BooleanOptionalAction, default=default)
        else:
            parser.add_argument(f"--{option}", type=type(default), default=default, help="default %(default)s")


def _print(name: str, findings: list[Finding]) -> int:
    """Print one line per gradient. Returns the number of wrong ones."""
    print(name)
    for finding in findings:
        verdict = "ok" if finding.passed else "WRONG"
        where = f" at {finding.where}" if finding.where else ""
        values = f"analytic {finding.analytic:+.9f}, numeric {finding.numeric:+.9f}"
        print(f"  {finding.name:34} {verdict:5}  largest relative error {finding.error:.1e}{where}: {values}")
        if finding.cause:
            print(f"  {'':34} likely: {finding.cause}")
    return sum(not finding.passed for finding in findings)


if __name__ == "__main__":
    sys.exit(main())
