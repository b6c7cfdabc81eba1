"""The page in a real browser without a screen: a visitor's actions, and what the page then shows."""

import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from fkp_app import detect
from fkp_app.media.images import read_image, write_image
from tests.app.web.conftest import start
from tests.browsers import launched
from tests.free_pictures import astronaut, hopper

WAIT = 60_000  # milliseconds
PLACE = re.compile(r"1 photo is before yours: about \d+ seconds?")


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """The picture of the browser's camera: a still of Grace Hopper, 640 x 480."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    still = Image.new("RGB", (640, 480), "gray")
    still.paste(Image.fromarray(hopper()[:480]), (64, 0))
    still.save(path, "JPEG", quality=95)
    return path


@pytest.fixture(scope="module")
def browser(camera):
    """The distribution's browser, without a screen, with a file as its camera."""
    options = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with launched(*options, f"--use-file-for-fake-video-capture={camera}") as running:
        yield running


@pytest.fixture
def visit(browser, page):
    """Opens the page as a new visitor; at the end checks that no script failed and nothing came from elsewhere."""
    contexts, strays, errors = [], [], []

    def open_page(width=1200):
        context = browser.new_context(viewport={"width": width, "height": 900}, permissions=["camera"])
        context.set_default_timeout(WAIT)
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: strays.append(request.url) if not request.url.startswith(own) else None)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(page.url)
        tab.locator("#photo input[type=file]").wait_for(state="attached")
        return tab

    own = (page.url, "data:", "blob:")
    yield open_page
    for context in contexts:
        context.close()
    assert (strays, errors) == ([], [])


def drop(tab, path):
    tab.set_input_files("#photo input[type=file]", str(path))


def says(tab, words):
    tab.locator("#status").get_by_text(words).wait_for()


def shown(tab):
    """The address of the shown picture, after it has loaded."""
    tab.wait_for_function("() => { const i = document.querySelector('#result img'); return i && i.naturalWidth > 0 }")
    return tab.locator("#result img").get_attribute("src")


def after(tab, choose):
    """Make a choice, and wait for a new picture."""
    before = shown(tab)
    choose()
    tab.locator(f"#result img:not([src='{before}'])").wait_for()
    shown(tab)


def picture(tab, folder):
    """The downloaded picture as RGB."""
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download picture").click()
    download.value.save_as(folder / "got.png")
    return read_image(folder / "got.png"), download.value.suggested_filename


def numbers(tab, folder):
    """The downloaded numbers."""
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download JSON").click()
    download.value.save_as(folder / "got.json")
    (result,) = json.loads((folder / "got.json").read_text("utf-8"))
    return result


def changed(picture, original, points):
    """Whether the picture differs from the original at all of these points."""
    x, y = np.rint(points).astype(int).T
    return bool((picture[y, x] != original[y, x]).any(axis=1).all())


