"""What vector_loops.py and tile_product.py make, in NumPy: for NUMBA_DISABLE_JIT=1, and to read.

A vector is a short array here. An address that leaves its array is an error, which compiled code would not notice.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numpynet.typing import AnyArray

Rule = Callable[..., Sequence[Any]]


class Elements:
    """As `lanes.Lanes`, for an array."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __add__(self, other: "Elements | float") -> "Elements":
        return Elements(self.values + _values(other, self))

    def __sub__(self, other: "Elements | float") -> "Elements":
        return Elements(self.values - _values(other, self))

    def __mul__(self, other: "Elements | float") -> "Elements":
        return Elements(self.values * _values(other, self))

    __rmul__ = __mul__

    def times_plus(self, factor: "Elements", term: "Elements") -> "Elements":
        return self * factor + term

    def wide(self) -> "Elements":
        return Elements(self.values.astype(np.float64))

    def exp(self) -> "Elements":
        return Elements(np.exp(self.values))

    def at_most(self, number: float) -> "Choice":
        return Choice(self.values <= number)

    def more_or_nan(self, other: "Elements") -> "Choice":
        return Choice((self.values > other.values) | np.isnan(self.values))

    def equals(self, number: float) -> "Choice":
        return Choice(self.values == number)


class Choice:
    """As `lanes.Mask`, for an array."""

    def __init__(self, where: AnyArray) -> None:
        self.where = where

    def choose(self, yes: Elements | float, no: Elements | float) -> Elements:
        kind = next(one for one in (yes, no) if isinstance(one, Elements))
        return Elements(np.where(self.where, _values(yes, kind), _values(no, kind)))


def _values(number: Elements | float, like: Elements) -> Any:
    return number.values if isinstance(number, Elements) else like.values.dtype.type(number)


def _larger(one: AnyArray, other: AnyArray) -> AnyArray:
    return np.where((other > one) | np.isnan(other), other, one)


def part(array: AnyArray, at: int, count: int, step: int = 1) -> AnyArray:
    """A view of `count` numbers of a contiguous array, from number `at` on, every `step`-th."""
    assert array.flags.c_contiguous
    end = at + (count - 1) * step + 1
    assert 0 <= at <= end <= array.size, (at, count, step, array.size)
    return array.reshape(-1)[at:end:step]


def grid(rule: Rule, size: int, accumulate: bool, apart: str) -> Callable[..., None]:
    """As `vector_loops._grid`."""

    def apply(
        source: AnyArray, at: int, row: int, column: int, target: AnyArray, to: int, down: int, right: int, count: int,
        step: int,
    ) -> None:  # fmt: skip
        reads, writes = step if apart == "source" else 1, step if apart == "target" else 1
        elements = [
            [Elements(part(source, at + i * row + j * column, count, reads)) for j in range(size)] for i in range(size)
        ]
        columns = [rule(*line) for line in zip(*elements, strict=True)]
        for i, line in enumerate(rule(*line) for line in zip(*columns, strict=True)):
            for j, numbers in enumerate(line):
                out = part(target, to + i * down + j * right, count, writes)
                out[...] = numbers.values + (out if accumulate else 0)

    return apply


def pixels(rule: Rule, largest: bool) -> Callable[..., None]:
    """As `vector_loops._pixels`."""

    def apply(pixels: int, f: int, count: int, reads: Any, writes: Any, parameters: Any, sums: Any) -> None:
        fixed = [Elements(part(array, f, count)) for array in parameters]
        for i in range(pixels):

            def streams(arrays: Any, i: int = i) -> list[AnyArray]:
                steps = zip(arrays[::3], arrays[1::3], arrays[2::3], strict=True)
                return [part(array, at + i * step + f, count) for array, at, step in steps]

            results = rule(*map(Elements, streams(reads)), *fixed)
            for out, result in zip(streams(writes), results, strict=False):
                out[...] = result.values
            for total, result in zip(sums, results[len(writes) // 3 :], strict=True):
                out = part(total, f, count)
                out[...] = _larger(out, result.values) if largest else out + result.values

    return apply


def tiles(vectors: int) -> Callable[..., None]:
    """As `tile_product._tiles`."""

    def apply(
        a: AnyArray, a_at: int, a_m: int, a_ko: int, a_ki: int, b: AnyArray, b_at: int, b_ko: int, b_ki: int,
        c: AnyArray, c_at: int, c_m: int, M: int, KO: int, KI: int, accumulate: bool, count: int,
    ) -> None:  # fmt: skip
        count *= vectors
        for m in range(M):
            out = part(c, c_at + m * c_m, count)
            total = out.copy() if accumulate else np.zeros_like(out)
            for ko in range(KO):
                for ki in range(KI):
                    number = part(a, a_at + m * a_m + ko * a_ko + ki * a_ki, 1)
                    total += number * part(b, b_at + ko * b_ko + ki * b_ki, count)
            out[...] = total

    return apply
