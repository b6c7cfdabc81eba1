"""Which cases an exercise is judged by."""

from collections.abc import Callable

from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.cases import backward, other_kinds, windows
from numpynet.learn.exercises.cases.case import Case

BUILDERS: dict[str, Callable[[Exercise], list[Case]]] = {
    "adam": other_kinds.adam,
    "backward": backward.backward,
    "chain": other_kinds.chain,
    "fold": windows.fold,
    "linear": other_kinds.linear,
    "numerical_gradient": other_kinds.numerical_gradient,
    "staged": other_kinds.staged,
    "train_step": other_kinds.train_step,
    "unfold": windows.unfold,
}
"""By the `kind` of the exercise."""


def cases_of(exercise: Exercise) -> list[Case]:
    """The cases of an exercise: first the example, whose numbers are small, and the hidden ones last."""
    return BUILDERS[exercise.kind](exercise)
