"""Convolution and max pooling: unfolded in colours, and window by window, forward and backward."""

import numpy as np

from numpynet.functional import conv2d, conv2d_backward, max_pool2d, max_pool2d_backward
from numpynet.functional.conv2d import unfold
from numpynet.learn import one_point
from numpynet.learn.grids import Drawing, shown
from numpynet.typing import Array

WIDTH = 360
CELL = 36


def unfold_in_colours() -> Drawing:
    """A picture of 3 x 3 and its windows of 2 x 2 as columns: the same colour is the same pixel."""
    image = np.arange(1.0, 10.0).reshape(3, 3)
    filters = np.array([[1.0, -1.0, 2.0, 0.5]])
    columns = unfold(image[None], (2, 2), (1, 1), (1, 1), (2, 2))
    colours = (columns - 1).astype(int)
    d = Drawing(
        WIDTH,
        452,
        "Unfold in colours",
        "A picture of 3 by 3 pixels, each in a colour of its own. Below it the unfolded matrix: each of its four "
        "columns holds the four pixels of one window. The pixel in the middle, 5, stands in all four columns. The "
        "filter as a row times this matrix gives the four outputs.",
    )
    d.grid(20, 34, image, title="picture (3, 3)", colours=np.arange(9).reshape(3, 3))
    d.outline(20, 34, 80, 80)
    d.text(152, 62, "The framed window, 1, 2, 4, 5,", size=13, anchor="start")
    d.text(152, 82, "is the framed column below.", size=13, anchor="start")
    d.text(152, 108, "5 is in all four windows,", size=13, anchor="start")
    d.text(152, 128, "so in all four columns.", size=13, anchor="start")
    d.grid(180, 192, columns, title="unfolded (4, 4)", colours=colours)
    d.outline(180, 192, 40, 160)
    for row, text in enumerate(("top left", "top right", "bottom left", "bottom right")):
        d.text(172, 217 + 40 * row, f"{text} of a window", size=12, kind="note", anchor="end")
    d.grid(10, 388, filters, title="filter as a row (1, 4)", cell=36, wide=36)
    d.text(167, 411, "=", size=18)
    d.grid(180, 388, filters @ columns, title="output (1, 4)", cell=36, wide=40)
    d.text(180, 444, "filter @ unfolded = output, for all windows at once", size=13, kind="note")
    return d


def conv_forward() -> Drawing:
    """The convolution of the one-point net, one window per frame."""
    x, weight, bias = one_point.PICTURE, one_point.CONV_WEIGHT, one_point.CONV_BIAS
    out = conv2d(x, weight, bias)[0][0, 0]
    image, kernel = x[0, 0], weight[0, 0]
    d = Drawing(
        WIDTH,
        356,
        "Convolution, forward",
        "The filter of 3 by 3 is laid on each window of the picture of 5 by 5. The nine products and the bias are "
        "added: one output. Moving to the next window gives the next output.",
        frames=out.size + 2,
        seconds=1.6,
        still=out.size - 1,
    )
    left, top, right, below = 10, 32, 234, 176
    d.grid(left, top, image, cell=CELL, title="x (5, 5)")
    d.grid(right, top, kernel, cell=CELL, title="weight (3, 3)")
    d.grid(right, below, np.zeros_like(out), cell=CELL, title="out (3, 3)", numbers=False)
    for k, (oh, ow) in enumerate(np.ndindex(out.shape)):
        where = np.zeros(out.shape, bool)
        where[oh, ow] = True
        with d.since(k):
            d.grid(right, below, out, cell=CELL, where=where, largest=np.abs(out).max())
        with d.during(k):
            d.outline(left + CELL * ow, top + CELL * oh, 3 * CELL, 3 * CELL)
            d.outline(right + CELL * ow, below + CELL * oh, CELL, CELL)
            for row in range(3):
                products = " + ".join(_product(image[oh + row, ow + i], kernel[row, i]) for i in range(3))
                d.text(20, 248 + 22 * row, ("" if row == 0 else "+ ") + products, size=13, anchor="start")
            d.text(20, 318, f"+ bias {shown(bias[0])} = {shown(out[oh, ow])}", size=14, anchor="start", bold=True)
    d.text(WIDTH / 2, 346, "pixel · weight, over one window, plus the bias", size=13, kind="note")
    return d


