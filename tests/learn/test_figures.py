"""docs/learn/figures: the committed files are what `python docs/learn/make_figures.py` makes."""

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpynet.learn import faces

LEARN = Path(__file__).parents[2] / "docs" / "learn"
FIGURES = LEARN / "figures"


def script(name):
    """A script of docs/learn as a module; afterwards sys.path is as it was."""
    before = list(sys.path)
    specification = importlib.util.spec_from_file_location(name, LEARN / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module
    sys.path[:] = before


@pytest.fixture(scope="module")
def made():
    yield from script("make_figures")


@pytest.fixture
def activations():
    yield from script("make_activations")


def test_committed_figures_are_those_made_now(made):
    """If this fails, make them anew, and look at each that changed."""
    differ = [
        name for name, figure in made.DRAWN.items() if (FIGURES / name).read_text(encoding="utf-8") != figure().svg()
    ]
    assert differ == []
    assert len(made.DRAWN) > 12


def test_figures_can_be_read_in_the_dark_aloud_and_on_a_phone(made):
    for name in made.DRAWN:
        path = FIGURES / name
        svg = ET.fromstring(path.read_text(encoding="utf-8"))
        style = svg.findtext("{http://www.w3.org/2000/svg}style")
        assert "prefers-color-scheme:dark" in style, name
        assert svg.findtext("{http://www.w3.org/2000/svg}desc"), name
        assert float(svg.get("width")) <= 400, name
        assert path.stat().st_size < 26_000, name


def test_the_settling_points_end_on_the_face(made):
    """The committed animation shows 68 points that begin far from those of the crop and end within a pixel of them."""
    path = FIGURES / made.SETTLING
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 300_000
    assert "prefers-reduced-motion" in text
    circles = ET.fromstring(text).findall("{http://www.w3.org/2000/svg}circle")
    ends = np.array([(float(circle.get("cx")), float(circle.get("cy"))) for circle in circles]) - 0.5
    points = faces.crops()[1][0]
    assert np.linalg.norm(ends - points, axis=1).max() < 1
    firsts = re.findall(r"@keyframes p\d+\{0\.?0?%\{transform:translate\((-?[\d.]+)px,(-?[\d.]+)px\)", text)
    begins = ends + np.array(firsts, float)
    assert np.linalg.norm(begins - points, axis=1).mean() > 20


def test_the_seven_loss_curves_go_as_their_titles_say(made):
    """Page 15 says so of each. The committed picture shows these trainings, up to what processors differ by."""
    losses = {title[0]: np.array(curve) for title, curve in made.training.losses().items()}
    good = losses["1"]
    assert good[30] < good[0] / 20
    assert good[60] < good[0] / 500
    assert losses["2"][60] > good[0] / 5
    assert (np.diff(losses["2"]) < 0).all()
    assert losses["3"][1] > 20 * good[0]
    assert np.ptp(losses["4"]) == 0
    assert losses["5"][60] > 10 * losses["5"][0]
    rises = {number: (np.diff(curve) > 0).mean() for number, curve in losses.items()}
    assert rises["6"] > 0.4 > rises["1"]
    training, validation = made.training.learned_by_heart()
    assert training[60] < training[0] / 500
    assert validation[60] > validation[0] / 2
    drawn, now = (FIGURES / made.CURVES).read_text(encoding="utf-8"), made.TRAINED[made.CURVES]()
    number = re.compile(r"-?\d+(?:\.\d+)?")
    assert number.sub("", drawn) == number.sub("", now)
    differ = [float(a) - float(b) for a, b in zip(number.findall(drawn), number.findall(now), strict=True)]
    assert np.abs(differ).max() < 3
    assert len(drawn.encode()) < 26_000


def test_the_committed_activations_are_those_of_the_shipped_network(activations):
    """Both are made small first: letters and the noise of JPEG differ between versions of libraries, maps do not.

    Letters of several versions made 1.5 and 2.2 % of the pixels differ, another shipped network 14 %.
    """

    def small(picture):
        return np.asarray(picture.convert("RGB").resize((160, 104), Image.Resampling.BOX), float)

    now = activations.activations()
    with Image.open(activations.PICTURE) as committed:
        assert committed.size == now.size
        differ = np.abs(small(committed) - small(now))
    assert (differ > 30).mean() < 0.05
    assert activations.PICTURE.stat().st_size < 400_000


def test_the_disc_of_the_soft_argmax_lies_at_the_mean_of_the_shares():
    """Of the percentages that the figure prints, to a fifth of a pixel."""
    svg = "{http://www.w3.org/2000/svg}"
    root = ET.fromstring((FIGURES / "12-pull.svg").read_text(encoding="utf-8"))
    texts = root.find(f"{svg}g").iter(f"{svg}text")
    shares = np.array([float(text.text) for text in texts]).reshape(7, 7)
    pixel, (left, top) = 34, (61, 32)
    places = pixel * (np.arange(7) + 0.5)
    mean = np.array([(shares.sum(0) * places).sum(), (shares.sum(1) * places).sum()]) / shares.sum()
    disc = root.find(f"{svg}circle")
    assert np.abs([float(disc.get("cx")) - left - mean[0], float(disc.get("cy")) - top - mean[1]]).max() < pixel / 5


def test_an_unknown_figure_is_refused(made, capsys):
    assert made.main(["06-unfld.svg"]) == 2
    assert "there is no figure 06-unfld.svg; did you mean 06-unfold.svg?" in capsys.readouterr().err
