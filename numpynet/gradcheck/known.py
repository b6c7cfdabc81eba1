"""What is known of each function beside its gradients: formulas, what a check cannot see, and common mistakes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet.gradcheck import mistakes
from numpynet.gradcheck.causes import Suspect
from numpynet.gradcheck.geometry import Geometry, coverage_of, geometry_of
from numpynet.typing import AnyArray, Array

ONE_IMAGE = "one image alone: this check cannot see a sum over the batch left out"
NO_OVERLAP = "windows do not overlap here: this geometry cannot see = for +="

Inputs = dict[str, Array | None]
Options = dict[str, Any]


@dataclass
class Known:
    """What is known of a function with certain inputs and options.

    formulas: of each gradient by its input's name, for `--show`. notes: what the check of an input cannot see.
    coverage: how many windows see each pixel of x, (H, W). counts, regions: see `causes.Hints`, for x's gradient.
    parts: see `causes.Hints`. suspects: by input, mistakes as functions of dout.
    stand_ins: for inputs of None whose gradients are returned all the same, the arrays that None stands for.
    """

    formulas: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    coverage: AnyArray | None = None
    counts: dict[str, float] = field(default_factory=dict)
    regions: dict[str, AnyArray] = field(default_factory=dict)
    parts: frozenset[str] = frozenset()
    suspects: dict[str, Callable[[Array], Iterator[Suspect]]] = field(default_factory=dict)
    stand_ins: dict[str, Array] = field(default_factory=dict)


def known(function: str, inputs: Inputs, options: Options) -> Known:
    """What is known of the function of this name; nothing if it is none of numpynet.functional's."""
    return KNOWN[function](inputs, options) if function in KNOWN else Known()


def _array(inputs: Inputs, name: str = "x") -> Array:
    array = inputs[name]
    assert array is not None
    return array


def _linear(inputs: Inputs, options: Options) -> Known:
    weight, batch = _array(inputs, "weight"), len(_array(inputs))
    return Known(
        formulas={
            "x": "dx[n, i] = sum_o dout[n, o] weight[o, i]",
            "weight": "dweight[o, i] = sum_n dout[n, o] x[n, i]",
            "bias": "dbias[o] = sum_n dout[n, o]",
        },
        counts={"the batch": batch},
        notes=_one_image(batch),
        suspects={"x": lambda dout: mistakes.linear_x(dout, weight)},
    )


def _conv2d(inputs: Inputs, options: Options) -> Known:
    x, weight = _array(inputs), _array(inputs, "weight")
    geometry = _geometry(inputs, weight.shape[2:], options, 1)
    pixels = geometry.out[0] * geometry.out[1]
    return Known(
        formulas={
            "x": "dx[pixel] = sum, over the windows that see the pixel, of dout * the weight at the pixel",
            "weight": "dweight[kh, kw] = sum, over the windows, of dout * the pixel under (kh, kw)",
            "bias": "dbias[f] = sum of dout[:, f]",
        },
        counts={"the batch": len(x), "the pixels of out": pixels, "both the batch and the pixels": len(x) * pixels},
        suspects={
            "x": lambda dout: mistakes.conv2d_x(dout, weight, geometry),
            "weight": lambda dout: mistakes.conv2d_weight(dout, x, geometry),
        },
        **_windows(geometry, len(x)),
    )


def _max_pool2d(inputs: Inputs, options: Options) -> Known:
    x, kernel = _array(inputs), options["kernel_size"]
    geometry = _geometry(inputs, kernel, options, kernel)
    if options.get("ceil_mode", False):
        return Known()
    return Known(
        formulas={"x": "dx[pixel] = sum, over the windows that the pixel wins, of dout"},
        suspects={"x": lambda dout: mistakes.max_pool2d_x(dout, x, geometry)},
        **_windows(geometry),
    )


def _avg_pool2d(inputs: Inputs, options: Options) -> Known:
    kernel = options["kernel_size"]
    geometry = _geometry(inputs, kernel, options, kernel)
    return Known(
        formulas={"x": "dx[pixel] = sum, over the windows that see the pixel, of dout / area"},
        counts={"the kernel's area": geometry.kernel[0] * geometry.kernel[1]},
        **({} if options.get("ceil_mode", False) else _windows(geometry)),
    )


def _geometry(inputs: Inputs, kernel: Any, options: Options, stride: Any) -> Geometry:
    """The geometry of a function's options; `stride` is its default."""
    given = options.get("stride")
    return geometry_of(
        _array(inputs).shape[2:],
        kernel,
        stride if given is None else given,
        options.get("padding", 0),
        options.get("dilation", 1),
    )


def _windows(geometry: Geometry, batch: int = 2) -> dict[str, Any]:
    coverage = coverage_of(geometry)
    notes = {} if (coverage > 1).any() else {"x": NO_OVERLAP}
    return {"coverage": coverage, "notes": notes | _one_image(batch), "parts": frozenset({"kernel", *geometry.given()})}


