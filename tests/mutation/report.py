"""The table of mutants, and the reasons why a survivor may live."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.running import Verdict

EQUIVALENT = Path(__file__).parent / "equivalent.toml"

Reasons = dict[tuple[str, str, str], str]
"""(room, function, change) -> why the change computes the same."""


def reasons() -> Reasons:
    """What equivalent.toml says. No file is named there, so that a function may move to another one of its room."""
    entries = tomllib.loads(EQUIVALENT.read_text("utf-8")).get("mutant", [])
    return {(e.get("room", ""), e["function"], change): e["reason"] for e in entries for change in e["changes"]}


def identity(verdict: Verdict) -> tuple[str, str, str]:
    """What a reason is found by. The room is `functional` or `kernels`, or nothing for every other file."""
    room = verdict.module.split(".")[1]
    return room if room in ("functional", "kernels") else "", verdict.function, verdict.change


def unexplained(verdicts: Iterable[Verdict], known: Reasons) -> list[Verdict]:
    """The survivors without a reason."""
    return [v for v in verdicts if v.outcome == "survived" and identity(v) not in known]


def idle(verdicts: Iterable[Verdict], known: Reasons) -> list[tuple[str, str, str]]:
    """The reasons that no survivor needs any more."""
    needed = {identity(v) for v in verdicts if v.outcome == "survived"}
    return [key for key in known if key not in needed]


def line(verdict: Verdict) -> str:
    """Where a mutant is and what it changes."""
    path = verdict.module.replace(".", "/") + ".py"
    return f"{path}:{verdict.line}  {verdict.function}: {verdict.change}"


def table(verdicts: list[Verdict], known: Reasons) -> str:
    """File by file, then every survivor with its reason. Numbers alone, no lines of files: they would change daily."""
    lines = [
        "<!-- Written by `make mutants`. -->",
        "",
        "# Mutants",
        "",
        "Small mistakes, made one at a time in every place where one can be made; see [testing.md](testing.md).",
        "Killed: a test failed. An endless loop or a crash counts, since both would be noticed. Equivalent: the",
        "mutant survives because it computes the same; the reason is given below.",
        "",
        "| file | functions | mutants | killed | equivalent |",
        "|---|---:|---:|---:|---:|",
    ]
    by_file: dict[str, list[Verdict]] = {}
    for v in verdicts:
        by_file.setdefault(v.module, []).append(v)
    rows = [(f"`{module.replace('.', '/')}.py`", found) for module, found in by_file.items()]
    for name, found in [*rows, ("**all**", verdicts)]:
        functions = len({(v.module, v.function) for v in found})
        lived = sum(v.outcome == "survived" for v in found)
        explained = lived - len(unexplained(found, known))
        lines.append(f"| {name} | {functions} | {len(found)} | {len(found) - lived} | {explained or ''} |")
    backward = [v for v in verdicts if "backward" in v.function or v.function in ("unfold", "fold")]
    killed = sum(v.outcome != "survived" for v in backward)
    hung, crashed = (sum(v.outcome == outcome for v in verdicts) for outcome in ("hung", "crashed"))
    lines += ["", f"Backward passes: {len(backward)} mutants, {killed} killed."]
    lines += [f"Endless loops: {hung}. Crashes: {crashed}. Unexplained survivors: {len(unexplained(verdicts, known))}."]
    by_reason: dict[str, list[str]] = {}
    for v in verdicts:
        if v.outcome == "survived":
            reason = known.get(identity(v), "**unexplained**")
            by_reason.setdefault(reason, []).append(f"- `{v.module}.{v.function}`: `{v.change}`")
    if by_reason:
        lines += ["", "## Survivors"]
    for reason, changes in by_reason.items():
        lines += ["", f"{reason[0].upper()}{reason[1:]}:", "", *changes]
    return "\n".join(lines) + "\n"
