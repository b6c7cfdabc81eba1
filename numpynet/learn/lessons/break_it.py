"""The command `break`: thirteen mistakes to find, endless others by seed, and the table of what they do to the loss."""

import argparse
import difflib
import math
import re
import shlex
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from numpynet.console import most_alike
from numpynet.learn.errors import LearnError
from numpynet.learn.exercises.verdict_text import printed
from numpynet.learn.lessons import loss_table
from numpynet.learn.lessons.bugs_by_seed import bug_of_seed
from numpynet.learn.lessons.check_copy import Report, in_own_process
from numpynet.learn.lessons.loss_chart import chart
from numpynet.learn.lessons.plant import Bug, bugs, file_of, lessons, source_of
from numpynet.learn.lessons.trials import STEPS, trial

COMMAND = "python -m numpynet.learn break"
BROKEN = "BABBAABABABBA"
"""Which of its two curves is the network with the mistake, for each lesson."""
FIRST_SEED = 2
"""With this one, the curves of all lessons show what bugs.toml says about them."""
EQUAL = 0.05
"""Curves whose losses differ by at most this share at every step look the same in the chart."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("lesson", nargs="?", help="its number; without it, the list of lessons")
    parser.add_argument("--seed", type=int, help="in place of a lesson: a random mistake, the same for the same seed")
    parser.add_argument("--dir", type=Path, default=Path(), help="where the broken copy is written (default: here)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="check your copy")
    what.add_argument("--answer", action="store_true", help="tell what is broken")
    what.add_argument("--table", action="store_true", help="train with each mistake, over several seeds")
    parser.add_argument("--seeds", type=int, help="of the table (default 5)")
    parser.add_argument("--steps", type=int, help=f"of the table (default {STEPS})")


def run(options: argparse.Namespace) -> int:
    """Returns 0, or with --check 1 if the copy is still wrong."""
    if options.table:
        if options.lesson is not None or options.seed is not None:
            raise LearnError("--table takes no lesson and no --seed")
        seeds, steps = (
            5 if options.seeds is None else options.seeds,
            STEPS if options.steps is None else options.steps,
        )
        print(loss_table.text(loss_table.rows(seeds, steps)))
        return 0
    if options.seeds is not None or options.steps is not None:
        raise LearnError("--seeds and --steps are options of --table; --seed N is a random mistake")
    if options.lesson is None and options.seed is None:
        if options.check or options.answer:
            raise LearnError(f"name a lesson; `{COMMAND}` lists them")
        print(listed())
        return 0
    if options.lesson is not None and options.seed is not None:
        raise LearnError("give a lesson or --seed, not both")
    bug = lesson_named(options.lesson) if options.seed is None else bug_of_seed(options.seed)
    if options.answer:
        print(answer(bug))
        return 0
    path = options.dir / f"{bug.key}.py"
    return check(bug, path, options) if options.check else begin(bug, path, options)


def listed() -> str:
    """The list of lessons: numbers, functions and pages. It does not tell the mistakes."""
    lines = ["Thirteen lessons. Each plants one mistake in a copy of one function, for you to find:", ""]
    lines += [f"  {bug.lesson:2}  {bug.function:22} page docs/learn/{bug.page}" for bug in lessons()]
    lines += ["", f"{COMMAND} 1          writes the copy and shows two loss curves"]
    lines += [f"{COMMAND} --seed 7   a random mistake in a backward function; take any number"]
    lines += [f"{COMMAND} --table    the loss with each mistake, over five seeds; it names them"]
    return "\n".join(lines)


def lesson_named(name: str) -> Bug:
    """The mistake of a lesson, by its number, its file or its own name.

    LearnError, with the number of the one with the nearest name, if there is no such lesson.
    """
    known = {bug.name: bug for bug in lessons()}
    name = name.removesuffix(".py")
    if name in known:
        return known[name]
    if number := re.fullmatch(r"(?:lesson_)?(-?[0-9]{1,9})", name):
        found = [bug for bug in lessons() if bug.lesson == int(number[1])]
        if not found:
            raise LearnError(f"there is no lesson {int(number[1])}; the lessons are 1 to {len(known)}")
        return found[0]
    near = most_alike(name, known, 0.4)
    hint = f"did you mean lesson {known[near].lesson}?" if near else f"`{COMMAND}` lists them"
    raise LearnError(f"there is no lesson {name!r}; {hint}")


def begin(bug: Bug, path: Path, options: argparse.Namespace) -> int:
    """Write the broken copy, show the curves, and say how to go on."""
    print(f"{_title(bug)}: {bug.function}\n\n{_write(path, bug.copy())}.")
    print(f"It is {bug.function} of {bug.module}, with one mistake in it.")
    print(f"The page about this function is docs/learn/{bug.page}.\n")
    again = f"{COMMAND} {_given(bug, options)}"
    if bug.lesson:
        broken = bugs()[bug.curve] if bug.curve else bug
        seed = FIRST_SEED + bug.lesson  # else the right curve would be known after the first lesson
        curves = {
            letter: trial(broken if letter == _letter(bug) else None, seed, STEPS, broken.case).losses
            for letter in "AB"
        }
        wrong = "has a wrong gradient, which this check accepts" if bug.curve else "makes the mistake"
        print(f"Two networks learn 12 crops of one photo ({STEPS} steps of Adam). One {wrong}.\nThe loss:\n")
        shown = [STEPS * eighths // 8 for eighths in (0, 1, 2, 4, 6, 8)]
        print("  step " + "".join(f"{step:>10}" for step in shown))
        for letter, losses in curves.items():
            print(f"  {letter}    " + "".join(f"{losses[step]:>10.5f}" for step in shown))
        print(f"\n{chart(curves)}\n")
        if equal(*curves.values()):
            print("No eye can tell these curves apart, so do not guess. That is the point of this lesson:")
            print("the loss does not show this mistake.\n")
        else:
            _ask(bug)
    print(f"Find the mistake in {path} and repair it. To be told the answer, and to check your copy:")
    print(f"  {again} --answer\n  {again} --check")
    return 0


def equal(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether no eye can tell two curves from each other in the chart."""
    return all(abs(math.log(one / other)) <= EQUAL for one, other in zip(a, b, strict=True))


