"""docs/learn/bench.html in a browser: it computes what conv2d.py computes, by mouse and by keyboard."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from numpynet.functional import conv2d, conv2d_backward
from numpynet.learn import one_point
from tests.browsers import LOW_CONTRAST, launched

LEARN = Path(__file__).parents[2] / "docs" / "learn"
PAGE = LEARN / "bench.html"


@pytest.fixture(scope="module")
def browser():
    with launched() as running:
        yield running


@pytest.fixture(params=[1280])
def tab(browser, request):
    """The page, freshly opened. At the end no script may have failed, and no file but the page been asked for."""
    requests, errors = [], []
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    opened.on("request", lambda asked: requests.append(asked.url) if not asked.url.startswith("data:") else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(PAGE.as_uri())
    yield opened
    context.close()
    assert requests == [PAGE.as_uri()]
    assert errors == []


def numbers(tab, grid):
    """The numbers that a grid shows; None in an empty cell."""
    script = """table => [...table.rows].map(row => [...row.cells].map(
        cell => cell.querySelector("input")?.value ?? cell.textContent))"""
    return [[float(text) if text else None for text in row] for row in tab.locator(f"#{grid}").evaluate(script)]


def marked(tab, grid):
    """Row and column of each marked cell of a grid."""
    script = "table => [...table.querySelectorAll('.marked')].map(c => [Number(c.dataset.r), Number(c.dataset.c)])"
    return [tuple(place) for place in tab.locator(f"#{grid}").evaluate(script)]


def cell(tab, grid, row, column):
    return tab.locator(f"#{grid} tr:nth-child({row + 1}) td:nth-child({column + 1})")


def random_case(rng):
    """Arguments of conv2d that fit together, with gradients that vary."""
    while True:
        n, c, f = rng.integers(1, 4, 3)
        size, kernel = rng.integers(1, 9, 2), rng.integers(1, 5, 2)
        stride, padding, dilation = rng.integers(1, 4, 2), rng.integers(0, 4, 2), rng.integers(1, 4, 2)
        if all(dilation * (kernel - 1) + 1 <= size + 2 * padding):
            break
    x, weight = rng.normal(size=(n, c, *size)), rng.normal(size=(f, c, *kernel))
    bias = rng.normal(size=f) if rng.random() < 0.8 else None
    pairs = {"stride": stride, "padding": padding, "dilation": dilation}
    out, cache = conv2d(x, weight, bias, **{name: tuple(map(int, pair)) for name, pair in pairs.items()})
    dout = rng.normal(size=out.shape)
    dx, dweight, dbias = conv2d_backward(dout, cache)
    given = {"x": x, "weight": weight, "bias": bias, "dout": dout, "options": pairs}
    expected = {"out": out, "dx": dx, "dweight": dweight, "dbias": dbias}
    return given, expected


def as_lists(value):
    if isinstance(value, dict):
        return {name: as_lists(inner) for name, inner in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def test_the_twin_computes_what_conv2d_computes(tab):
    """500 random cases: all shapes the same, the largest difference below 1e-12."""
    rng = np.random.default_rng(20)
    cases = [random_case(rng) for _ in range(500)]
    script = """cases => cases.map(({x, weight, bias, dout, options}) => {
        const {dx, dweight, dbias} = conv2dBackward(dout, x, weight, options);
        return {out: conv2d(x, weight, bias, options), dx, dweight, dbias}; })"""
    found = tab.evaluate(script, [as_lists(given) for given, _ in cases])
    largest = 0.0
    for (_, expected), twin in zip(cases, found, strict=True):
        for name, array in expected.items():
            if array is None:
                continue
            assert np.shape(twin[name]) == array.shape
            largest = max(largest, float(np.abs(np.array(twin[name]) - array).max()))
    print(f"largest difference of {len(cases)} cases: {largest:.1e}")
    assert 0 < largest < 1e-12


def test_it_shows_the_lines_of_conv2d_as_they_are():
    """If this fails, `python docs/learn/make_figures.py` writes them anew."""
    sys.path.insert(0, str(LEARN))
    try:
        with_code = importlib.import_module("drawings.bench").with_code
    finally:
        sys.path.remove(str(LEARN))
    page = PAGE.read_text(encoding="utf-8")
    assert with_code(page) == page
    assert page.count("<code>") > 30


def test_it_begins_with_the_one_point_net(tab):
    tensors = one_point.tensors()
    for grid, name in (
        ("x", "x"),
        ("weight", "conv.weight"),
        ("out", "conv.out"),
        ("dout", "dconv"),
        ("dx", "dx"),
        ("dweight", "conv.weight.grad"),
    ):
        assert np.array_equal(numbers(tab, grid), tensors[name][0, 0]), grid
    assert numbers(tab, "bias") == [[tensors["conv.bias"][0]]]
    assert numbers(tab, "dbias") == [[tensors["conv.bias.grad"][0]]]
    titles = {grid: tab.locator(f"#{grid}-title").text_content() for grid in ("x", "bias", "dbias")}
    assert titles == {"x": "x (5, 5)", "bias": "bias (1,)", "dbias": "dbias (1,)"}


def shown_agree(tab, options):
    """Whether all that the page shows is what conv2d computes of the numbers it shows, to the 4 digits shown."""
    p = options.get("padding", 0)
    padded, weight, bias, dout = (np.array(numbers(tab, grid)) for grid in ("x", "weight", "bias", "dout"))
    x = padded[p : len(padded) - p, p : padded.shape[1] - p]
    out, cache = conv2d(x[None, None], weight[None, None], bias[0], **options)
    dx, dweight, dbias = conv2d_backward(dout[None, None], cache)
    inner = np.array(numbers(tab, "dx"))[p : len(padded) - p, p : padded.shape[1] - p]
    pairs = [(numbers(tab, "out"), out[0, 0]), (inner, dx[0, 0]), (numbers(tab, "dweight"), dweight[0, 0])]
    return all(
        np.allclose(shown, right, rtol=0, atol=6e-5) for shown, right in [*pairs, (numbers(tab, "dbias"), [dbias])]
    )


def test_geometry_can_be_changed(tab):
    """Picture, kernel, stride, padding, dilation."""
    before = numbers(tab, "out")
    for name, value in (
        ("height", 7),
        ("width", 6),
        ("kernelHeight", 2),
        ("padding", 2),
        ("stride", 2),
        ("dilation", 2),
    ):
        tab.locator(f"#{name}").fill(str(value))
    assert shown_agree(tab, {"stride": 2, "padding": 2, "dilation": 2})
    assert np.shape(numbers(tab, "x")) == (11, 10)
    assert np.shape(numbers(tab, "out")) == (5, 3)
    tab.locator("#reset").click()
    assert numbers(tab, "out") == before


def test_pointing_shows_the_window_and_the_senders(tab):
    """An output marks its window; a gradient marks the numbers of dout that sent it, and the line that adds them."""
    cell(tab, "out", 1, 2).hover()
    assert marked(tab, "x") == [(r, c) for r in (1, 2, 3) for c in (2, 3, 4)]
    assert "out[n] = filters @ unfold" in tab.locator(".running").inner_text()
    cell(tab, "dx", 0, 1).hover()
    assert marked(tab, "dout") == [(0, 0), (0, 1)]
    assert marked(tab, "weight") == [(0, 0), (0, 1)]
    assert marked(tab, "x") == []
    assert "dimage[:, rows, columns] += dunfolded" in tab.locator(".running").inner_text()
    assert tab.locator("#line").inner_text().startswith("dimage[:, rows, columns] +=")
    cell(tab, "dx", 2, 3).hover()
    assert tab.locator("#says").inner_text().endswith("1.125 · 1 + (-0.375) · 0.5 + 0 · (-0.5) + (-0.5) · 1 = 0.4375")


def test_by_keyboard_alone(tab):
    """Tab reaches each grid once, arrow keys move inside it, a typed number is used."""
    tab.locator("#reset").focus()
    place = """(({ id, dataset }) => [id, dataset.r, dataset.c])({
        id: document.activeElement.closest("table").id, dataset: document.activeElement.closest("td").dataset })"""
    reached = []
    for _ in range(8):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate(place)[0])
    assert reached == ["x", "weight", "bias", "out", "dout", "dx", "dweight", "dbias"]
    tab.locator("#reset").focus()
    for key in ("Tab", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowUp"):
        tab.keyboard.press(key)
    assert tab.evaluate(place) == ["x", "0", "1"]  # the second ArrowUp met the edge
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')") == "x row 0, column 1: 0"
    tab.keyboard.type("-1.5")
    assert numbers(tab, "x")[0][1] == -1.5
    assert shown_agree(tab, {})
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Shift+Tab")
    assert tab.evaluate(place) == ["x", "1", "1"]  # where one was
    for _ in range(3):
        tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate(place) == ["out", "0", "1"]
    assert marked(tab, "x") == [(r, c) for r in (0, 1, 2) for c in (1, 2, 3)]
    assert tab.locator("#says").inner_text().startswith("out row 0, column 1: (-1.5) · 0.5 + ")


def test_a_bad_number_is_named_and_the_old_one_used(tab):
    before = numbers(tab, "out")
    field, error = cell(tab, "x", 2, 3).locator("input"), tab.locator("#x-error")
    for text in ("", "abc", "1e400", "--1", "NaN", "0x", "1/2"):
        field.fill(text)
        assert f'row 2, column 3: "{text}" is not a number' in error.inner_text()
        assert "2 is still used" in error.inner_text()
        assert field.get_attribute("aria-invalid") == "true"
        assert numbers(tab, "out") == before
        field.press("Tab")
        assert numbers(tab, "x")[2][3] == 2
        assert error.inner_text() == ""


def test_a_bad_size_is_named_beside_its_field(tab):
    before = numbers(tab, "dx")
    for name, text in (("stride", "0"), ("stride", "1.5"), ("padding", "-1"), ("height", "8"), ("dilation", "")):
        field, error = tab.locator(f"#{name}"), tab.locator(f"#{name}-error")
        good = field.input_value()
        field.fill(text)
        assert "must be a whole number from" in error.inner_text()
        assert f'not "{text}"; {good} is still used' in error.inner_text()
        assert numbers(tab, "dx") == before
        field.fill(good)
        assert error.inner_text() == ""


def test_a_kernel_that_does_not_fit_waits_until_it_does(tab):
    tab.locator("#width").fill("3")
    tab.locator("#kernelWidth").fill("4")
    assert (
        "along the width the kernel covers 4 pixels, and the padded picture has 3; 3 is still used"
        in tab.locator("#kernelWidth-error").inner_text()
    )
    assert np.shape(numbers(tab, "weight")) == (3, 3)
    tab.locator("#padding").fill("1")
    assert tab.locator("#kernelWidth-error").inner_text() == ""
    assert np.shape(numbers(tab, "weight")) == (3, 4)
    assert shown_agree(tab, {"padding": 1})


def test_the_steps_follow_the_code(tab):
    """Every step marks one line; dx is empty before the backward pass and grows to its sum."""
    whole = numbers(tab, "dx")
    lines, halfway = [], None
    for _ in range(int(tab.locator("#count").inner_text().split()[0])):
        tab.locator("#next").click()
        (line,) = tab.locator(".running").all_inner_texts()
        lines.append(line.split("#")[0].strip())
        if lines.count(line.split("#")[0].strip()) == 5 and line.strip().startswith("dimage"):
            halfway = numbers(tab, "dx")
        if len(lines) == 1:
            assert numbers(tab, "dx") == [[None] * 5] * 5
            assert numbers(tab, "out") == [[None] * 3] * 3
    assert lines.count("unfolded[:, kh, kw] = image[:, rows, columns]") == 9
    assert lines.count("dimage[:, rows, columns] += dunfolded[:, kh, kw]") == 9
    assert halfway is not None
    assert halfway != whole
    assert numbers(tab, "dx") == whole
    assert tab.locator("#next").is_disabled()


@pytest.mark.parametrize("tab", [390], indirect=True)
def test_a_phone_shows_it_without_scrolling_sideways(tab):
    tab.locator("#height").fill("7")
    tab.locator("#width").fill("7")
    tab.locator("#padding").fill("2")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.locator("#x").bounding_box()["width"] <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out(tab, scheme):
    """At the start and while steps are shown. A title that is made gray is found."""
    tab.emulate_media(color_scheme=scheme)
    assert tab.evaluate(LOW_CONTRAST) == []
    for _ in range(13):
        tab.locator("#next").click()
    assert tab.evaluate(LOW_CONTRAST) == []
    tab.locator("h1").evaluate("title => { title.style.color = '#777'; title.style.fontSize = '16px'; }")
    (pale,) = tab.evaluate(LOW_CONTRAST)
    assert pale.startswith('"The convolution bench"')


def test_it_says_what_its_colours_mean(tab):
    said = " ".join(tab.locator("p.note").first.inner_text().split())
    assert "blue if its number is positive and orange if it is negative" in said
