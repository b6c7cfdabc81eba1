"""Which cases an exercise is judged by."""

from collections.abc import Callable

from numpynet.learn import cases_backward, cases_others, cases_windows
from numpynet.learn.case import Case
from numpynet.learn.exercises import Exercise

BUILDERS: dict[str, Callable[[Exercise], list[Case]]] = {
    "adam": cases_others.adam,
    "backward": cases_backward.backward,
    "chain": cases_others.chain,
    "fold": cases_windows.fold,
    "linear": cases_others.linear,
    "numerical_gradient": cases_others.numerical_gradient,
    "staged": cases_others.staged,
    "train_step": cases_others.train_step,
    "unfold": cases_windows.unfold,
}
"""By the `kind` of the exercise."""


def cases_of(exercise: Exercise) -> list[Case]:
    """The cases of an exercise: first the example, whose numbers are small, and the hidden ones last."""
    return BUILDERS[exercise.kind](exercise)
