"""A network as a table: what each layer makes, learns, computes, keeps and sees."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from numpynet.checks import whole
from numpynet.module import Module
from numpynet.record import Record
from numpynet.typing import Pair

HEADINGS = ("layer", "output shape", "parameters", "FLOPs", "cache bytes", "receptive field")


@dataclass(frozen=True)
class SummaryRow:
    """One layer. depth: the number of Residuals around it; the other fields are the columns of the table."""

    label: str
    depth: int
    shape: tuple[int, ...]
    parameters: int
    flops: int
    cache_bytes: int
    receptive_field: Pair | str


@dataclass(frozen=True)
class Summary:
    """The table of a network: str() gives text, `markdown` gives Markdown, and the fields hold the numbers."""

    title: str
    rows: tuple[SummaryRow, ...]
    parameters: int
    flops: int
    cache_bytes: int

    def __str__(self) -> str:
        lines = [HEADINGS, *self._cells("  "), self._totals()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [_aligned(line, widths).rstrip() for line in lines]
        rule = "-" * max(map(len, text))
        return "\n".join([self.title, rule, text[0], rule, *text[1:-1], rule, text[-1]])

    def markdown(self) -> str:
        """The table in GitHub's Markdown. A layer in a Residual is set in from the left."""
        lines = [HEADINGS, ("---", "---", "---:", "---:", "---:", "---:"), *self._cells("&nbsp;&nbsp;"), self._totals()]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _cells(self, indent: str) -> Iterator[tuple[str, ...]]:
        for row in self.rows:
            numbers = (f"{number:,}" for number in (row.parameters, row.flops, row.cache_bytes))
            yield indent * row.depth + row.label, _by(row.shape), *numbers, _by(row.receptive_field)

    def _totals(self) -> tuple[str, ...]:
        numbers = (f"{number:,}" for number in (self.parameters, self.flops, self.cache_bytes))
        return f"total of {len(self.rows)} rows", "", *numbers, ""


def summary(net: Module, input_shape: Sequence[int]) -> Summary:
    """The table of a network for an input of this shape, such as (1, 1, 96, 96).

    It runs the network once on zeros, in evaluation mode, and leaves it as it was. Columns:

    - output shape, and the layer's parameters; a layer that comes twice counts once.
    - FLOPs: of the forward pass, 2 per multiply-add, of the products in convolutions and linear layers alone, as
      torch.utils.flop_counter.FlopCounterMode counts.
    - cache bytes: the arrays that the layer keeps for the backward pass and no layer before it has kept, without
      parameters and buffers. In training, dropout keeps a mask as well.
    - receptive field: height and width, in pixels, of the part of the picture that one output number sees; it may
      exceed the picture, as it includes the padding. "all": the whole picture; "?": unknown.

    ValueError if the shape is no shape, or does not fit the network.
    """
    if isinstance(input_shape, str) or not isinstance(input_shape, Sequence) or not input_shape:
        raise ValueError(f"summary: input_shape must be a shape such as (1, 1, 96, 96), got {input_shape!r:.80}")
    shape = tuple(whole(side, f"summary: input_shape[{i}]") for i, side in enumerate(input_shape))
    parameters = net.parameters()
    dtype = parameters[0].data.dtype if parameters else np.dtype(np.float32)
    with _evaluating(net):
        record = Record(net, np.zeros(shape, dtype))
    counted: set[int] = set()
    rows = []
    for row in record.rows:
        own = {id(one): one.data.size for one in row.parameters.values() if id(one) not in counted}
        counted.update(own)
        numbers = (sum(own.values()), row.flops, row.cache_bytes)
        rows.append(SummaryRow(row.label, row.depth, row.out.shape, *numbers, row.receptive_field))
    return Summary(
        f"{net._get_name()}, input {_by(shape)} {dtype}",
        tuple(rows),
        sum(row.parameters for row in rows),
        sum(row.flops for row in rows),
        sum(row.cache_bytes for row in rows),
    )


@contextmanager
def _evaluating(net: Module) -> Iterator[None]:
    """Switches the network to evaluation, and afterwards each of its modules back to what it was."""
    before = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _by(sizes: Sequence[int] | str) -> str:
    """Such as "1 x 16 x 96 x 96"."""
    return sizes if isinstance(sizes, str) else " x ".join(map(str, sizes))


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One line of the text: names to the left, numbers to the right."""
    left = [cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True)]
    return "  ".join([*left, *(cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True))])
