"""docs/learn/figures: the committed files are what `python docs/learn/make_figures.py` makes."""

import importlib.util
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

LEARN = Path(__file__).parents[2] / "docs" / "learn"
FIGURES = LEARN / "figures"


@pytest.fixture(scope="module")
def made():
    """The module make_figures; afterwards sys.path is as it was."""
    before = list(sys.path)
    specification = importlib.util.spec_from_file_location("make_figures", LEARN / "make_figures.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module
    sys.path[:] = before


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


def test_an_unknown_figure_is_refused(made, capsys):
    assert made.main(["06-unfld.svg"]) == 2
    assert "there is no figure 06-unfld.svg; did you mean 06-unfold.svg?" in capsys.readouterr().err
