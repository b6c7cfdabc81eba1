"""Linear, batch norm, dropout, residual, upsampling and soft argmax, with their numbers."""

import numpy as np

from numpynet.functional import (
    batch_norm,
    batch_norm_backward,
    dropout,
    dropout_backward,
    linear,
    linear_backward,
    soft_argmax2d,
    soft_argmax2d_backward,
    upsample_nearest2d,
    upsample_nearest2d_backward,
)
from numpynet.learn.grids import Drawing, shown


def who_touches_whom() -> Drawing:
    """Three inputs, two outputs: the matrix forward, and the same lines walked back: its transpose."""
    x, weight, dout = np.array([[1.0, 2, 3]]), np.array([[1.0, -1, 2], [3, 0.5, -2]]), np.array([[1.0, -2]])
    out, cache = linear(x, weight)
    dx = linear_backward(dout, cache)[0]
    d = Drawing(
        360,
        618,
        "Who touches whom",
        "Above: each of three inputs is joined to each of two outputs by a weight; forward, an output adds what "
        "arrives along its three lines. Below: the same lines walked backwards; an input adds what arrives along "
        "its two lines. The matrix of the way back has a row per input: it is the transpose.",
    )
    for top, left_values, right_values, kind in ((44, x, out, ""), (338, dx, dout, "back")):
        d.text(62, top - 22, "x" if not kind else "dx", kind=kind, bold=True)
        d.text(298, top - 22, "out" if not kind else "dout", kind=kind, bold=True)
        lefts, rights = [top + 14 + 62 * i for i in range(3)], [top + 45 + 62 * o for o in range(2)]
        for o, i in np.ndindex(weight.shape):
            ends = [(82.0, lefts[i]), (278.0, rights[o])]
            d.arrow(ends[::-1] if kind else ends, kind=kind, thick=1.5)
            share = 0.3 if o == 0 else 0.7
            at = (82 + 196 * share, lefts[i] + (rights[o] - lefts[i]) * share)
            d.add(f'<rect x="{at[0] - 15:.1f}" y="{at[1] - 9:.1f}" width="30" height="18" class="page"/>')
            d.text(*at[:1], at[1] + 5, shown(float(weight[o, i])), size=13, kind=kind)
        for centre, ys, numbers in ((62, lefts, left_values[0]), (298, rights, right_values[0])):
            for y, number in zip(ys, numbers, strict=True):
                d.add(f'<circle cx="{centre}" cy="{y}" r="19" class="page"/>')
                d.add(f'<circle cx="{centre}" cy="{y}" r="19" class="ink {kind}" stroke-width="2"/>')
                d.text(centre, y + 5, shown(number), size=14, kind=kind)
    d.grid(46, 230, weight, cell=30, title="weight (2, 3)")
    d.text(150, 256, "·  x  =  out", anchor="start")
    d.text(150, 280, "out[1] = " + " + ".join(_term(x[0, i], weight[1, i]) for i in range(3)), size=12, anchor="start")
    d.grid(56, 522, weight.T, cell=28, wide=34, title="transpose (3, 2)", kind="back", size=13)
    d.text(150, 556, "·  dout  =  dx", kind="back", anchor="start")
    d.text(
        150,
        580,
        "dx[0] = " + " + ".join(_term(dout[0, o], weight[o, 0]) for o in range(2)),
        size=12,
        kind="back",
        anchor="start",
    )
    return d


def _term(number: float, weight: float) -> str:
    return "·".join(f"({shown(v)})" if v < 0 else shown(v) for v in (number, weight))


