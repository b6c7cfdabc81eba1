"""A photo of one face, for the tests of commands."""

import numpy as np
import pytest

from tests.app.commands.one_face import EYES
from tests.free_pictures import hopper


@pytest.fixture(scope="module")
def portrait():
    """The head of Grace Hopper, RGB (300, 300, 3), and the positions of her eyes."""
    left, top = 115, 60
    return hopper()[top : top + 300, left : left + 300].copy(), np.array(EYES) - [left, top]