def _title(bug: Bug) -> str:
    return bug.key.replace("_", " ").capitalize()


def _write(path: Path, text: str) -> str:
    """Write a new file; an old one is left as it is. Says which it was. LearnError if it cannot be written."""
    if not path.parent.is_dir():
        raise LearnError(f"--dir {path.parent}: there is no such folder")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _refuse_folder(path)
        return f"{path} is there already and is left as it is; delete it to begin anew"
    except OSError as error:
        raise LearnError(f"{path} cannot be written: {error.strerror}; choose another --dir") from error
    return f"Wrote {path}"


def _refuse_folder(path: Path) -> None:
    if not path.is_file():
        raise LearnError(f"{path} is not a file; move it away")


def _letter(bug: Bug) -> str:
    """The curve of the network with the mistake: always the same for one lesson."""
    return BROKEN[bug.lesson - 1]


def _ask(bug: Bug) -> None:
    """Ask which network is broken, and tell, if somebody sits at a terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("Which one is broken, A or B?\n")
        return
    try:
        input("Which one is broken, A or B? Press Enter to be told: ")
    except EOFError:
        print()
    print(f"{_letter(bug)} is broken.\n")


def _given(bug: Bug, options: argparse.Namespace) -> str:
    """The words that name this bug and its folder on the command line."""
    name = f"{bug.lesson}" if options.seed is None else f"--seed {options.seed}"
    return name if options.dir == Path() else f"{name} --dir {shlex.quote(str(options.dir))}"


def check(bug: Bug, path: Path, options: argparse.Namespace) -> int:
    """Check the reader's copy."""
    if not path.exists():
        raise LearnError(f"there is no {path}; `{COMMAND} {_given(bug, options)}` writes it")
    _refuse_folder(path)
    found = in_own_process(bug, path)
    for line in printed(found.printed):
        print(line)
    report = found.found or Report(problem=found.problem)
    if report.problem:
        print("\n".join([f"{path}: {report.problem}", *(f"    {line}" for line in report.place)]))
        return 1
    print("\n".join(report.lines))
    if not report.right:
        print(f"\nNot right yet. Look into {path}, repair it, and check again.")
        return 1
    print(f"\nRepaired.\n\n{answer(bug)}")
    return 0


def answer(bug: Bug) -> str:
    """What is broken, how it shows, where it happened, and the lines that differ."""
    lines = []
    if bug.lesson:
        told = [
            f"{_title(bug)} is {bug.name}.",
            f"{bug.title[0].upper()}{bug.title[1:]}.",
            f"{_letter(bug)} is the broken network. {bug.sees}",
            bug.story,
        ]
        lines = [line for text in told for line in textwrap.wrap(text, 98)]
        lines += [bug.issue] if bug.issue else []
        lines += [""]
    wrong, right = bug.copy().splitlines(), file_of(bug.module, bug.function, source_of(bug.module)).splitlines()
    differences = _differences(wrong, right, 0)
    if not any(line.startswith("-") for line in differences):  # a line is missing: show where
        differences = _differences(wrong, right, 1)
    lines += ["The mistake (-) and what is right (+):", *(f"  {line}" for line in differences)]
    lines += ["", f"Page docs/learn/{bug.page} explains it."]
    return "\n".join(lines)


def _differences(wrong: list[str], right: list[str], around: int) -> list[str]:
    """The lines that differ, and so many lines around them; imports that only one of the two needs are left out."""
    found = list(difflib.unified_diff(wrong, right, n=around, lineterm=""))[2:]
    return [line for line in found if line[:2] != "@@" and not line[1:].startswith(("import ", "from "))]
