"""Splits a trainer's state dict into its parts, and checks that they fit together."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from numpynet.checks import count
from numpynet.typing import AnyArray


class Parts(NamedTuple):
    """A trainer's state dict, split into its parts; the keys are those of each part's own state dict."""

    net: dict[str, AnyArray]
    optimizer: dict[str, AnyArray]
    average: dict[str, AnyArray]  # the averaged network; empty if the weights were not averaged
    updates: int  # number of updates of the average
    steps_done: int


def parts_of(state: Mapping[str, AnyArray], remembers: bool) -> Parts:
    """The parts of a trainer's state dict. ValueError if a part is missing that another part requires.

    remembers: whether the optimizer's rule remembers arrays from step to step.
    """
    steps_done = count(state["step"], "load_state_dict: step", 0) if "step" in state else 0
    optimizer, average = below("optimizer.", state), below("average.net.", state)
    if steps_done and remembers and not optimizer:
        steps = "1 step" if steps_done == 1 else f"{steps_done} steps"
        raise ValueError(f"load_state_dict: missing optimizer.*, the optimizer's state after {steps}")
    updates = 0
    if "average.updates" in state:
        updates = count(state["average.updates"], "load_state_dict: average.updates", 0)
    elif average:
        raise ValueError("load_state_dict: missing average.updates")
    if updates and not average:
        raise ValueError("load_state_dict: missing average.net.*")
    return Parts(below("net.", state), optimizer, average, updates, steps_done)


def below(prefix: str, state: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The arrays whose keys begin with `prefix`, by key without the prefix."""
    return {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}


def saved_generator(rng: np.random.Generator) -> AnyArray:
    """The state of a generator, as bytes (n,) of JSON."""
    return np.frombuffer(json.dumps(rng.bit_generator.state).encode(), np.uint8)


def read_generator(key: str, rng: np.random.Generator, state: Mapping[str, AnyArray]) -> Any:
    """The state that `saved_generator` wrote, read from `state[key]`; rng's present state if there is no such key.

    The caller gives it to `rng`. ValueError if it is damaged or belongs to another kind of generator.
    """
    if key not in state:
        return rng.bit_generator.state
    try:
        saved = json.loads(np.asarray(state[key]).tobytes())
        type(rng.bit_generator)().state = saved
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        kind = type(rng.bit_generator).__name__
        raise ValueError(f"load_state_dict: {key} is not the state of a {kind} ({error})") from None
    return saved
