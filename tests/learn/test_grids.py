"""numpynet.learn.grids: arrays as SVG grids."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from numpynet.learn.colours import NEGATIVE, NEGATIVE_ON_DARK, POSITIVE, POSITIVE_ON_DARK
from numpynet.learn.grids import Drawing, shown

SVG = "{http://www.w3.org/2000/svg}"


def drawing(**options):
    return Drawing(360, 200, "A grid", "Two numbers & more", **options)


def parsed(d):
    return ET.fromstring(d.svg())


LEGEND = ["positive", "negative", "deeper colour: larger number"]


def texts(element):
    return [text.text for text in element.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.5, 4, "0.5"), (-0.0, 4, "0"), (-0.00001, 4, "0"), (10, 0, "10"), (100, 4, "100"), (1 / 3, 4, "0.3333")],
)
def test_numbers_are_short_and_right(value, digits, text):
    assert shown(value, digits) == text


def test_a_grid_has_every_number_at_its_place():
    values = np.array([[1.0, -0.5, 0], [0.25, 20, 3]])
    d = drawing()
    d.grid(10, 30, values, cell=40, title="x (2, 3)")
    svg = parsed(d)
    assert texts(svg) == ["x (2, 3)", "1", "-0.5", "0", "0.25", "20", "3", *LEGEND]
    (group,) = svg.findall(f"{SVG}g")
    assert group.get("transform") == "translate(10 30)"
    places = [float(text.get("x")) for text in group.iter(f"{SVG}text")]
    assert places == [20, 60, 100, 20, 60, 100]


def test_colour_tells_sign_and_size():
    d = drawing()
    d.grid(0, 20, np.array([[2.0, -1, 0]]))
    svg = parsed(d)
    cells, swatches = (
        [(r.get("class"), float(r.get("fill-opacity"))) for r in element if r.get("fill-opacity")]
        for element in (svg.find(f"{SVG}g"), svg)
    )
    assert [name for name, _ in cells] == ["pos", "neg"]  # none for 0
    assert cells[0][1] > cells[1][1] > 0
    assert swatches == [("pos", cells[0][1]), ("neg", cells[0][1])]  # the legend: the deepest of each


def test_an_error_of_rounding_gets_no_colour():
    d = drawing()
    d.grid(0, 20, np.array([[2.0, 2e-16, -2e-10, -2e-8]]))
    cells = parsed(d).find(f"{SVG}g")
    assert [r.get("class") for r in cells if r.get("fill-opacity")] == ["pos", "neg"]


def test_a_legend_stands_below_coloured_numbers_alone():
    plain, zeros, coloured = drawing(), drawing(), drawing()
    plain.grid(0, 20, np.array([[1.0]]), colours=np.array([[2]]))
    zeros.grid(0, 20, np.zeros((1, 2)))
    coloured.grid(0, 20, np.array([[-1.0]]))
    assert [parsed(d).get("height") for d in (plain, zeros, coloured)] == ["200", "200", "222"]
    assert [texts(parsed(d))[-3:] == LEGEND for d in (plain, zeros, coloured)] == [False, False, True]


def test_colours_of_the_two_signs_are_in_the_style():
    """Those of numpynet.learn.colours, light and dark."""
    style = parsed(drawing()).findtext(f"{SVG}style")
    light, dark = style.split("prefers-color-scheme:dark")
    for part, signs in ((light, (POSITIVE, NEGATIVE)), (dark, (POSITIVE_ON_DARK, NEGATIVE_ON_DARK))):
        for name, colour in zip(("pos", "neg"), signs, strict=True):
            assert f".{name}{{fill:rgb({','.join(map(str, colour))})}}" in part


def test_title_and_description_are_read_aloud_and_escaped():
    svg = parsed(drawing())
    assert svg.get("aria-labelledby") == "title desc"
    assert svg.findtext(f"{SVG}title") == "A grid"
    assert svg.findtext(f"{SVG}desc") == "Two numbers & more"


def test_frames_move_only_for_readers_who_allow_motion():
    d = drawing(frames=4, seconds=0.5, still=2)
    for frame in range(4):
        with d.during(frame):
            d.text(5, 5, f"only {frame}")
    with d.since(3):
        d.text(5, 5, "from 3 on")
    style = parsed(d).findtext(f"{SVG}style")
    without, moving = style.split("@media (prefers-reduced-motion:no-preference)")
    assert "animation" not in without
    assert ".o{opacity:0}.o.s{opacity:1}" in without
    assert ".o{animation:o 2s step-end infinite}" in moving
    groups = {group.find(f"{SVG}text").text: group for group in parsed(d).iter(f"{SVG}g")}
    assert [text for text, group in groups.items() if group.get("class") == "o s"] == ["only 2"]
    assert groups["only 3"].get("style") == "animation-delay:-0.5s"
    assert groups["only 0"].get("style") == "animation-delay:-2s"
    assert groups["from 3 on"].get("class") == "f3"


def test_a_still_picture_has_no_animation():
    assert "animation" not in drawing().svg()


def test_cells_drawn_later_hide_those_below():
    """A cell of `where` brings a background of its own; the other cells are not drawn."""
    d = drawing()
    d.grid(0, 20, np.array([[7.0, 8]]), where=np.array([[False, True]]))
    svg = parsed(d)
    assert texts(svg) == ["8", *LEGEND]
    (group,) = svg.findall(f"{SVG}g")
    assert [rect.get("class") for rect in group.findall(f"{SVG}rect")] == ["page", "pos", "faint", "line"]


def test_long_numbers_get_smaller_digits():
    def size(number):
        d = drawing()
        d.grid(0, 20, np.array([[number]]), cell=36)
        return float(re.search(r"translate\(0 20\)\" style=\"font-size:([\d.]+)px", d.svg())[1])

    assert size(5.0) == 16
    assert size(-0.4375) < size(0.25) < 16


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"still must lie in 0 \.\. 2, got 3"):
        drawing(frames=3, still=3)
    with pytest.raises(ValueError, match=r"values must be a matrix, got shape \(3,\)"):
        drawing().grid(0, 0, np.zeros(3))
    with pytest.raises(ValueError, match="there is no frame 3 of 3"), drawing(frames=3).during(3):
        pass
    with pytest.raises(ValueError, match="there is no frame -1 of 3"), drawing(frames=3).since(-1):
        pass
    with pytest.raises(ValueError, match="the last two points are the same"):
        drawing().arrow([(1, 1), (1, 1)])
