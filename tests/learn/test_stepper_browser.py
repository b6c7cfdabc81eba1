"""The stepper's page in a real browser: keys, pictures, numbers under the pointer, a phone's width, and no request."""

import re

import numpy as np
import pytest

from numpynet.learn.colours import NEGATIVE, POSITIVE
from numpynet.learn.stepping import step_page, stepper
from tests.browsers import LOW_CONTRAST, launched


@pytest.fixture(scope="module")
def browser():
    with launched() as running:
        yield running


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The steps of a network on faces, and the file of their page."""
    steps, title = stepper.take("hourglass", before=0)
    file = tmp_path_factory.mktemp("page") / "step.html"
    file.write_text(step_page.html(steps, title), "utf-8")
    return steps, file


@pytest.fixture
def opened(browser):
    """Opens a file; at the end checks that no script failed and nothing was asked for but the file itself."""
    contexts, strays, errors = [], [], []

    def open_page(file, width=1200, scheme="light", at=""):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        own = (file.as_uri(), "data:")
        tab.on("request", lambda request: strays.append(request.url) if not request.url.startswith(own) else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        tab.goto(file.as_uri() + at)
        tab.locator("#tensors figure").first.wait_for()
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert (strays, errors) == ([], [])


def titles(tab):
    """The phase and the title that are shown, and the count."""
    return tab.evaluate("""() => [document.querySelector('#step small').textContent,
        document.getElementById('step').lastChild.textContent, document.getElementById('count').textContent]""")


def test_keys_lead_through_all_steps_and_back(opened, tmp_path):
    steps, title = stepper.take("one-point")
    file = tmp_path / "step.html"
    file.write_text(step_page.html(steps, title), "utf-8")
    tab = opened(file)
    assert tab.title() == title
    for i, step in enumerate(steps):
        phase = {"input": "Start"}.get(step.phase, step.phase.capitalize())
        assert titles(tab) == [phase, step.title, f"{i + 1} of {len(steps)}"]
        assert tab.locator("#words").text_content() == step.words
        for j, tensor in enumerate(step.tensors):
            figure = tab.locator("#tensors figure").nth(j)
            assert figure.locator("b").text_content() == tensor.name
            shown = [float(text) for text in figure.locator("td").all_text_contents()]
            np.testing.assert_allclose(shown, tensor.array.ravel(), rtol=5e-4)
        tab.keyboard.press("ArrowRight")
    assert titles(tab)[2] == f"{len(steps)} of {len(steps)}"  # the last key went nowhere
    assert tab.locator("#next").is_disabled()
    tab.keyboard.press("ArrowLeft")
    assert titles(tab)[2] == f"{len(steps) - 1} of {len(steps)}"
    tab.keyboard.press("Home")
    assert titles(tab)[:2] == ["Start", "The picture"]
    tab.locator("#next").click()
    assert titles(tab)[1] == "conv"


def test_the_number_under_the_pointer_is_the_arrays(opened, faces):
    steps, file = faces
    place = next(i for i, step in enumerate(steps) if (step.phase, step.title) == ("forward", "stem2: Conv2d"))
    tab = opened(file, at=f"#{place + 1}")
    figure = tab.locator("#tensors figure").filter(has=tab.locator("b", has_text=re.compile("^out$")))
    image = figure.locator("img")
    image.scroll_into_view_if_needed()
    out = next(tensor.array for tensor in steps[place].tensors if tensor.name == "out")[0]
    box = image.bounding_box()
    across, pitch = 4, 48 + 1  # twelve maps of 48 x 48 pixels
    zoom = box["width"] / (across * pitch - 1)
    for channel, row, column in ((0, 5, 7), (6, 40, 20), (11, 47, 47)):
        x = (channel % across * pitch + column + 0.5) * zoom
        y = (channel // across * pitch + row + 0.5) * zoom
        image.hover(position={"x": x, "y": y})
        text = figure.locator(".note").text_content()
        assert text.startswith(f"channel {channel}, row {row}, column {column}: about ")
        right = out[channel, row, column]
        assert float(text.rsplit(" ", 1)[1]) == pytest.approx(right, abs=0.51 / 31 * float(np.abs(out[:12]).max()))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(opened, faces, scheme):
    steps, file = faces
    tab = opened(file, width=390, scheme=scheme)
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
    for i in range(0, len(steps), 9):
        tab.evaluate(f"show({i})")
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        loaded = "Array.from(document.images).every(i => i.complete && i.naturalWidth > 0)"
        tab.wait_for_function(f"() => {loaded}")
        assert tab.evaluate(LOW_CONTRAST) == []


def test_every_picture_says_what_it_shows(opened, faces):
    steps, file = faces
    tab = opened(file)
    for i, step in enumerate(steps):
        tab.evaluate(f"show({i})")
        for text in tab.evaluate("Array.from(document.images, image => image.alt)"):
            name, shape, *rest = text.split(", ", 2)
            assert any(
                name == tensor.name and shape == " × ".join(map(str, tensor.array.shape)) for tensor in step.tensors
            )
            assert re.match(r"as a picture: -?[\d.e+-]+ to -?[\d.e+-]+, mean ", rest[0]), text
            if re.fullmatch("d?(x|out)", name):
                assert "filter" not in text  # an image's maps are channels


def test_a_legend_says_what_the_colours_mean(opened, faces):
    tab = opened(faces[1])
    assert tab.locator("footer").inner_text().startswith("Blue is positive, orange is negative, and 0 is white")
    ends = re.findall(r"rgb\([\d, ]+\)", tab.locator("#scale").evaluate("one => getComputedStyle(one).backgroundImage"))
    assert [ends[0], ends[-1]] == [f"rgb{colour}" for colour in (NEGATIVE, POSITIVE)]
