"""Where a loss that is NaN or infinite comes from: the first layer whose output is not finite, or spoiled weights."""

import numpy as np

from numpynet.checks import not_finite
from numpynet.module import Module
from numpynet.record import Record
from numpynet.typing import Array


def first_not_finite(net: Module, images: Array, targets: Array) -> str:
    """Where a NaN or an infinity first appears when `net` is trained on a batch, in words: "the output of conv4".

    images (N, C, H, W), targets of the shape of the network's output. The batch is computed once more, in the mode in
    which `net` is; running statistics and the generators of dropouts change.

    If weights are not finite, the update before has spoiled them. Gradients flow from the output to the input, so the
    last such layer is the one where it began.
    """
    if key := not_finite({"the images": images, "the targets": targets}):
        return key
    weights = {key: parameter.data for key, parameter in net.named_parameters()}
    if spoiled := [key for key in weights if not_finite({key: weights[key]})]:
        return f"{spoiled[-1]}, which the step before has spoiled"
    names: dict[int, str] = {}
    for name, module in net.named_modules():
        names.setdefault(id(module), name.rstrip("."))
    with np.errstate(all="ignore"):
        for row in Record(net, images).rows:
            if not_finite({"out": row.out}):
                return f"the output of {_label(row.layer, names)}"
    return "the loss, as all outputs are finite when computed once more"


def _label(layer: Module, names: dict[int, str]) -> str:
    """A layer's name; the names of its parts if it has none of its own, as a fused one, or else its class."""
    parts = [name for part in layer.children() if (name := names.get(id(part)))]
    return names.get(id(layer)) or " with ".join(parts) or type(layer).__name__
