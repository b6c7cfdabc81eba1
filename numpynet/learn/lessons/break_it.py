"""The command `break`: twelve mistakes to find, endless others by seed, and the table of what each does to the loss."""

import argparse
import difflib
import shlex
import sys
import textwrap
import zlib
from pathlib import Path

from numpynet.learn.errors import LearnError
from numpynet.learn.lessons import loss_table
from numpynet.learn.lessons.bugs_by_seed import bug_of_seed
from numpynet.learn.lessons.check_copy import in_own_process
from numpynet.learn.lessons.loss_chart import chart
from numpynet.learn.lessons.plant import Bug, bugs, copy_of, source_of
from numpynet.learn.lessons.trials import STEPS, trial

COMMAND = "python -m numpynet.learn break"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("lesson", nargs="?", help="the mistake to look for; without it, the list of lessons")
    parser.add_argument("--seed", type=int, help="in place of a lesson: a random mistake, the same for the same seed")
    parser.add_argument("--dir", type=Path, default=Path(), help="where the broken copy is written (default: here)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="check your copy")
    what.add_argument("--answer", action="store_true", help="tell what is broken")
    what.add_argument("--table", action="store_true", help="train with each mistake, over several seeds")
    parser.add_argument("--seeds", type=int, default=5, help="of the table (default %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the table (default %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Returns 0, or with --check 1 if the copy is still wrong."""
    if options.table:
        if options.lesson is not None or options.seed is not None:
            raise LearnError("--table takes no lesson and no --seed")
        print(loss_table.text(loss_table.rows(options.seeds, options.steps)))
        return 0
    if options.lesson is None and options.seed is None:
        if options.check or options.answer:
            raise LearnError(f"name a lesson; `{COMMAND}` lists them")
        print(lessons())
        return 0
    if options.lesson is not None and options.seed is not None:
        raise LearnError("give a lesson or --seed, not both")
    bug = lesson_named(options.lesson) if options.seed is None else bug_of_seed(options.seed)
    if options.answer:
        print(answer(bug))
        return 0
    path = options.dir / f"broken_{bug.name}.py"
    return check(bug, path, options) if options.check else begin(bug, path, options)


def lessons() -> str:
    """The list of lessons."""
    lines = ["Twelve lessons. Each plants one real mistake in a copy of one function, for you to find:", ""]
    for number in range(1, 13):
        for bug in (bug for bug in bugs().values() if bug.lesson == number):
            lines.append(f"  {number:2}  {bug.name:32} {bug.function:22} page {bug.page.removesuffix('.md')}")
    lines += ["", f"{COMMAND} NAME       writes the copy and shows two loss curves"]
    lines += [f"{COMMAND} --seed 7   a random mistake in a backward function; take any number"]
    lines += [f"{COMMAND} --table    what each mistake does to the loss, over five seeds"]
    return "\n".join(lines)


def lesson_named(name: str) -> Bug:
    """The mistake of a lesson. LearnError, with the nearest name, if there is no such lesson."""
    known = [bug.name for bug in bugs().values() if bug.lesson]
    if name in known:
        return bugs()[name]
    near = difflib.get_close_matches(name, known, 1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"`{COMMAND}` lists them"
    raise LearnError(f"there is no lesson {name!r}; {hint}")


def begin(bug: Bug, path: Path, options: argparse.Namespace) -> int:
    """Write the broken copy, show the curves, and say how to go on."""
    heading = f"Lesson {bug.lesson}: {bug.name}" if bug.lesson else bug.name.replace("_", " ").capitalize()
    print(f"{heading}\n\n{_write(path, bug.copy())}.\nIt is {bug.function} of {bug.module}, with one mistake in it.\n")
    again = f"{COMMAND} {_given(bug, options)}"
    if bug.lesson:
        broken = bugs()[bug.curve] if bug.curve else bug
        curves = {
            letter: trial(broken if letter == _letter(bug) else None, 0, STEPS, broken.case).losses for letter in "AB"
        }
        print(f"Two networks learn 12 crops of one photo ({STEPS} steps of Adam). One makes the mistake. The loss:\n")
        shown = [STEPS * eighths // 8 for eighths in (0, 1, 2, 4, 6, 8)]
        print("  step " + "".join(f"{step:>10}" for step in shown))
        for letter, losses in curves.items():
            print(f"  {letter}    " + "".join(f"{losses[step]:>10.5f}" for step in shown))
        print(f"\n{chart(curves)}\n")
        _ask(bug, again)
    print(f"Find the mistake in {path} and repair it. To check your copy:\n  {again} --check")
    return 0


def _write(path: Path, text: str) -> str:
    """Write a new file; an old one is left as it is. Says which it was. LearnError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LearnError(f"--dir {path.parent} is not a folder and cannot be made: {error.strerror}") from error
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return f"{path} is there already and is left as it is"
    except OSError as error:
        raise LearnError(f"{path} cannot be written: {error.strerror}; choose another --dir") from error
    return f"Wrote {path}"


def _letter(bug: Bug) -> str:
    """The curve of the network with the mistake: always the same for one lesson."""
    return "AB"[zlib.crc32(bug.name.encode()) % 2]


def _ask(bug: Bug, again: str) -> None:
    """Ask which network is broken, and tell, if somebody sits at a terminal. Without one, say how to be told."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print(f"Which one is broken, A or B? To be told:\n  {again} --answer\n")
        return
    try:
        input("Which one is broken, A or B? Press Enter to be told: ")
    except (EOFError, KeyboardInterrupt):
        print()
    print(f"{_letter(bug)} is broken. {bug.sees}\n")


def _given(bug: Bug, options: argparse.Namespace) -> str:
    """The words that name this bug and its folder on the command line."""
    name = bug.name if options.seed is None else f"--seed {options.seed}"
    return name if options.dir == Path() else f"{name} --dir {shlex.quote(str(options.dir))}"


def check(bug: Bug, path: Path, options: argparse.Namespace) -> int:
    """Check the reader's copy."""
    if not path.is_file():
        raise LearnError(f"there is no {path}; `{COMMAND} {_given(bug, options)}` writes it")
    found = in_own_process(path, bug.name)
    if found == 1:
        print(f"\nNot right yet. Look into {path}, repair it, and check again.")
    elif found == 0:
        print(f"\nRepaired.\n\n{answer(bug)}")
    return found


def answer(bug: Bug) -> str:
    """What is broken, how it shows, where it happened, and the lines that differ."""
    lines = []
    if bug.lesson:
        told = [
            f"{bug.title[0].upper()}{bug.title[1:]}.",
            f"{_letter(bug)} is the broken network. {bug.sees}",
            bug.story,
        ]
        lines = [line for text in told for line in textwrap.wrap(text, 98)]
        lines += [bug.issue] if bug.issue else []
        lines += [""]
    right = copy_of(bug.module, bug.function, source_of(bug.module)).splitlines()
    differences = [
        line for line in difflib.unified_diff(bug.copy().splitlines(), right, n=0, lineterm="") if line[:2] != "@@"
    ]
    lines += ["The mistake (-) and what is right (+):", *(f"  {line}" for line in differences[2:])]
    if bug.page:
        lines += ["", f"Page {bug.page.removesuffix('.md')} explains it."]
    return "\n".join(lines)
