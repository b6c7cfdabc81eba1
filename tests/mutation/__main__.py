"""`python -m tests.mutation`: make every mutant, see whether its tests notice, and write the table.

No file is changed: each mutant lives in a fork of this process. Kernels run uncompiled (NUMBA_DISABLE_JIT): to compile
each mutant would take days.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"  # before Numba is loaded

import torch
from threadpoolctl import threadpool_limits

from tests.mutation import report, targets
from tests.mutation.loaded import targets_of
from tests.mutation.running import Verdict, judge


def main() -> int:
    """0 if every mutant was killed or is explained."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", action="append", help="targets whose dotted name holds this text; may be repeated")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--results", type=Path, help="keep verdicts here; what was killed or is explained is not judged again"
    )
    parser.add_argument("--out", type=Path, help="where to write the table, as Markdown")
    args = parser.parse_args()
    torch.set_num_threads(1)  # other threads would not outlive a fork
    threadpool_limits(limits=1)
    chosen = [t for t in targets_of(targets.files()) if not args.only or any(text in t.key for text in args.only)]
    if not chosen:
        parser.error(f"no target's name holds {args.only}")
    known, begin = report.reasons(), time.monotonic()
    done = read(args.results, known)

    def tell(verdict: Verdict, number: int, total: int) -> None:
        if args.results is not None:
            with args.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")
        for survivor in report.unexplained([verdict], known):
            print(f"SURVIVED  {report.line(survivor)}", flush=True)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number} of {total} ")

    judges = sorted({judge for target in chosen for judge in target.group.judges})

    def explained(verdict: Verdict) -> bool:
        return not report.unexplained([verdict], known)

    verdicts = judge(chosen, judges, list(targets.TESTS_LEFT_OUT), args.workers, done, tell, explained)
    if args.out is not None:
        args.out.write_text(report.table(verdicts, known), "utf-8")
    if not args.only:
        for room, function, change in report.idle(verdicts, known):
            print(f"no longer needed in equivalent.toml: {room} {function}: {change}")
    survivors = report.unexplained(verdicts, known)
    print(f"{len(verdicts)} mutants in {time.monotonic() - begin:.0f} s, {len(survivors)} survivors unexplained")
    return 1 if survivors else 0


def read(path: Path | None, known: report.Reasons) -> dict[str, Verdict]:
    """Earlier verdicts by their marks, but those on survivors without a reason: a test may see them by now."""
    if path is None or not path.is_file():
        return {}
    verdicts = [Verdict(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    return {verdict.mark: verdict for verdict in verdicts if not report.unexplained([verdict], known)}


if __name__ == "__main__":
    sys.exit(main())
