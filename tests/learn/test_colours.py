"""One scale of colours: figures, the bench, the stepper and the pictures of `fkp inspect` paint a sign alike."""

import re
from pathlib import Path

import numpy as np
import pytest

from fkp_app.inspection.signs import SIGNED
from numpynet.learn import grids
from numpynet.learn.colours import NEGATIVE, NEGATIVE_ON_DARK, POSITIVE, POSITIVE_ON_DARK, palette
from numpynet.learn.showing import png
from numpynet.learn.stepping import step_page, stepper

BENCH = Path(__file__).parents[2] / "docs" / "learn" / "bench.html"
SCHEMES = {"light": (POSITIVE, NEGATIVE), "dark": (POSITIVE_ON_DARK, NEGATIVE_ON_DARK)}


def test_the_palette_goes_from_negative_over_white_to_positive():
    colours = palette(31)
    assert colours.shape == (63, 3)
    assert [tuple(colours[i]) for i in (0, 31, 62)] == [NEGATIVE, (255, 255, 255), POSITIVE]
    blueness = colours[:, 2].astype(int) - colours[:, 0]
    assert np.all(blueness[:31] < 0)
    assert np.all(blueness[32:] > 0)
    assert np.all(np.diff(colours.sum(axis=1, dtype=int)) * np.repeat([1, -1], 31) > 0)  # paler towards 0


def test_pictures_of_the_stepper_and_of_inspect_use_it():
    picture = png.PALETTE[png.levels(np.array([[[-2.0, 0, 2]]]))][0, 0]
    assert [tuple(colour) for colour in picture] == [NEGATIVE, (255, 255, 255), POSITIVE]
    ends = np.rint(255 * np.array(SIGNED([0.0, 0.5, 1.0]))[:, :3]).astype(int)
    assert [tuple(colour) for colour in ends] == [NEGATIVE, (255, 255, 255), POSITIVE]


def test_tables_of_the_stepper_and_of_the_bench_use_it():
    page = step_page.html(*stepper.take("one-point"))
    found = re.findall(r"--positive: ([\d,]+); --negative: ([\d,]+);", page)
    assert found == [tuple(",".join(map(str, colour)) for colour in pair) for pair in SCHEMES.values()]
    found = re.findall(r"--pos:([\d ]+);--neg:([\d ]+)[;}]", BENCH.read_text("utf-8"))
    assert found == [tuple(" ".join(map(str, colour)) for colour in pair) for pair in SCHEMES.values()]


def luminance(colour):
    """Relative luminance of a colour of sRGB (WCAG 2.2)."""
    share = np.array(colour) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    """The contrast of two colours (WCAG 2.2), 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def rgb(text):
    return tuple(bytes.fromhex(text))


@pytest.mark.parametrize(
    ("scheme", "page", "digits", "back"),
    [("light", "ffffff", "1f2328", "a40e26"), ("dark", "0d1117", "f0f6fc", "ffa198")],
)
def test_digits_stand_out_from_the_deepest_colours(scheme, page, digits, back):
    """A contrast of at least 4.5 (WCAG 2.2, level AA). The colours are those of the figures' style sheet."""
    part = grids.STYLE.split("@media")[scheme == "dark"]
    for colour in (page, digits, back):
        assert f"#{colour}}}" in part.replace("#fff}", "#ffffff}")
    for sign in SCHEMES[scheme]:
        for ink, opacity in ((digits, grids.DEEPEST), (back, grids.DEEPEST_BACK)):
            ground = opacity * np.array(sign) + (1 - opacity) * np.array(rgb(page))
            assert contrast(rgb(ink), ground) >= 4.5, (scheme, sign, ink)
