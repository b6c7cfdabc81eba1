"""Checks of state dicts of networks and optimizers, made before anything is copied from them."""

from collections.abc import Mapping, Sequence

import numpy as np

from numpynet.checks import count
from numpynet.typing import AnyArray, Array


def checked_arrays(
    own: Mapping[str, AnyArray], state: Mapping[str, AnyArray], strict: bool = True
) -> dict[str, AnyArray]:
    """The arrays of `state` whose keys are in `own`, by key. Each can be copied into the array of `own` with that key.

    ValueError if a shape or kind of number differs or an array of `own` is read-only. With `strict`, also if a key is
    missing or unknown.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"load_state_dict: the state must be a dict of arrays, got {type(state).__name__}")
    if strict and (missing := own.keys() - state.keys()):
        raise ValueError(f"load_state_dict: missing {_some(missing)}")
    if strict and (unknown := state.keys() - own.keys()):
        raise ValueError(f"load_state_dict: unknown {_some(unknown)}")
    known = {key: np.asarray(state[key]) for key in own if key in state}
    for key, array in known.items():
        if isinstance(state[key], np.ma.MaskedArray):
            raise ValueError(f"load_state_dict: {key} must not be a masked array; give its numbers as a plain one")
        if own[key].shape != array.shape:
            raise ValueError(f"load_state_dict: {key} must have shape {own[key].shape}, got {array.shape}")
        if not np.can_cast(array.dtype, own[key].dtype, "same_kind"):
            raise ValueError(f"load_state_dict: {key} must be {own[key].dtype}, got {array.dtype}")
        if not own[key].flags.writeable:
            raise ValueError(f"load_state_dict: {key} is read-only here; replace its data by a copy")
    return known


def checked_state(
    state: Mapping[str, AnyArray], names: Sequence[str], params: Sequence[Array]
) -> list[dict[str, AnyArray]]:
    """Copies of the arrays "name.i" of `state`: one dict per parameter i, by name, in the dtype of `params[i]`.

    The count "step" becomes int64. names: the names of the arrays that the rule remembers. A parameter has all of
    them, or none if it was never updated.

    ValueError if a key belongs to no parameter or to another rule, a key is missing, or an array does not fit.
    """
    loaded: list[dict[str, AnyArray]] = [{} for _ in params]
    for key, array in state.items():
        array, (name, _, index) = np.asarray(array), key.rpartition(".")
        known = index.isascii() and index.isdecimal() and len(index) < 10 and int(index) < len(params)
        if not known or str(int(index)) != index:
            raise ValueError(f"load_state_dict: {key} belongs to no parameter of this optimizer")
        if name not in names:
            wanted = ", ".join(names) or "nothing"
            raise ValueError(f"load_state_dict: {key} is of another rule; this one remembers {wanted}")
        if name == "step":
            array = np.array(count(array, f"load_state_dict: {key}", 1), np.int64)
        else:
            array = _moment(key, array, params[int(index)])
        loaded[int(index)][name] = array
    for i, own in enumerate(loaded):
        if own and (missing := [name for name in names if name not in own]):
            raise ValueError(f"load_state_dict: missing {', '.join(f'{name}.{i}' for name in missing)}")
    return loaded


def _moment(key: str, array: AnyArray, param: Array) -> AnyArray:
    """A copy of `array`, a running mean for `param`, in C order and param's dtype. ValueError if it does not fit."""
    if array.shape != param.shape:
        raise ValueError(f"load_state_dict: {key} must have shape {param.shape}, got {array.shape}")
    if array.dtype.kind != "f":
        raise ValueError(f"load_state_dict: {key} must be {param.dtype}, got {array.dtype}")
    if key.startswith("exp_avg_sq.") and array.min(initial=0) < 0:
        raise ValueError(f"load_state_dict: {key} must not be negative: it is a mean of squares")
    return array.astype(param.dtype, order="C")


def _some(keys: set[str]) -> str:
    """The first three keys and the number of the others, for an error message."""
    names = sorted(keys)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