def conv_backward() -> Drawing:
    """Each number of dout, times the filter, is added to its window of dx: one per frame."""
    weight = one_point.CONV_WEIGHT
    dout = np.array([[1.0, 0, -1], [2, -1, 0], [0, 1, 3]])[None, None]
    _, cache = conv2d(one_point.PICTURE, weight, None)
    whole = conv2d_backward(dout, cache)[0][0, 0]
    kernel = weight[0, 0]
    d = Drawing(
        WIDTH,
        356,
        "Convolution, backward: dx",
        "Each number of dout, of 3 by 3, is multiplied with the whole filter. The nine products are added to the "
        "window of dx that the output had seen. Where windows overlap, the sums grow.",
        frames=dout.size + 2,
        seconds=1.6,
        still=dout.size - 1,
    )
    left, top, right, below = 10, 32, 234, 176
    d.grid(left, top, np.zeros((5, 5)), cell=CELL, title="dx (5, 5)", kind="back", size=13)
    d.grid(right, top, dout[0, 0], cell=CELL, title="dout (3, 3)", kind="back")
    d.grid(right, below, kernel, cell=CELL, title="weight (3, 3)")
    dx = np.zeros((5, 5))
    for k, (oh, ow) in enumerate(np.ndindex(3, 3)):
        number = dout[0, 0, oh, ow]
        before = dx.copy()
        dx[oh : oh + 3, ow : ow + 3] += number * kernel
        if (dx != before).any():
            with d.since(k):
                d.grid(left, top, dx, cell=CELL, where=dx != before, largest=np.abs(whole).max(), kind="back", size=13)
        with d.during(k):
            d.outline(left + CELL * ow, top + CELL * oh, 3 * CELL, 3 * CELL, kind="back")
            d.outline(right + CELL * ow, top + CELL * oh, CELL, CELL, kind="back")
            d.text(100, 248, f"{shown(number)} · weight", size=15, kind="back", bold=True)
            d.text(100, 270, "is added to this window" if number else "adds nothing", size=14)
            middle = before[2, 2], dx[2, 2]
            if middle[0] != middle[1]:
                d.text(100, 300, f"middle pixel: {shown(middle[0])} → {shown(middle[1])}", size=13)
    d.text(WIDTH / 2, 346, "a number of dout → a window of dx; overlaps add", size=13, kind="note")
    assert np.array_equal(dx, whole)
    return d


def _product(pixel: float, weight: float) -> str:
    return f"{shown(pixel)}·{f'({shown(weight)})' if weight < 0 else shown(weight)}"


