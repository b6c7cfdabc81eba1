"""`python -m benchmarks curves`: the losses of several training runs in one picture."""

import argparse
from pathlib import Path

from fkp_app.training.curves import plot_losses


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="directory that `fkp train --out` filled")
    parser.add_argument("--out", type=Path, required=True, help="the picture, .png, .pdf or .svg")


def run(args: argparse.Namespace) -> None:
    """Draw one line per run, named after its directory."""
    plot_losses({directory.name: directory for directory in args.runs}, args.out)
