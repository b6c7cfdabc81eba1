"""The cases of unfold and fold."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet.functional.windows import output_sizes
from numpynet.gradcheck import Finding
from numpynet.gradcheck.cases import CASES
from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.cases import examples
from numpynet.learn.exercises.cases.case import Case, Function, Outcome, Stored, guarded_call
from numpynet.learn.exercises.differences import snapshot
from numpynet.typing import Array

WINDOWS: list[tuple[str, bool, tuple[int, ...], tuple[tuple[int, int], ...]]] = [
    ("kernel 2 on 2 channels", False, (2, 4, 4), ((2, 2), (1, 1), (1, 1))),
    ("kernel 3, stride 2", False, (2, 7, 7), ((3, 3), (2, 2), (1, 1))),
    ("kernel 3 x 2, stride 2 x 1, dilation 1 x 2", True, (3, 7, 6), ((3, 2), (2, 1), (1, 2))),
    ("kernel 1 x 3, stride 1 x 2, dilation 3 x 1", True, (1, 5, 8), ((1, 3), (1, 2), (3, 1))),
]
"""says, hidden, the shape of the padded image; kernel, stride, dilation"""


def _window_cases(build: Callable[[str, bool, Array, tuple[Any, ...]], Case]) -> list[Case]:
    picture = examples.one_point_picture()
    cases = [build(examples.ONE_POINT, False, picture, ((3, 3), (1, 1), (1, 1), (3, 3)))]
    for number, (says, hidden, shape, geometry) in enumerate(WINDOWS):
        kernel, stride, dilation = geometry
        image = np.random.default_rng(number).standard_normal(shape)
        size = output_sizes(shape[1:], kernel, stride, (0, 0), dilation)
        cases.append(build(says, hidden, image, (*geometry, size)))
    cases.append(build("float32", True, picture.astype(np.float32), ((2, 2), (2, 2), (1, 1), (2, 2))))
    return cases


def unfold(exercise: Exercise) -> list[Case]:
    """Windows of an image as columns."""

    def build(says: str, hidden: bool, image: Array, geometry: tuple[Any, ...]) -> Case:
        def run(function: Function, stored: Stored) -> Outcome:
            given = stored(image)
            return guarded_call(function, (given, *geometry), {"image": given})

        return Case(says, hidden, run)

    return _window_cases(build)


def fold(exercise: Exercise) -> list[Case]:
    """Columns back to an image. In the example each number is 1: a pixel then gets how many windows see it."""

    def build(says: str, hidden: bool, image: Array, geometry: tuple[Any, ...]) -> Case:
        kernel, _, _, size = geometry
        shape = (len(image) * kernel[0] * kernel[1], size[0] * size[1])
        example = says == examples.ONE_POINT
        dunfolded = np.random.default_rng(len(says)).standard_normal(shape).astype(image.dtype)
        if example:
            dunfolded[...] = 1

        def run(function: Function, stored: Stored) -> Outcome:
            given, dimage = stored(dunfolded), stored(np.zeros_like(image) if example else image)
            was = snapshot({"dimage": dimage})
            outcome = guarded_call(function, (given, dimage, *geometry), {"dunfolded": given})
            outcome.changed, outcome.was = {"dimage": dimage}, was
            return outcome

        return Case(says, hidden, run, _fold_in_conv2d if example else None, 1e-4 if says == "float32" else 1e-9)

    return _window_cases(build)


def _fold_in_conv2d(function: Function) -> list[Finding]:
    """numpynet's conv2d_backward calls the reader's fold, since that has its place."""
    found = CASES["conv2d"](np.random.default_rng(0), batch=1, filters=2, size=6, kernel=2)
    return [finding for finding in found if not finding.passed]
