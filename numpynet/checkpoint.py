"""Weights on disk: safetensors files whose metadata hold everything needed to use the weights.

A failed save leaves the old file as it was, and nothing is ever unpickled.
"""

from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np

from numpynet.architectures import ARCHITECTURES, Network, build
from numpynet.card import FORMAT_VERSION, WeightsCard
from numpynet.checks import not_finite
from numpynet.dispatch import ImplementationError
from numpynet.init import no_init
from numpynet.tensors import TYPES, CheckpointError, Header, load_tensors, read_header, save_tensors
from numpynet.typing import AnyArray

__all__ = ["FORMAT_VERSION", "CheckpointError", "WeightsCard", "load_net", "load_tensors", "load_weights"]
__all__ += ["halved", "save_tensors", "save_weights"]


def save_weights(path: str | Path, state_dict: Mapping[str, AnyArray], card: WeightsCard) -> None:
    """Write a network's state dict and its card to `path`. OSError if the file cannot be written."""
    save_tensors(path, state_dict, card.to_metadata())


def halved(state_dict: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """A state dict for a file of half the size: float16 for floats of two and more axes, the others as they are.

    Biases and batch norms, which have one axis, are few, and a tiny variance would become 0. `load_net` computes in
    float32. ValueError if a weight is beyond the range of float16.
    """
    half = {}
    for key, array in state_dict.items():
        if array.dtype.kind == "f" and array.ndim > 1:
            if np.abs(array).max(initial=0) > np.finfo(np.float16).max:
                raise ValueError(f"{key} holds {np.abs(array).max():.3g}, which float16 cannot hold")
            array = array.astype(np.float16)
        half[key] = array
    return half


def load_weights(path: str | Path) -> tuple[dict[str, AnyArray], WeightsCard]:
    """The state dict and the card that `save_weights` wrote.

    CheckpointError if the file cannot be used, if a tensor holds NaN or infinity, or if the tensors do not fit the
    network that the card names. If this numpynet does not know that network, the fit is not checked.
    """
    state, card, _ = _load(Path(path))
    return state, card


def load_net(path: str | Path) -> tuple[Network, WeightsCard]:
    """The network that a weights file describes, with its weights, in evaluation mode; and the card.

    CheckpointError if the file cannot be used or its tensors do not fit the network it names.
    """
    state, card, net = _load(Path(path))
    if net is None:
        raise CheckpointError(
            f"{path}: holds a {card.architecture}, which this numpynet does not know; update numpynet"
        )
    net.load_state_dict(state)
    return net.eval(), card


def _load(path: Path) -> tuple[dict[str, AnyArray], WeightsCard, Network | None]:
    """The state dict, the card, and the network without these weights (None for an unknown architecture).

    The network is built and compared with the file's header before any tensor is read.
    """
    header = read_header(path)
    card = WeightsCard.from_metadata(header.metadata, path)
    net = _net_of(header, card, path) if card.architecture in ARCHITECTURES else None
    state, _ = load_tensors(path, header)
    if (key := not_finite(state)) is not None:
        raise CheckpointError(f"{path}: {key} holds NaN or infinity; use weights of an earlier epoch, or train again")
    for key, array in state.items():
        if net is not None and key.endswith("running_var") and array.min(initial=0) < 0:
            raise CheckpointError(f"{path}: {key} holds a negative variance; use other weights")
    return state, card, net


def _net_of(header: Header, card: WeightsCard, path: Path) -> Network:
    """The network that a card describes, with uninitialised weights. CheckpointError if its keys, shapes or kinds of
    number differ from the header's.
    """
    try:
        # A card can name a network of any size: allocate no more weights than the file holds.
        with no_init(most=sum(prod(entry.shape) for entry in header.tensors.values())):
            net = build(card.architecture, card.arguments)
        own = net.state_dict()
        for what, keys in (("missing", own.keys() - header.tensors.keys()), ("unknown", header.tensors.keys() - own)):
            if keys:
                more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
                raise ValueError(f"{what} {min(keys)}{more}")
        for key, array in own.items():
            kind, shape = header.tensors[key][:2]
            if shape != array.shape:
                raise ValueError(f"{key} must have shape {array.shape}, got {shape}")
            if (np.dtype(TYPES[kind]).kind if kind in TYPES else "f") != array.dtype.kind:
                raise ValueError(f"{key} must be {array.dtype}, got {kind}")
        if net.arguments["size"] != card.input_size:
            raise ValueError(f"input_size must be {net.arguments['size']}, got {card.input_size}")
    except ImplementationError:  # NUMPYNET_OPS is wrong, not the file
        raise
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: does not fit the network it describes ({error})") from None
    return net
