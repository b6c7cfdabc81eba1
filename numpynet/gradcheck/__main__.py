"""`python -m numpynet.gradcheck [CASE [--option value ...]]`: compares analytic gradients with numerical ones."""

import argparse
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet.checks import whole
from numpynet.console import Parser, guarded, nearest, outputs
from numpynet.gradcheck.cases import CASES, PROBLEMS
from numpynet.gradcheck.diagnosis import TOLERANCE, Finding
from numpynet.gradcheck.numeric import STEP
from numpynet.gradcheck.show import SMALL, shown
from numpynet.typing import IntOrPair

LEGEND = f"""\
analytic  what the backward function returns: dL/d(input) for L = sum(dout * out) and a random dout
numeric   (L(input + h) - L(input - h)) / 2h with h = {STEP:g}: it needs the forward function alone
error     the largest |analytic - numeric| over the largest |numeric|; a gradient is right up to {TOLERANCE:g}
"""
RULES = "adam_update, train_step: analytic is what the code made, numeric what its formula says\n"
NETWORKS = """\
net, hourglass: both values are slopes along a random direction; the error is |analytic - numeric| over |numeric|, or
over the median |numeric| if that is larger; right up to 1e-06
"""


def main(arguments: list[str] | None = None) -> int:
    """Check one case or all. Returns the exit status: 0 if every gradient is right, 1 otherwise, 2 for bad options."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    if given and not given[0].startswith("-") and given[0] not in CASES:
        parser.error(f"there is no case {given[0]!r}; {nearest(given[0], CASES, '--help lists them')}")
    if given and given[0].startswith("-") and given[0] not in ("-h", "--help"):
        hint = nearest(given[0], ["--help"], "--help lists the cases", 0.6)
        parser.error(f"{given[0]}: name a case first, its options after it; {hint}")
    options = vars(parser.parse_args(given))
    chosen, seed, show = options.pop("case"), options.pop("seed"), options.pop("show")
    findings: list[Finding] = []
    try:
        whole(seed, "--seed", 0)
        for option, value in options.items():
            _in_range(option, value)
        for name in CASES if chosen is None else [chosen]:
            if show:
                options = SMALL[name] | options
            found = CASES[name](np.random.default_rng(seed), **options)
            print(name)
            _print(found)
            if show:
                print(shown(PROBLEMS[name](np.random.default_rng(seed), **options), np.random.default_rng([seed, 1])))
            findings += found
    except (ValueError, OverflowError) as error:
        parser.error(" ".join(str(error).split()))
    except MemoryError:
        parser.error("there is not enough memory for these sizes; take smaller ones")
    print(f"\n{_legend(chosen)}")
    failed = sum(not finding.passed for finding in findings)
    wrong = "1 gradient is WRONG" if failed == 1 else f"{failed} gradients are WRONG"
    print(wrong if failed else "every gradient is right")
    return 1 if failed else 0


def _parser() -> Parser:
    parser = Parser(prog="python -m numpynet.gradcheck", description=__doc__)
    parser.set_defaults(case=None, seed=0, show=False)
    cases = parser.add_subparsers(title="cases", metavar="CASE", help="what to check (default: everything)")
    for name, case in CASES.items():
        _add_case(cases.add_parser(name, help=f"options: {', '.join(_options(case)) or 'none'}"), name, case)
    return parser


def _options(case: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keywords of a case."""
    parameters = inspect.signature(case).parameters.values()
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}


def _add_case(parser: argparse.ArgumentParser, name: str, case: Callable[..., Any]) -> None:
    parser.set_defaults(case=name)
    parser.add_argument("--seed", type=int, default=0, help="seed of the random inputs (default %(default)s)")
    if name in SMALL:
        text = "work out one element by hand, on a small example unless sizes are given"
        parser.add_argument("--show", action="store_true", default=False, help=text)
    for option, parameter in _options(case).items():
        default = parameter.default
        names = dict.fromkeys([f"--{option.replace('_', '-')}", f"--{option}"])
        kind: dict[str, Any] = {"type": type(default), "metavar": type(default).__name__.upper()}
        if isinstance(default, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        elif parameter.annotation == IntOrPair:
            kind = {"type": _size, "metavar": "N or HxW"}
        shown_default = "x".join(map(str, default)) if isinstance(default, tuple) else default
        parser.add_argument(
            *names, dest=option, default=argparse.SUPPRESS, help=f"default {shown_default}", **kind
        )  # left out if not given, so that --show can choose smaller sizes


def _size(text: str) -> int | tuple[int, int]:
    """3, or 3x2 for height x width."""
    parts = text.split("x")
    if len(parts) <= 2 and all(part.removeprefix("-").isdecimal() for part in parts):
        sizes = [int(part) for part in parts]
        return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])
    raise argparse.ArgumentTypeError(f"it must be a whole number or HEIGHTxWIDTH, such as 3x2, got {text!r}")


def _in_range(option: str, value: object) -> None:
    """ValueError if a size is below 1, or a padding below 0: a size of 0 leaves no gradient to check."""
    for part in value if isinstance(value, tuple) else (value,):
        if type(part) is int:
            whole(part, f"--{option.replace('_', '-')}", 0 if option == "padding" else 1)


def _legend(chosen: str | None) -> str:
    legend = LEGEND
    if chosen in (None, "net", "hourglass"):
        legend += NETWORKS
    if chosen in (None, "adam_update", "train_step"):
        legend += RULES
    return legend


def _print(findings: list[Finding]) -> None:
    """Print one line per gradient, and below it the likely cause of a wrong one or the note on a right one."""
    for finding in findings:
        verdict = "ok" if finding.passed else "WRONG"
        where = f" at {finding.where}" if finding.where else ""
        values = f"analytic {finding.analytic:+.9f}, numeric {finding.numeric:+.9f}"
        print(f"  {finding.name:34} {verdict:5}  largest relative error {finding.error:.1e}{where}: {values}")
        if finding.cause:
            print(f"  {'':34} likely: {finding.cause}")
        if finding.note:
            print(f"  {'':34} note: {finding.note}")


if __name__ == "__main__":
    outputs()
    sys.exit(guarded("python -m numpynet.gradcheck", main))
