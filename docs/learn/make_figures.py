"""Makes every figure of docs/learn/figures: `python docs/learn/make_figures.py [NAME ...]`.

Names are those of the files, such as 06-unfold.svg; without a name all are made. The same machine makes the same bytes
each time; tests/learn/test_figures.py holds the committed files to it.
"""

import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from drawings import curves, layers, matrices, net, windows  # noqa: E402

from numpynet.learn.grids import Drawing  # noqa: E402

FIGURES: dict[str, Callable[[], Drawing]] = {
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
}


def main(names: list[str]) -> int:
    unknown = sorted(set(names) - set(FIGURES))
    if unknown:
        sys.stderr.write(f"there is no figure {unknown[0]}; there are {', '.join(FIGURES)}\n")
        return 2
    folder = HERE / "figures"
    folder.mkdir(exist_ok=True)
    for name in names or FIGURES:
        text = FIGURES[name]().svg()
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{name:24} {len(text.encode()) / 1000:6.1f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