def projector() -> Drawing:
    """What batch norm's backward pass takes from g: its mean, and its part along x_hat."""
    x = 2 * np.array([2.0, -1, -1, 0, 0, 0]) + 3
    g = np.array([5.0, -1, 2, 0, 3, -3])
    _, cache = batch_norm(x[:, None], eps=1e-15)
    x_hat, M = cache.x_hat[:, 0], len(x)
    centred = g - g.mean()
    part = (g * x_hat).sum() / M
    rest = centred - part * x_hat
    dx = batch_norm_backward(g[:, None], cache)[0][:, 0]
    assert np.allclose(dx, rest * cache.inv_std)
    d = Drawing(
        360,
        536,
        "Batch norm, backward: what is taken away",
        "Six numbers g arrive. Their mean, 1, is taken away; then their part along x_hat, 1.5 times x_hat. What "
        "is left has sum 0, and sum 0 with x_hat. Divided by the standard deviation it is dx.",
    )
    rows = (
        ("x_hat: x less its mean, by its std", x_hat, "", ""),
        ("g: what arrives at x_hat", g, "back", f"mean {shown(g.mean())}"),
        ("g less its mean", centred, "back", f"sum {shown(centred.sum())}"),
        (f"part along x_hat: {shown(part)} · x_hat", part * x_hat, "", f"{shown(part)} = sum(g x_hat) / {M}"),
        ("less that part", rest, "back", f"sum {shown(rest.sum())}, sum with x_hat {shown((rest * x_hat).sum())}"),
        ("dx: divided by std = 2", dx, "back", ""),
    )
    for i, (title, values, kind, note) in enumerate(rows):
        top = 34 + 88 * i
        d.text(18, top - 9, title, size=14, kind=kind, anchor="start", bold=True)
        d.grid(18, top, values[None], cell=34, wide=54, kind=kind, largest=5, size=14)
        d.text(342, top + 50, note, size=12, kind="note", anchor="end")
    return d


def masks() -> Drawing:
    """Dropout: one mask, forward and backward."""
    rng = np.random.default_rng(11)
    x, dout = rng.integers(1, 9, (4, 4)).astype(float), rng.integers(-4, 5, (4, 4)).astype(float)
    out, cache = dropout(x, 0.5, rng=4)
    dx = dropout_backward(dout, cache)
    d = Drawing(
        360,
        352,
        "Dropout: the same mask twice",
        "Forward: the numbers under the mask's zeros become 0, the others are doubled, since p is one half. "
        "Backward: the same mask, the same factor.",
    )
    for top, first, last, kind in ((40, x, out, ""), (204, dout, dx, "back")):
        d.grid(8, top, first, cell=26, title="dout" if kind else "x", kind=kind, size=13)
        d.grid(128, top, cache.mask.astype(float), cell=26, title="mask", size=13)
        d.grid(248, top, last, cell=26, title="dx" if kind else "out", kind=kind, size=13)
        d.text(120, top + 58, "·", size=20)
        d.text(240, top + 58, "→", size=15)
    d.text(180, 168, "forward: x · mask · 2", size=14)
    d.text(180, 334, "backward: dout · mask · 2", size=14, kind="back")
    return d


