"""Makes every figure of docs/learn/figures: `python docs/learn/make_figures.py [NAME ...]`.

Names are those of the files, such as 06-unfold.svg. Without a name all are made, and the lines of conv2d.py are written
into bench.html. It takes about 20 seconds, nearly all of them for the trainings that the figures of page 15 show.

The drawn figures have the same bytes on every machine, and tests/learn/test_figures.py holds the committed files to it.
Those of page 15 are the same on one machine: the last digits of a training differ between processors.
"""

import difflib
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from drawings import bench, curves, ladder, layers, matrices, net, training, windows  # noqa: E402

from numpynet.learn import faces  # noqa: E402
from numpynet.learn.grids import Drawing  # noqa: E402
from numpynet.learn.showing import settle  # noqa: E402
from numpynet.learn.showing.face_picture import as_svg  # noqa: E402

DRAWN: dict[str, Callable[[], Drawing]] = {
    "01-net.svg": net.whole_net,
    "02-jacobians.svg": matrices.six_jacobians,
    "03-linear.svg": layers.who_touches_whom,
    "04-relu.svg": curves.relu_and_slope,
    "05-losses.svg": curves.losses_over_slopes,
    "06-unfold.svg": windows.unfold_in_colours,
    "06-forward.svg": windows.conv_forward,
    "07-backward.svg": windows.conv_backward,
    "07-matrix.svg": matrices.banded,
    "08-wins-twice.svg": windows.pixel_that_wins_twice,
    "08-pooling.svg": windows.pool_animated,
    "09-projector.svg": layers.projector,
    "10-masks.svg": layers.masks,
    "11-two-ways.svg": layers.two_ways,
    "12-pull.svg": layers.pull_on_a_map,
    "13-paths.svg": curves.paths,
    "17-ladder.svg": ladder.ladder,
}

SETTLING, CURVES = "15-settling.svg", "15-curves.svg"


def settling() -> str:
    """What `settle --svg FILE` writes: the 68 points of a crop while a small network learns."""
    moments = settle.train(settle.small_net())
    shown = [(moment.step, moment.points[0]) for moment in moments if moment.step in settle.SHOWN]
    return as_svg(faces.crops()[0][0, 0], shown)


TRAINED: dict[str, Callable[[], str]] = {SETTLING: settling, CURVES: lambda: training.curves().svg()}


def main(names: list[str]) -> int:
    known = [*DRAWN, *TRAINED]
    unknown = sorted(set(names) - set(known))
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, 1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
        sys.stderr.write(f"there is no figure {unknown[0]}; {hint}\n")
        return 2
    folder = HERE / "figures"
    folder.mkdir(exist_ok=True)
    for name in names or known:
        text = TRAINED[name]() if name in TRAINED else DRAWN[name]().svg()
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{name:24} {len(text.encode()) / 1000:6.1f} kB")
    if not names:
        page = HERE / "bench.html"
        page.write_text(bench.with_code(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
