"""`python -m tests.mutation`: make every mutant, see whether its tests notice, and print the table.

A mutant never touches a file: each runs in a fork of this process, in which the import system hands out the changed
source. PyTorch and the other libraries are loaded once, before the forks; numpynet and the tests in each anew. Kernels
run uncompiled (NUMBA_DISABLE_JIT): compiling each mutant would take hours.
"""

import argparse
import contextlib
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

os.environ["NUMBA_DISABLE_JIT"] = "1"  # before Numba is loaded

import hypothesis
import numba
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from tests.mutation.operators import Mutant, mutants
from tests.mutation.targets import TARGETS, Target

LOADED = (hypothesis, numba, np)  # named, so that nobody takes the imports for idle
EQUIVALENT = Path(__file__).parent / "equivalent.toml"
SECONDS = 60
"""A mutant that takes longer hangs, which its tests would notice."""


@dataclass(frozen=True)
class Verdict:
    """One mutant and whether it was killed; a survivor may be known to compute the same, for a reason."""

    target: Target
    mutant: Mutant
    killed: bool
    reason: str = ""


class Substitute(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Hands out another source for one module."""

    def __init__(self, target: Target, source: str) -> None:
        self.target, self.source = target, source

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self.target.module:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.target.path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self.target.path)
        exec(compile(self.source, str(self.target.path), "exec"), vars(module))


def survives(target: Target, source: str) -> bool:
    """Whether the target's tests pass with this source. Runs in a fork, which it ends."""
    sys.meta_path.insert(0, Substitute(target, source))
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout", "0"]
    return all(pytest.main([*stage, *arguments]) == 0 for stage in target.stages)


def judge(jobs: list[tuple[Target, Mutant]], workers: int) -> Iterator[tuple[Target, Mutant, bool]]:
    """Every mutant with whether it survived, `workers` at a time."""
    running: dict[int, tuple[Target, Mutant]] = {}
    waiting = iter(jobs)
    while True:
        while len(running) < workers and (job := next(waiting, None)) is not None:
            child = os.fork()
            if child == 0:
                _in_child(*job)
            running[child] = job
        if not running:
            return
        child, status = os.wait()
        target, mutant = running.pop(child)
        yield target, mutant, status == 0


def _in_child(target: Target, mutant: Mutant) -> None:
    code = 1
    try:
        signal.alarm(SECONDS)  # whose signal ends the process
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        code = 0 if survives(target, mutant.source) else 1
    finally:
        os._exit(code)


def table(verdicts: list[Verdict]) -> str:
    """Function by function, then every survivor with the reason why it may live."""
    lines = ["| file | function | mutants | killed | equivalent |", "|---|---|---:|---:|---:|"]
    rows: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        rows.setdefault((verdict.target.module, verdict.mutant.function), []).append(verdict)
    for (module, function), found in rows.items():
        killed, equivalent = sum(v.killed for v in found), sum(bool(v.reason) for v in found)
        lines.append(f"| `{module}` | `{function}` | {len(found)} | {killed} | {equivalent or ''} |")
    killed, equivalent = sum(v.killed for v in verdicts), sum(bool(v.reason) for v in verdicts)
    lines.append(f"| **all** | | **{len(verdicts)}** | **{killed}** | **{equivalent}** |")
    backward = [v for v in verdicts if "backward" in v.mutant.function or v.mutant.function in ("unfold", "fold")]
    lines += ["", f"Backward passes: {len(backward)} mutants, {sum(v.killed for v in backward)} killed."]
    if survivors := [v for v in verdicts if not v.killed]:
        lines += ["", "Survivors:", ""]
        for v in survivors:
            lines.append(
                f"- `{v.target.module}.{v.mutant.function}`: `{v.mutant.change}`: {v.reason or '**unexplained**'}"
            )
    return "\n".join(lines)


def reasons() -> dict[tuple[str, str, str], str]:
    """What equivalent.toml says: (module, function, change) -> why the change computes the same."""
    entries = tomllib.loads(EQUIVALENT.read_text("utf-8")).get("mutant", []) if EQUIVALENT.is_file() else []
    return {(e["module"], e["function"], change): e["reason"] for e in entries for change in e["changes"]}


def main() -> int:
    """0 where every mutant was killed or is explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default="", help="files whose dotted name holds this text")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="where to write the table, as Markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)  # other threads would not outlive a fork
    threadpool_limits(limits=1)
    targets = [target for target in TARGETS if args.only in target.module]
    jobs = [(target, mutant) for target in targets for mutant in mutants(target.path.read_text("utf-8"))]
    unchanged = [(target, Mutant("unchanged", "", target.path.read_text("utf-8"))) for target in targets]
    for target, _, survived in judge(unchanged, args.workers):
        if not survived:
            raise SystemExit(f"the tests of {target.module} fail without any mutant: {target.stages}")
    known, begin = reasons(), time.monotonic()
    verdicts = []
    for target, mutant, survived in judge(jobs, args.workers):
        reason = known.get((target.module, mutant.function, mutant.change), "") if survived else ""
        verdicts.append(Verdict(target, mutant, not survived, reason))
        if survived and not reason:
            print(f"SURVIVED  {target.module}.{mutant.function}: {mutant.change}", flush=True)
        with contextlib.suppress(OSError):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{len(verdicts)} of {len(jobs)} ")
    order = {(target.module, mutant.function): i for i, (target, mutant) in enumerate(jobs)}
    verdicts.sort(key=lambda v: order[v.target.module, v.mutant.function])
    text = table(verdicts)
    print(text)
    unexplained = sum(not v.killed and not v.reason for v in verdicts)
    print(f"\n{len(verdicts)} mutants in {time.monotonic() - begin:.0f} s, {unexplained} survivors unexplained")
    if args.out is not None:
        args.out.write_text(text + "\n", "utf-8")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
