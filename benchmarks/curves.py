"""`python -m benchmarks curves`: the losses of several training runs in one picture."""

import argparse
from pathlib import Path

from fkp_app.training.curves import plot_losses


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="directory that `fkp train --out` filled")
    parser.add_argument("--out", type=Path, required=True, help="the picture, .png, .pdf or .svg")
    args = parser.parse_args()
    plot_losses({run.name: run for run in args.runs}, args.out)