def test_a_photo_glasses_overlays_and_both_downloads(visit, photo, tmp_path):
    tab = visit()
    drop(tab, photo)
    says(tab, "1 face found.")
    (face,) = detect(photo)
    result = numbers(tab, tmp_path)
    assert (result["image"], result["width"], result["height"]) == ("hopper.png", 512, 600)
    np.testing.assert_allclose(result["faces"][0]["keypoints"], face.keypoints, atol=0.01)
    shown(tab)
    points, name = picture(tab, tmp_path)
    assert name == "hopper-keypoints.png"
    assert changed(points, hopper(), face.keypoints)
    after(tab, lambda: tab.get_by_label("points", exact=True).uncheck())
    np.testing.assert_array_equal(picture(tab, tmp_path)[0], hopper())

    def wear():
        tab.get_by_label("Wear").click()
        tab.get_by_role("option", name="sunglasses", exact=True).click()

    after(tab, wear)
    glasses, _ = picture(tab, tmp_path)
    eyes = np.array([face.keypoints[36:42].mean(axis=0), face.keypoints[42:48].mean(axis=0)])
    assert changed(glasses, hopper(), eyes)
    assert not changed(glasses, hopper(), face.keypoints[8:9])  # the chin
    after(tab, lambda: tab.get_by_label("box and confidence").check())
    x, y, w, h = face.box
    boxed, _ = picture(tab, tmp_path)
    assert changed(boxed, glasses, np.array([[x, y + h // 2], [x + w // 2, y]]))
    after(tab, lambda: tab.get_by_label("numbers").check())
    assert 0.01 < (picture(tab, tmp_path)[0] != boxed).any(axis=2).mean() < 0.2
    tab.get_by_role("button", name="Keypoints").click()
    tab.get_by_role("cell", name="right brow").first.wait_for()
    rows = "() => document.querySelectorAll('#keypoints tbody tr').length === 68"
    tab.wait_for_function(rows)  # one row per point, once the table is open


@pytest.mark.torch
def test_another_backend(visit, photo, tmp_path):
    tab = visit()
    drop(tab, photo)
    says(tab, "1 face found.")
    after(tab, lambda: tab.get_by_label("torch").check())
    (face,) = detect(photo, backend="torch")
    np.testing.assert_allclose(numbers(tab, tmp_path)["faces"][0]["keypoints"], face.keypoints, atol=0.01)


def test_the_best_quality(visit, photo, tmp_path):
    tab = visit()
    drop(tab, photo)
    says(tab, "1 face found.")
    after(tab, lambda: tab.get_by_label("best").check())
    best, fast = (detect(photo, quality=quality)[0].keypoints for quality in ("best", "fast"))
    shown = numbers(tab, tmp_path)["faces"][0]["keypoints"]
    np.testing.assert_allclose(shown, best, atol=0.01)
    assert np.abs(best - fast).max() > 0.1


def test_a_bad_file_then_no_face_then_a_face(visit, photo, tmp_path):
    (tmp_path / "words.png").write_text("these are words")
    blank = np.random.default_rng(0).integers(100, 140, (240, 320, 3), np.uint8)
    write_image(tmp_path / "wall.png", blank)
    tab = visit()
    drop(tab, tmp_path / "words.png")
    says(tab, "words.png: is not an image that can be read")
    assert tab.locator("#result img").count() == 0
    assert tab.get_by_role("button", name="Download picture").is_disabled()
    assert tab.get_by_role("button", name="Download JSON").is_disabled()
    for path, words in ((tmp_path / "wall.png", "No face found."), (photo, "1 face found.")):
        tab.get_by_label("Remove Image").click()
        says(tab, "Drop a photo")
        drop(tab, path)
        says(tab, words)
        shown(tab)
        if path != photo:
            np.testing.assert_array_equal(picture(tab, tmp_path)[0], blank)
            assert numbers(tab, tmp_path)["faces"] == []


def test_too_large_a_file_is_refused_on_the_page(visit, tmp_path, page):
    (tmp_path / "large.png").write_bytes(bytes(20 * 1024 * 1024 + 1))
    tab = visit()
    before = page.files()
    drop(tab, tmp_path / "large.png")
    tab.get_by_text("exceed the maximum allowed size of 20.0 Mb").wait_for()
    assert page.files() == before
    tab.get_by_label("Wear").wait_for()


def test_the_browsers_camera(visit, tmp_path):
    tab = visit()
    tab.get_by_label("Capture from camera").click()
    tab.get_by_text("Click to Access Webcam").click()
    tab.wait_for_function("() => { const v = document.querySelector('#photo video'); return v && v.videoWidth == 640 }")
    tab.get_by_label("capture photo").click()
    says(tab, "1 face found.")
    result = numbers(tab, tmp_path)
    assert (result["width"], result["height"]) == (640, 480)
    (face,) = detect(hopper()[:480])
    # The camera's picture, not mirrored; JPEG and video coding have changed it a little.
    np.testing.assert_allclose(result["faces"][0]["keypoints"], face.keypoints + np.array([64, 0]), atol=6)


def test_two_visitors_at_once_each_get_their_own_results(visit, photo, tmp_path):
    write_image(tmp_path / "astronaut.png", astronaut())
    photos = {"hopper.png": photo, "astronaut.png": tmp_path / "astronaut.png"}
    tabs = {name: visit() for name in photos}
    for name, tab in tabs.items():
        drop(tab, photos[name])
    for name, tab in tabs.items():
        says(tab, "1 face found.")
        result = numbers(tab, tmp_path)
        (face,) = detect(photos[name])
        assert result["image"] == name
        np.testing.assert_allclose(result["faces"][0]["keypoints"], face.keypoints, atol=0.01)


def test_a_narrow_window_needs_no_scrolling_aside_and_controls_have_names(visit, photo):
    tab = visit(width=400)
    drop(tab, photo)
    says(tab, "1 face found.")
    shown(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    assert tab.locator("#status").get_attribute("aria-live") == "polite"
    for role, name in (("combobox", "Wear"), ("checkbox", "points"), ("radio", "numpy"), ("button", "Download JSON")):
        assert tab.get_by_role(role, name=name).count() == 1, name


ONE_AT_A_TIME = """
import sys, time
from pathlib import Path
import fkp_app.faces.finder as finder
import fkp_app.web.photo as photo
photo.OTHERS_AT_ONCE = 1
find = finder.find_faces

def find_later(*arguments, **options):
    while not Path("go").exists():
        time.sleep(0.01)
    return find(*arguments, **options)

finder.find_faces = find_later
from fkp_app.cli import main
sys.exit(main(["web", "--port", "0"]))
"""


def test_who_waits_reads_how_many_are_before_and_how_long_it_takes(browser, photo, tmp_path):
    running, go = start(tmp_path, program=ONE_AT_A_TIME), tmp_path / "go"
    contexts = [browser.new_context() for _ in range(3)]
    try:
        tabs = [context.new_page() for context in contexts]
        for tab in tabs:
            tab.goto(running.url)
            tab.locator("#photo input[type=file]").wait_for(state="attached")
        go.touch()
        drop(tabs[0], photo)
        says(tabs[0], "1 face found.")  # from now on it is known how long a photo takes
        go.unlink()
        drop(tabs[1], photo)
        drop(tabs[2], photo)
        end, lines = time.monotonic() + 60, ["", ""]
        while not any(map(PLACE.search, lines)) and time.monotonic() < end:
            time.sleep(0.1)
            lines = [tab.locator("#result").inner_text() for tab in tabs[1:]]
        assert any(map(PLACE.search, lines)), lines
        go.touch()
        for tab in tabs:
            says(tab, "1 face found.")
    finally:
        go.touch()
        for context in contexts:
            context.close()
        assert running.end() == 130


def test_who_asks_too_often_reads_when_to_try_again(visit, photo):
    tab = visit()
    drop(tab, photo)
    says(tab, "1 face found.")
    body, words = (
        {"detail": "too many requests at once; try again in 7 s"},
        "too many requests at once; try again in 7 s",
    )
    tab.route("**/queue/join*", lambda route: route.fulfill(status=429, json=body))
    tab.get_by_label("box and confidence").check()
    tab.get_by_text(words).first.wait_for()
    tab.route("**/upload?*", lambda route: route.fulfill(status=429, body=f"{words}\n", content_type="text/plain"))
    tab.reload()
    drop(tab, photo)
    tab.get_by_text(words).first.wait_for()