def two_ways() -> Drawing:
    """A residual: x goes two ways, so its gradient is a sum. Upsampling: one pixel goes four ways."""
    x = np.array([[1.0, 2], [3, 4]])[None, None]
    out, cache = upsample_nearest2d(x, 2)
    dout = np.array([[1.0, 0, 2, -1], [0.5, 1, 0, -3], [-1, 1, 3, 0], [0, 4, 0, -1]])
    dx = upsample_nearest2d_backward(dout[None, None], cache)[0, 0]
    d = Drawing(
        360,
        620,
        "Two ways, one sum",
        "Residual: x reaches the output along the body and along the shortcut; the gradients of both ways are added. "
        "Upsampling: each pixel is copied to four places; its gradient is the sum of theirs.",
    )
    d.text(12, 24, "Residual: out = x + body(x)", size=15, anchor="start", bold=True)
    for top, kind in ((64, ""), (168, "back")):
        ways = [[(40, top + 20), (40, top - 10), (290, top - 10), (290, top + 8)], [(52, top + 20), (120, top + 20)]]
        ways += [[(220, top + 20), (278, top + 20)], [(302, top + 20), (340, top + 20)]]
        for way in ways:
            d.arrow(way[::-1] if kind else way, kind=kind)
        d.outline(122, top, 96, 40, kind=kind, thick=2)
        d.text(170, top + 25, "body", kind=kind)
        for centre in (40, 290):
            d.add(f'<circle cx="{centre}" cy="{top + 20}" r="13" class="page"/>')
        d.add(f'<circle cx="{40 if kind else 290}" cy="{top + 20}" r="12" class="ink {kind}" stroke-width="2"/>')
        d.text(40, top + 26, "+" if kind else "x", kind=kind, size=17)
        d.text(290, top + 26, "+" if not kind else "•", kind=kind, size=17)
    d.text(40, 224, "dx", kind="back")
    d.text(322, 212, "dout", kind="back")
    d.text(180, 248, "dx = dout + what comes back through the body", size=14, kind="back")
    d.text(12, 294, "Upsampling by 2", size=15, anchor="start", bold=True)
    d.grid(40, 348, x[0, 0], cell=34, title="x")
    d.grid(200, 332, out[0, 0], cell=30, title="out")
    d.arrow([(122, 382), (188, 382)])
    d.grid(40, 502, dx, cell=34, title="dx", kind="back", size=14)
    d.grid(200, 484, dout, cell=30, title="dout", kind="back", size=13)
    d.arrow([(188, 536), (122, 536)], kind="back")
    d.outline(200, 332, 60, 60, kind="cool")
    d.outline(200, 484, 60, 60, kind="cool")
    d.outline(40, 502, 34, 34, kind="cool")
    d.outline(40, 348, 34, 34, kind="cool")
    d.text(78, 594, " + ".join(shown(v) for v in dout[:2, :2].ravel()) + f" = {shown(dx[0, 0])}", size=13, kind="cool")
    return d


LR = 160
"""The learning rate of the step of `pull_on_a_map`."""


def pull_on_a_map() -> Drawing:
    """A heat map's shares with the soft argmax, and how a gradient step changes the map."""
    side = 7
    rows, columns = np.mgrid[:side, :side]
    x = 3.0 * np.exp(-((columns - 2.1) ** 2 + (rows - 3.7) ** 2) / 3.0)
    out, cache = soft_argmax2d(x[None, None])
    target = np.array([[3 / 7, -3 / 7]])  # where four pixels meet, as the disc nearly is: no number is covered
    dout = out - target
    step = -soft_argmax2d_backward(dout, cache)[0, 0]
    moved = soft_argmax2d((x + LR * step)[None, None])[0]
    d = Drawing(
        360,
        582,
        "Soft argmax: the pull of the gradient",
        "Above: the share of each pixel in percent; the disc is the mean position, the ring the target. Below: a step "
        "against the gradient raises the blue scores, on the side of the target, and lowers the orange ones. The disc "
        "has moved towards the ring.",
    )
    cell = 34

    def mark(top: float, place: np.ndarray, kind: str, hollow: bool) -> None:
        px, py = np.array([61, top]) + (place + 1) / 2 * cell * side
        look = 'class="page"' if hollow else f'class="tip {kind}"'
        d.add(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" {look} fill-opacity="{0 if hollow else 1}"/>')
        d.add(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="6" class="ink {kind}" stroke-width="2.5"/>')

    d.grid(61, 32, 100 * cache.share[0, 0], cell=cell, title="share of each pixel, in %", digits=0, size=13)
    mark(32, out[0], "", False)
    mark(32, target[0], "back", True)
    d.grid(61, 320, step, cell=cell, title="what a step adds to each score", numbers=False)
    for row, column in np.ndindex(side, side):
        sign = "+" if step[row, column] > 0.002 else "-" if step[row, column] < -0.002 else ""
        if sign:
            d.text(61 + cell * (column + 0.5), 325 + cell * (row + 0.5), sign, size=15)
    mark(320, moved[0], "", False)
    mark(320, target[0], "back", True)
    d.text(180, 291, "disc: mean position; ring: target", size=13, kind="note")
    d.text(180, 574, f"disc: mean position after a step with lr {LR}", size=13, kind="note")
    return d