def _one_image(batch: int) -> dict[str, str]:
    return {"weight": ONE_IMAGE} if batch == 1 else {}


def _batch_norm(inputs: Inputs, options: Options) -> Known:
    x, weight, eps = _array(inputs), inputs.get("weight"), options.get("eps", 1e-5)
    of_batch = options.get("mean") is None
    channels = x.shape[1]
    return Known(
        formulas={
            "x": "dx = weight / std (dout - dbias / M - x_hat dweight / M)" if of_batch else "dx = weight / std dout",
            "weight": "dweight = sum of dout x_hat, for each channel",
            "bias": "dbias = sum of dout, for each channel",
        },
        suspects={"x": lambda dout: mistakes.batch_norm_x(dout, x, weight, eps)} if of_batch else {},
        parts=frozenset() if weight is None else frozenset({"weight"}),
        stand_ins={"weight": np.ones(channels), "bias": np.zeros(channels)},
    )


def _relu(inputs: Inputs, options: Options) -> Known:
    return Known(formulas={"x": "dx = dout if x > 0, else 0"})


def _flatten(inputs: Inputs, options: Options) -> Known:
    return Known(formulas={"x": "dx = dout in x's shape"})


def _dropout(inputs: Inputs, options: Options) -> Known:
    p = options.get("p", 0.5)
    formulas = {"x": "dx = dout / (1 - p) if the element was kept, else 0"}
    return Known(formulas, counts={"1 - p": 1 - p} if p < 1 else {})


def _upsample_nearest2d(inputs: Inputs, options: Options) -> Known:
    factor = options.get("scale_factor", 2)
    return Known(
        formulas={"x": "dx[pixel] = sum of dout over the pixel's factor x factor copies"},
        counts={"the copies of each pixel": factor**2, "the factor": factor},
        suspects={"x": lambda dout: mistakes.upsample_nearest2d_x(dout, factor)},
    )


def _soft_argmax2d(inputs: Inputs, options: Options) -> Known:
    return Known(
        formulas={"x": "dx = share (dout_x (place_x - p_x) + dout_y (place_y - p_y))"},
        suspects={"x": lambda dout: mistakes.soft_argmax2d_x(dout, _array(inputs))},
    )


def _loss(inputs: Inputs, formula: str) -> Known:
    x = _array(inputs)
    elements: dict[str, float] = {"the number of elements": x.size, "the batch": len(x)}
    return Known({"x": formula}, counts=elements | {"the elements per image": x.size // len(x)})


def _mse_loss(inputs: Inputs, options: Options) -> Known:
    return _loss(inputs, "dx = dloss * 2 (x - target) / M")


def _smooth_l1_loss(inputs: Inputs, options: Options) -> Known:
    result = _loss(inputs, "dx = dloss / M * (d / beta if |d| < beta, else sign(d)), d = x - target")
    result.regions = _branches(inputs, options.get("beta", 1.0), "(x - target) / beta")
    return result


def _wing_loss(inputs: Inputs, options: Options) -> Known:
    result = _loss(inputs, "dx = dloss / M * sign(d) * (w / (eps + |d|) if |d| < w, else 1), d = x - target")
    result.regions = _branches(inputs, options.get("w", 0.2), "sign(d) w / (eps + |d|), d = x - target")
    return result


def _focal_loss(inputs: Inputs, options: Options) -> Known:
    result = _loss(inputs, "dx = dloss / M * sign w q^gamma (gamma p ln p - q), q = 1 - p")
    yes: AnyArray = _array(inputs, "target") == 1
    result.regions = {"where target is 1: there sign is 1": yes, "where target is 0: there sign is -1": ~yes}
    return result


def _branches(inputs: Inputs, limit: float, slope: str) -> dict[str, AnyArray]:
    """The two branches of a loss that is linear from `limit` on; `slope` is the first branch's."""
    far: AnyArray = np.abs(_array(inputs) - _array(inputs, "target")) >= limit
    return {
        f"where |x - target| >= {limit:g}: this branch's slope is sign(x - target)": far,
        f"where |x - target| < {limit:g}: this branch's slope is {slope}": ~far,
    }


KNOWN: dict[str, Callable[[Inputs, Options], Known]] = {
    "linear": _linear,
    "relu": _relu,
    "flatten": _flatten,
    "dropout": _dropout,
    "mse_loss": _mse_loss,
    "smooth_l1_loss": _smooth_l1_loss,
    "wing_loss": _wing_loss,
    "focal_loss": _focal_loss,
    "upsample_nearest2d": _upsample_nearest2d,
    "soft_argmax2d": _soft_argmax2d,
    "conv2d": _conv2d,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "batch_norm": _batch_norm,
}
