"""`summary`: a network as a table of shapes, parameters, FLOPs, caches and receptive fields."""

import argparse

from numpynet.learn.errors import LearnError
from numpynet.learn.showing.named_networks import CHOICES, make
from numpynet.summaries import summary

LARGEST = 64
"""Pictures: the caches of "net" take 18 MB for each."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("net", nargs="?", default="hourglass", metavar="NET", help=f"one of {', '.join(CHOICES)}")
    parser.add_argument("--size", type=int, help="side of the picture in pixels; the network's own if left out")
    parser.add_argument("--batch", type=int, default=1, help="number of pictures (1)")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    if not 1 <= options.batch <= LARGEST:
        raise LearnError(f"--batch must be from 1 to {LARGEST}, got {options.batch}")
    net, shape = make(options.net, options.size)
    table = summary(net, (options.batch, *shape))
    print(table.markdown() if options.markdown else table)
    return 0