def pixel_that_wins_twice() -> Drawing:
    """The pool of the one-point net: its windows overlap, and one pixel wins more than one of them."""
    t = one_point.tensors()
    x, out, dout = t["relu.out"][0, 0], t["pool.out"][0, 0], t["dpool"][0, 0]
    _, cache = max_pool2d(t["relu.out"], 2, 1)
    dx = max_pool2d_backward(t["dpool"], cache)[0, 0]
    winners = cache.winner[0, 0].astype(int)
    wins = np.zeros(x.shape, int)
    for oh, ow in np.ndindex(out.shape):
        wins[oh + winners[oh, ow] // 2, ow + winners[oh, ow] % 2] += 1
    row, column = (int(i) for i in np.unravel_index(wins.argmax(), wins.shape))
    windows = [
        (oh, ow)
        for oh, ow in np.ndindex(out.shape)
        if (oh + winners[oh, ow] // 2, ow + winners[oh, ow] % 2) == (row, column)
    ]
    terms = " + ".join(f"({shown(dout[w])})" if dout[w] < 0 else shown(dout[w]) for w in windows)
    d = Drawing(
        WIDTH,
        400,
        "The pixel that wins twice",
        f"Max pooling 2 by 2 with stride 1. The pixel in row {row}, column {column} is the largest of "
        f"{len(windows)} windows. Its gradient is the sum of what they send: {terms} = {shown(dx[row, column])}.",
    )
    cell = 46
    xs, ys = (14, 210), (34, 232)
    d.grid(xs[0], ys[0], x, cell=cell, title="x (3, 3)", size=14)
    d.grid(xs[1] + 23, ys[0] + 23, out, cell=cell, title="out (2, 2)", size=14)
    d.grid(xs[0], ys[1], dx, cell=cell, title="dx (3, 3)", kind="back")
    d.grid(xs[1] + 23, ys[1] + 23, dout, cell=cell, title="dout (2, 2)", kind="back")
    hues = ("cool", "")
    for hue, (oh, ow) in zip(hues * 2, windows, strict=False):
        inset = 3 if hue else 0
        d.outline(
            xs[0] + cell * ow + inset, ys[0] + cell * oh + inset, 2 * cell - 2 * inset, 2 * cell - 2 * inset, kind=hue
        )
        d.outline(xs[1] + 23 + cell * ow, ys[0] + 23 + cell * oh, cell, cell, kind=hue)
        d.outline(xs[1] + 23 + cell * ow, ys[1] + 23 + cell * oh, cell, cell, kind=hue)
    d.outline(xs[0] + cell * column, ys[1] + cell * row, cell, cell, kind="back", thick=4)
    d.text(WIDTH / 2, 195, f"{shown(x[row, column])} wins {len(windows)} windows", size=14)
    d.text(WIDTH / 2, 392, f"its gradient: {terms} = {shown(dx[row, column])}", size=15, kind="back", bold=True)
    return d


def pool_animated() -> Drawing:
    """Max pooling forward, then backward, one window per frame."""
    x = np.array([[1.0, 3, 2, 0], [4, 9, 5, 1], [2, 6, 3, 7], [0, 1, 8, 2]])
    dout = np.array([[1.0, 0.5, -0.25], [0.25, 2, 1], [-1, 0.75, 0.5]])
    out, cache = max_pool2d(x[None, None], 2, 1)
    whole = max_pool2d_backward(dout[None, None], cache)[0, 0]
    winners = cache.winner[0, 0].astype(int)
    n = out.size
    d = Drawing(
        WIDTH,
        418,
        "Max pooling, forward and backward",
        "Forward: the largest number of each window of 2 by 2 is the output. Backward: each number of dout goes to the "
        "winner of its window. A pixel that won several windows gets the sum.",
        frames=2 * n + 2,
        seconds=1.1,
        still=2 * n - 1,
    )
    cell = 40
    left, right, top, below = 14, 216, 34, 236
    d.grid(left, top, x, cell=cell, title="x (4, 4)")
    d.grid(right, top, np.zeros((3, 3)), cell=cell, title="out (3, 3)", numbers=False)
    d.grid(left, below, np.zeros((4, 4)), cell=cell, title="dx (4, 4)", kind="back", size=14)
    d.grid(right, below, dout, cell=cell, title="dout (3, 3)", kind="back")
    dx = np.zeros((4, 4))
    for k, (oh, ow) in enumerate(np.ndindex(3, 3)):
        row, column = oh + winners[oh, ow] // 2, ow + winners[oh, ow] % 2
        with d.since(k):
            d.grid(right, top, out[0, 0], cell=cell, where=_only((3, 3), oh, ow), largest=9)
        with d.during(k):
            d.outline(left + cell * ow, top + cell * oh, 2 * cell, 2 * cell)
            d.outline(left + cell * column + 3, top + cell * row + 3, cell - 6, cell - 6, kind="cool")
            d.outline(right + cell * ow, top + cell * oh, cell, cell, kind="cool")
            d.text(right + 60, top + 146, f"the largest: {shown(x[row, column])}", size=14)
        before = dx[row, column]
        dx[row, column] += dout[oh, ow]
        with d.since(n + k):
            new, largest = _only((4, 4), row, column), np.abs(whole).max()
            d.grid(left, below, dx, cell=cell, where=new, largest=largest, kind="back", size=14)
        with d.during(n + k):
            d.outline(right + cell * ow, below + cell * oh, cell, cell, kind="back")
            d.outline(left + cell * ow, top + cell * oh, 2 * cell, 2 * cell)
            d.outline(left + cell * column, below + cell * row, cell, cell, kind="back")
            text = (
                f"{shown(before)} + {_signed(float(dout[oh, ow]))} = {shown(dx[row, column])}"
                if before
                else "to the winner"
            )
            d.text(right + 60, below + 146, text, size=14, kind="back")
    d.text(WIDTH / 2, 412, "forward: the largest; backward: to the winner, added", size=13, kind="note")
    assert np.array_equal(dx, whole)
    return d


def _signed(value: float) -> str:
    return f"({shown(value)})" if value < 0 else shown(value)


def _only(shape: tuple[int, int], row: int, column: int) -> Array:
    where = np.zeros(shape, bool)
    where[row, column] = True
    return where
