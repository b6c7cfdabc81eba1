"""The exercises: what exercises.toml says about each, and how one is found by its name."""

import argparse
import shlex
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from numpynet.console import nearest
from numpynet.learn.errors import LearnError


@dataclass(frozen=True)
class Exercise:
    """One exercise; exercises.toml says what each field means."""

    name: str
    page: str
    title: str
    module: str
    function: str
    kind: str
    read: list[str]
    use: list[str]
    gives: list[str]
    task: str
    tests: list[str]
    hints: list[str]
    forward: str = ""
    group: str = ""
    changed: str = "make a new array instead"
    unavailable: list[str] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The name of the reader's file."""
        return f"{self.name}.py"


@cache
def exercises() -> dict[str, Exercise]:
    """All exercises by name, in the order of the pages."""
    text = resources.files("numpynet.learn.exercises").joinpath("exercises.toml").read_text("utf-8")
    return {entry["name"]: Exercise(**entry) for entry in tomllib.loads(text)["exercise"]}


def find(name: str) -> Exercise:
    """The exercise of this name, or of the file `name.py`. LearnError with the nearest name if there is none."""
    name = name.removesuffix(".py")
    known = exercises()
    if name in known:
        return known[name]
    advice = nearest(name, known, f"choose one of {', '.join(known)}")
    raise LearnError(f"there is no exercise {name!r}; {advice}")


def add_file(parser: argparse.ArgumentParser, without_name: str = "") -> None:
    """The arguments that name an exercise and say where the reader's file is; `given_place` reads the latter.

    without_name: what happens without a name; nothing if one is required.
    """
    if without_name:
        parser.add_argument("name", nargs="?", help=f"the exercise; without it, {without_name}")
    else:
        parser.add_argument("name", help="the exercise")
    parser.add_argument("file", nargs="?", help="your file, or its folder (default: NAME.py in the current one)")
    parser.add_argument("--dir", help="the folder of your files (default: the current one)")


def given_place(options: argparse.Namespace) -> str | None:
    """The file or folder that was given. LearnError if both were, or if there is no such folder."""
    if options.file is not None and options.dir is not None:
        raise LearnError("give a file or --dir, not both")
    if options.dir is not None and not Path(options.dir).is_dir():
        raise LearnError(f"--dir {options.dir}: there is no such folder")
    given: str | None = options.dir if options.file is None else options.file
    return given


def reader_file(exercise: Exercise, given: str | None) -> Path:
    """The reader's file of this exercise. LearnError if it is not there or not a file.

    given: a file, a folder that holds it, or None for the current folder.
    """
    path = Path(given) if given is not None else Path(exercise.file)
    if path.is_dir():
        path = path / exercise.file
    if not path.exists():
        begin = f"`python -m numpynet.learn start {exercise.name}{in_folder(path.parent)}` writes one"
        raise LearnError(f"there is no file {path}; {begin if path.parent.is_dir() else 'nor such a folder'}")
    if not path.is_file():
        raise LearnError(f"{path} is not a file")
    return path


def in_folder(folder: Path) -> str:
    """What a command line needs to find the files of this folder: nothing, if it is the current one."""
    return "" if folder == Path() else f" --dir {shlex.quote(str(folder))}"


def command(verb: str, exercise: Exercise, path: Path) -> str:
    """The command line for a file of the reader's; verb: check or show."""
    where = in_folder(path.parent) if path.name == exercise.file else f" {shlex.quote(str(path))}"
    return f"python -m numpynet.learn {verb} {exercise.name}{where}"
