"""The site in a real browser, opened as files: no request to a host, search works, notes beside or above the code."""

import pytest

from tests.browsers import LOW_CONTRAST, launched

SOURCE = "numpynet/functional/conv2d.html"


@pytest.fixture(scope="module")
def visit(site):
    """Opens a page of the site with a width and a colour scheme; at the end nothing may have been asked of a host."""
    strays, errors = [], []
    with launched() as browser:

        def open_page(name, width=1440, scheme="light"):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.on("request", lambda request: request.url.startswith(("file:", "data:")) or strays.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"file://{site.pages / name}")
            return page

        yield open_page
    assert (strays, errors) == ([], [])


@pytest.mark.parametrize(("width", "beside"), [(1440, True), (390, False)])
def test_notes_stand_beside_the_code_or_above_it(visit, width, beside):
    page = visit(SOURCE, width)
    row = page.locator(".annotated:has(.annotation)").first
    note, code = (row.locator(part).bounding_box() for part in (".annotation", ".annotated-code"))
    if beside:
        assert note["x"] + note["width"] <= code["x"]
        assert abs(note["y"] - code["y"]) < 20
    else:
        assert note["y"] + note["height"] <= code["y"]
        assert abs(note["x"] - code["x"]) < 2


@pytest.mark.parametrize("name", ["index.html", SOURCE, "docs/site/api/functional.html", "docs/stories/2-train.html"])
def test_no_page_is_wider_than_a_phone(visit, name):
    assert visit(name, 390).evaluate("document.documentElement.scrollWidth") <= 390


def test_the_page_follows_the_colour_scheme_of_the_reader(visit):
    colour = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    assert visit(SOURCE).evaluate(colour) > 200
    assert visit(SOURCE, scheme="dark").evaluate(colour) < 60


def test_search_finds_a_page_without_a_network(visit):
    page = visit("search.html?q=unfold")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert any("conv2d" in href for href in results.evaluate_all("all => all.map(one => one.href)"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["index.html", SOURCE, "docs/learn/07-convolution-backward.html", "docs/site/api/layers.html"]
)
def test_every_text_stands_out(visit, name, scheme):
    assert visit(name, scheme=scheme).evaluate(LOW_CONTRAST) == []


def test_formulas_are_set_in_the_font_that_the_site_ships(visit):
    page = visit("docs/learn/12-soft-argmax.html")
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    assert page.evaluate("[...document.fonts].map(font => [font.family, font.status])") == [["STIX Two Math", "loaded"]]


@pytest.mark.parametrize(("name", "own"), [("06-convolution", 3), ("others", 2), ("README", 0)])
def test_a_page_has_one_row_of_links_to_its_neighbours(visit, name, own):
    """Its own, or else that of the theme."""
    page = visit(f"docs/learn/{name}.html")
    assert page.locator("article p").last.locator("a").count() == own or own == 0
    assert page.locator(".related-pages a").count() == (0 if own else 2)
