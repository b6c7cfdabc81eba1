"""`python -m reference.parity`: train numpynet and its PyTorch twin side by side, and print how far they differ.

Both start from the same weights, see the same batches and drop out the same numbers. The command prints the losses of
each step, the largest relative difference of each tensor after the last step, and the first tensor that exceeded its
tolerance, with the step. Gradients are checked in the order in which backward computes them, so this tensor shows where
a backward pass is wrong. The exit code is 1 if the losses differ by more than their tolerance.
"""

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch" or __name__ != "__main__":
        raise
    install = "in the folder of the project, type: pip install -e '.[torch]'"
    sys.exit(f"python -m reference.parity: torch is not installed; {install}")

from numpynet import Adam, KeypointNet, SmoothL1Loss
from numpynet.typing import Batch
from reference import comparison
from reference.arguments import MODELS
from reference.batches import data_batches, drawn_batches
from reference.comparison import Difference
from reference.models import Twin

DTYPE_HELP = (
    "default %(default)s, in which only mistakes make the two differ. Adam turns the rounding noise of near-zero "
    "gradients into whole steps, and batch norm over few images amplifies it: in float32 at a learning rate of 1e-3 "
    "the losses differ by more than 1e-4 after a few steps, and so do those of two runs of PyTorch (see --floor)"
)
LOSS_TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
TENSOR_TOLERANCE = {"float32": {"output": 1e-4, "gradient": 1e-3}, "float64": {"output": 1e-9, "gradient": 1e-8}}
"""Rounding alone stays below these in twenty steps (see --floor); a wrong term does not."""


APART = """\
apart, no failure: biases before a batch norm, and the means they shift. Batch norm subtracts such a bias again, so its
true gradient is zero, and both sides compute rounding noise for it. It is measured over PyTorch's largest gradient
of the layer's weight. Adam turns the noise into whole steps, so the biases and the means may differ by much"""


@dataclass(frozen=True)
class Compared:
    """A step of both sides and the differences after it; with --floor also PyTorch's difference from itself."""

    step: comparison.Step
    rows: list[Difference]
    floor: "Noise | None"


class Noise(NamedTuple):
    """PyTorch's difference from itself by rounding alone: of the loss, and of each tensor by kind and name."""

    loss: float
    tensors: dict[tuple[str, str], float]


class Floor:
    """PyTorch a second time, with each batch reversed and without oneDNN: the same sums in another order."""

    def __init__(self, net: KeypointNet, lr: float) -> None:
        self.net = comparison.twin_of(net)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)

    def forward_and_backward(self, batch: Batch, step: comparison.Step, twin: Twin) -> Noise:
        """The same step with the reversed batch, and how far its loss, outputs and input gradients differ."""
        images, targets = (np.ascontiguousarray(array[::-1]) for array in batch)
        masks = [np.ascontiguousarray(mask[::-1]) for mask in step.masks]
        onednn = torch.backends.mkldnn.enabled
        torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
        try:
            loss, out, dimages = comparison.torch_forward_and_backward(
                self.net, torch.nn.SmoothL1Loss(), images, targets, masks
            )
        finally:
            torch.backends.mkldnn.enabled = onednn
        return Noise(
            abs(loss - step.torch_loss) / step.torch_loss,
            {
                ("output", "out"): comparison.relative(out[::-1], step.outputs[1]),
                ("gradient", "images"): comparison.relative(dimages[::-1], step.input_gradients[1]),
            }
            | comparison.gradients(self.net, twin),
        )


