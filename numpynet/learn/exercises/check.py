"""`check [NAME [FILE]]`: judge one exercise; without a name, all files of the folder, and print the progress."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import exercises, find, verdict_text
from numpynet.learn.exercises.catalogue import add_file, given_place, reader_file
from numpynet.learn.exercises.judging_process import Verdict, check_file
from numpynet.learn.own_process import end_all


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_file(parser, without_name="all files of the folder are checked")
    parser.add_argument("--full", action="store_true", help="in a clone: the function's own tests, too (needs pytest)")


def run(options: argparse.Namespace) -> int:
    """0 if what was checked is right, 1 if not."""
    if options.name is None:
        if options.full:
            raise LearnError("--full: name the exercise")
        return _all(Path(options.dir or "."))
    exercise = find(options.name)
    verdict = check_file(exercise, reader_file(exercise, given_place(options)))
    print(verdict_text.text(verdict))
    if options.full and verdict.passed:
        from numpynet.learn.exercises import repository_tests

        return repository_tests.tests(exercise, verdict.path)
    return 0 if verdict.passed else 1


def _all(folder: Path) -> int:
    if not folder.is_dir():
        raise LearnError(f"--dir {folder}: there is no such folder")
    known = exercises()
    there = [exercise for exercise in known.values() if (folder / exercise.file).is_file()]
    if not there:
        raise LearnError(
            f"there is no exercise in {folder.absolute()}; go to the folder in which you typed `start`, or begin: "
            "`python -m numpynet.learn start` lists them"
        )
    with ThreadPoolExecutor(2) as pool:
        try:
            verdicts = list(pool.map(lambda exercise: check_file(exercise, folder / exercise.file), there))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise
    return _progress({verdict.exercise.name: verdict for verdict in verdicts})


def _progress(verdicts: dict[str, Verdict]) -> int:
    known = exercises()
    for name in known:
        print(f"{name:28} {verdict_text.in_one_line(verdicts[name]) if name in verdicts else '-'}")
    groups: dict[str, list[bool]] = {}
    for exercise in known.values():
        right = exercise.name in verdicts and verdicts[exercise.name].passed
        groups.setdefault(exercise.group or exercise.name, []).append(right)
    print(
        f"{sum(map(all, groups.values()))} of {len(groups)} exercises are right (linear and linear_backward are one)."
    )
    return 0 if all(verdict.passed for verdict in verdicts.values()) else 1
