"""The figures in a real browser: no text is cut, covered, crossed by a line or printed over another one."""

from pathlib import Path

import numpy as np
import pytest

from numpynet.learn.grids import Drawing
from tests.browsers import launched, script

FIGURES = Path(__file__).parents[2] / "docs" / "learn" / "figures"
DRAWN = sorted(set(FIGURES.glob("[0-9]*.svg")) - {FIGURES / "15-settling.svg"})
CALL = f"({script(Path(__file__).parent / 'figure_faults.js')})(document.querySelector('svg'))"
SEEK = """share => document.getAnimations().forEach(one => {
    one.pause();
    one.currentTime = share * one.effect.getComputedTiming().duration; })"""
MOMENTS = (0.01, 0.36, 0.71)
"""Of an animation, as shares of its length."""


@pytest.fixture(scope="module")
def faults():
    """A function: what is wrong with a drawing, without motion and at each of MOMENTS."""
    with launched() as browser:
        still, moving = (browser.new_page(reduced_motion=motion) for motion in ("reduce", "no-preference"))

        def of(svg):
            still.set_content(f'<body style="margin:0">{svg}')
            found = still.evaluate(CALL)
            if "@keyframes" in svg:
                moving.set_content(f'<body style="margin:0">{svg}')
                for moment in MOMENTS:
                    moving.evaluate(SEEK, moment)
                    found += moving.evaluate(CALL)
            return found

        yield of


@pytest.mark.parametrize("path", DRAWN, ids=lambda path: path.name)
def test_every_text_can_be_read(faults, path):
    assert faults(path.read_text("utf-8")) == []


def test_all_figures_are_looked_at():
    assert len(DRAWN) == 18


def draw(change):
    """A drawing without a fault, but for what `change` adds."""
    d = Drawing(360, 120, "A grid", "Two numbers", frames=2, still=0)
    d.grid(60, 40, np.array([[1.0, -2]]), cell=30)
    d.text(90, 100, "below", size=12)
    change(d)
    return d.svg()


def moving(d):
    with d.during(1):
        d.text(90, 104, "in frame 1", size=12)


def test_a_drawing_without_a_fault_has_none(faults):
    def change(d):
        d.grid(60, 40, np.array([[5.0, 0]]), cell=30, where=np.array([[True, False]]))  # hides the 1
        with d.during(0):
            d.text(60, 20, "only in frame 0", size=12)
        with d.during(1):
            d.text(60, 20, "only in frame 1", size=12)

    assert faults(draw(change)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d.text(340, 20, "a long line", size=12), '"a long line" touches the edge'),
        (lambda d: d.text(90, 102, "again", size=12), '"again" overlaps "below"'),
        (moving, '"in frame 1" overlaps "below"'),
        (lambda d: d.text(90, 20, "tiny", size=6), '"tiny" is too small'),
        (lambda d: d.add('<circle cx="75" cy="55" r="6" class="tip"/>'), '"1" is covered'),
        (lambda d: (d.line([(60, 20), (120, 10)]), d.text(90, 20, "cut", size=12)), '"cut" is crossed by a line'),
    ],
)
def test_a_planted_fault_is_found(faults, change, fault):
    assert fault in faults(draw(change))