def train_both(net: KeypointNet, batches: Iterator[Batch], steps: int, lr: float, floor: bool) -> Iterator[Compared]:
    """Train `net` and a twin of it, SmoothL1 and Adam; yield what each step compares.

    That is outputs and gradients, and after the last step weights and statistics, too.
    """
    twin = comparison.twin_of(net)
    criterion, torch_criterion = SmoothL1Loss(), torch.nn.SmoothL1Loss()
    optimizer, torch_optimizer = Adam(net.parameters(), lr=lr), torch.optim.Adam(twin.parameters(), lr=lr)
    share = comparison.BiasShare(net, twin)
    reverse = Floor(net, lr) if floor else None
    dtype = net.parameters()[0].data.dtype
    for i, (images, targets) in enumerate(itertools.islice(batches, steps), 1):
        batch = images.astype(dtype), targets.astype(dtype)
        step = comparison.forward_and_backward(net, twin, criterion, torch_criterion, *batch)
        share.update()
        rows = comparison.outputs_and_gradients(net, twin, step)
        noise = None if reverse is None else reverse.forward_and_backward(batch, step, twin)
        optimizer.step()
        torch_optimizer.step()
        if reverse is not None:
            reverse.optimizer.step()
        if i == steps:
            rows += comparison.state(net, twin, share)
            if reverse is not None and noise is not None:
                noise.tensors.update(comparison.weights(reverse.net, twin))
        yield Compared(step, rows, noise)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Compare and print step by step; returns the content of the --json file."""
    net = KeypointNet(**MODELS[args.model], rng=args.seed).astype(args.dtype)
    perturb(net, args.perturb, args.seed)
    size = net.arguments["size"]
    if args.data is None:
        batches = drawn_batches(size, args.batch_size, args.seed)
    else:
        batches = data_batches(args.data, size, args.batch_size, args.seed)
    print(f"{args.model}, {args.dtype}, batch {args.batch_size}, Adam {args.lr}, seed {args.seed}, ", end="")
    print(f"{'random images' if args.data is None else 'real frames'}; {torch.get_num_threads()} PyTorch threads")
    if args.perturb:
        print(f"start perturbed on both sides alike: each weight by up to {args.perturb} of its tensor's size")
    print(f"{'step':>4}  {'numpynet':>14}  {'torch':>14}  {'relative':>9}", "  torch to torch" if args.floor else "")
    losses: list[dict[str, float]] = []
    first: tuple[int, Difference] | None = None
    for i, compared in enumerate(train_both(net, batches, args.steps, args.lr, args.floor), 1):
        step = compared.step
        row = {"step": i, "numpynet": step.numpynet_loss, "torch": step.torch_loss, "relative": step.relative}
        print(f"{i:4}  {step.numpynet_loss:14.9f}  {step.torch_loss:14.9f}  {step.relative:9.2e}", end="")
        if compared.floor is not None:
            row["floor"] = compared.floor.loss
            print(f"  {compared.floor.loss:15.2e}", end="")
        print(flush=True)
        losses.append(row)
        if first is None and (strayed := first_to_leave(compared.rows, args.dtype)) is not None:
            first = (i, strayed)
    rows, floor = compared.rows, compared.floor.tensors if compared.floor is not None else {}
    print_tensors(rows, floor, args.steps)
    print_first(first, args.dtype)
    return verdict(losses, LOSS_TOLERANCE[args.dtype]) | {
        "settings": {name: value for name, value in vars(args).items() if name not in ("json", "data")}
        | {"data": "random" if args.data is None else "real frames"},
        "versions": {"numpy": np.__version__, "torch": torch.__version__},
        "losses": losses,
        "tensors": [asdict(row) | {"floor": floor.get((row.kind, row.name))} for row in rows],
        "first": None if first is None else {"step": first[0], **asdict(first[1])},
    }


def perturb(net: KeypointNet, share: float, seed: int) -> None:
    """Move each parameter by a random number of up to `share` times its tensor's largest magnitude, or times 1 if 0.

    Batch norm's weights start at 1 and its biases at 0: a factor or a term that is left out would not show at step 1.
    PyTorch's twin is made of this net afterwards, so both sides start alike.
    """
    rng = np.random.default_rng([seed, 2])
    for parameter in net.parameters() if share else ():
        data = parameter.data
        size = float(np.abs(data).max()) or 1.0
        data += (share * size * rng.uniform(-1, 1, data.shape)).astype(data.dtype)


def first_to_leave(rows: list[Difference], dtype: str) -> Difference | None:
    """The first tensor that exceeds its tolerance; checked are the output, then gradients from the last layer back."""
    outputs = [row for row in rows if row.kind == "output"]
    gradients = [row for row in rows if row.kind == "gradient" and not row.apart]
    images, *parameters = gradients
    for row in [*outputs, *reversed(parameters), images]:
        if not row.relative <= TENSOR_TOLERANCE[dtype][row.kind]:
            return row
    return None


def print_first(first: tuple[int, Difference] | None, dtype: str) -> None:
    """Print the first tensor that exceeded its tolerance, if there is one."""
    if first is None:
        print("\nno output and no gradient exceeded its tolerance at any step")
        return
    step, row = first
    limit = TENSOR_TOLERANCE[dtype][row.kind]
    print(f"\nfirst to exceed its tolerance: {row.kind} {row.name} at step {step}, {row.relative:.2e} of {limit:.0e}")


def verdict(losses: list[dict[str, float]], limit: float) -> dict[str, Any]:
    """Print and return the largest difference of the loss, its tolerance, and whether it passed."""
    largest = max((row["relative"] for row in losses), key=lambda value: (math.isnan(value), value))
    passed = largest <= limit  # False for NaN, too
    print(f"\nlargest relative difference of the loss: {largest:.2e}", end="")
    if floor := [row["floor"] for row in losses if "floor" in row]:
        print(f" (torch to torch: {max(floor):.2e})", end="")
    print(f", tolerance {limit:.0e}: " + ("passed" if passed else "FAILED"))
    return {"largest": largest, "tolerance": limit, "passed": passed}


def print_tensors(rows: list[Difference], floor: dict[tuple[str, str], float], steps: int) -> None:
    """Print two tables, all tensors and those that are only rounding noise; beside each its floor if there is one."""
    for apart, title in (
        (False, f"after step {steps}: largest difference over PyTorch's largest magnitude"),
        (True, APART),
    ):
        print(f"\n{title}" + ("; torch to torch" if floor else ""))
        for row in [row for row in rows if row.apart is apart]:
            noise = floor.get((row.kind, row.name))
            print(f"  {row.kind:10}  {row.name:36}  {row.relative:9.2e}", "" if noise is None else f" {noise:9.2e}")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    result = argparse.ArgumentParser(prog="python -m reference.parity", description=__doc__.split("\n\n")[0])
    result.add_argument("--model", choices=list(MODELS), default="compact", help="default %(default)s")
    result.add_argument("--steps", type=int, default=20)
    result.add_argument("--batch-size", type=int, default=4)
    result.add_argument("--dtype", choices=list(LOSS_TOLERANCE), default="float64", help=DTYPE_HELP)
    result.add_argument("--data", type=Path, metavar="DIR", help="the keypoint data; random images without it")
    result.add_argument("--seed", type=int, default=0)
    result.add_argument("--lr", type=float, default=1e-3, help="Adam's (default %(default)s)")
    result.add_argument(
        "--perturb",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="move each weight at the start by up to this share of its tensor's size, such as 0.5, on both sides "
        "alike: batch norm's weights start at 1, so a factor left out there shows only later (default %(default)s)",
    )
    result.add_argument(
        "--floor",
        action="store_true",
        help="train PyTorch again on each batch in reverse order, without oneDNN: shows the effect of rounding alone",
    )
    result.add_argument("--json", type=Path, metavar="FILE", help="where to write the tables")
    return result


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    args = parser().parse_args(arguments)
    if args.steps < 1 or args.batch_size < 2:
        parser().error("--steps must be at least 1 and --batch-size at least 2 (batch norm needs two)")
    if not (math.isfinite(args.perturb) and args.perturb >= 0):
        parser().error(f"--perturb must be 0 or more, got {args.perturb}")
    result = run(args)
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
