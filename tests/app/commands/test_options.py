"""Options repeat what modules know that take long to load; they must not differ."""

from fkp_app.commands import options
from fkp_app.faces.detectors import DETECTORS
from fkp_app.faces.finder import QUALITIES


def test_the_choices_are_those_of_the_application():
    assert options.DETECTORS == DETECTORS
    assert options.QUALITIES == QUALITIES
