"""The parts of a trainer's state, and how they must fit together."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from numpynet.checks import count
from numpynet.typing import AnyArray


class Parts(NamedTuple):
    """A trainer's state, split into its parts."""

    net: dict[str, AnyArray]
    optimizer: dict[str, AnyArray]
    average: dict[str, AnyArray]  # empty if the weights were not averaged
    updates: int  # how many updates made the average
    step: int  # number of steps done


def parts_of(state: Mapping[str, AnyArray], remembers: bool) -> Parts:
    """The parts of a trainer's `state`. ValueError if a part is missing although another part requires it.

    remembers: whether the optimizer's rule remembers arrays from step to step.
    """
    step = count(state["step"], "load_state: step", 0) if "step" in state else 0
    optimizer, average = below("optimizer.", state), below("average.net.", state)
    if step and remembers and not optimizer:
        raise ValueError(f"load_state: missing optimizer.*, what it remembers after {step} steps")
    updates = 0
    if "average.updates" in state:
        updates = count(state["average.updates"], "load_state: average.updates", 0)
    elif average:
        raise ValueError("load_state: missing average.updates")
    if updates and not average:
        raise ValueError("load_state: missing average.net.*")
    return Parts(below("net.", state), optimizer, average, updates, step)


def below(prefix: str, state: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """The arrays whose keys begin with `prefix`, with the prefix removed."""
    return {key.removeprefix(prefix): array for key, array in state.items() if key.startswith(prefix)}


def saved_generator(rng: np.random.Generator) -> AnyArray:
    """A generator's state as JSON, in an array of bytes (n,)."""
    return np.frombuffer(json.dumps(rng.bit_generator.state).encode(), np.uint8)


def read_generator(key: str, rng: np.random.Generator, state: Mapping[str, AnyArray]) -> Any:
    """The state that `saved_generator` wrote, for a generator of the kind of `rng`; rng's own if the key is missing.

    ValueError if it belongs to another kind of generator or is damaged.
    """
    if key not in state:
        return rng.bit_generator.state
    try:
        saved = json.loads(np.asarray(state[key]).tobytes())
        type(rng.bit_generator)().state = saved
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        kind = type(rng.bit_generator).__name__
        raise ValueError(f"load_state: {key} is not the state of a {kind} ({error})") from None
    return saved
