"""The small steps of a training step as one HTML file, which opens offline and loads nothing."""

import json
import math
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np

from numpynet.learn.colours import filled_in
from numpynet.learn.showing import png
from numpynet.learn.stepping.training_step import Step
from numpynet.typing import Array

NUMBERS = 40
"""Arrays of at most so many numbers are shown as tables."""
ROW = 4
"""Numbers per line of a table of a vector, so that a phone shows it."""
MAPS, FILTERS = 12, 48
"""Of more maps, or of more filters and small maps, the first are shown: a page of all would take tens of megabytes."""
SIDE = 96
"""Of rows of numbers and matrices, the first so many rows and columns are shown."""
WIDEST = 520
"""Pixels of the screen that a picture takes, about."""


def html(steps: Sequence[Step], title: str) -> str:
    """The page. title: names the network and what it was trained on."""
    keys: dict[int, int] = {}
    tensors: list[dict[str, Any]] = []
    shown = []
    for step in steps:
        names = []
        for tensor in step.tensors:
            if id(tensor.array) not in keys:  # one layer's output is the next one's input
                keys[id(tensor.array)] = len(tensors)
                of_layer = step.phase == "update" or tensor.name in ("weight", "dweight")
                tensors.append(_described(tensor.array, filters=of_layer))
            names.append((tensor.name, keys[id(tensor.array)]))
        fields = {"phase": step.phase, "title": step.title, "words": step.words, "layer": step.layer}
        shown.append(fields | {"tensors": names})
    data = {
        "title": title,
        "palettes": {"colours": png.PALETTE.tolist(), "grays": png.GRAYS.tolist()},
        "zero": png.ZERO,
        "steps": png.STEPS,
        "layers": 1 + max((step.layer for step in steps if step.layer is not None), default=0),
        "tensors": tensors,
        "steps_taken": shown,
    }
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    page = resources.files("numpynet.learn.stepping").joinpath("stepper.html").read_text("utf-8")
    return filled_in(page).replace("@DATA@", text)


def _described(array: Array, filters: bool) -> dict[str, Any]:
    """What the page shows of an array: its numbers if they are few, or else a picture.

    filters: whether an array of four axes holds filters (F, C, KH, KW), and not images (N, C, H, W).
    """
    fields = {"shape": array.shape, "largest": float(np.abs(array).max(initial=0))}
    if array.size <= NUMBERS:
        numbers = np.asarray(array, np.float64)
        if array.ndim < 2:
            return fields | {"numbers": [[numbers.ravel()[i : i + ROW].tolist() for i in range(0, array.size, ROW)]]}
        return fields | {"numbers": numbers.reshape(-1, *array.shape[-2:]).tolist()}
    maps, what, of = _maps(array, filters)
    K, H, W = maps.shape
    photo = array.shape[1:2] == (1,) and array.ndim == 4 and bool((array >= 0).all())
    picture = png.tiled(png.gray_levels(maps) if photo else png.levels(maps))
    zoom = max(1, min(round((WIDEST if K > 1 else WIDEST / 2) / picture.shape[1]), 24))
    note = f"{array.min():.4g} to {array.max():.4g}, mean {array.mean():.3g}"
    if array.ndim == 4 and what == "channel" and len(array) > 1:
        note += f"; picture 1 of {len(array)}"
    if of > K:
        note += f"; the first {K} of {of} {what}s"
    elif what == "matrix" and maps.size < array.size:
        note += f"; the first {H} rows and {W} columns"
    return fields | {
        "largest": float(np.abs(maps).max()),
        "png": png.data_uri(picture, png.GRAYS if photo else png.PALETTE),
        "palette": "grays" if photo else "colours",
        "width": picture.shape[1] * zoom,
        "map_width": W,
        "map_height": H,
        "across": png.across(K),
        "channels": what if of > 1 else "",
        "note": note,
    }


def _maps(array: Array, filters: bool) -> tuple[Array, str, int]:
    """The maps (K, H, W) of an array that are shown, what one of them is called, and how many there are in all."""
    if array.ndim == 4:
        maps = array.reshape(-1, *array.shape[2:]) if filters else array[0]
        most = MAPS if max(array.shape[2:]) > 7 else FILTERS
        return maps[:most], "filter" if filters else "channel", len(maps)
    if array.ndim == 2 and len(array) > 1:
        return array[None, :SIDE, :SIDE], "matrix", 1
    line = array.reshape(-1)
    columns = min(line.size, 2 * math.ceil(math.sqrt(line.size)))
    whole = line.size // columns * columns
    return line[:whole].reshape(1, -1, columns), "row", 1
