"""Writes a figure: a whole file, or none."""

from pathlib import Path

from matplotlib.figure import Figure

from numpynet.files import atomic

DPI = 120
"""A figure 16 inches wide fills a slide of 1920 pixels."""


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG. OSError if it cannot be written."""
    with atomic(path, durable=False) as temporary:
        figure.savefig(temporary, dpi=DPI, facecolor="white")
