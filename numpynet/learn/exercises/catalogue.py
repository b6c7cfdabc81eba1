"""The exercises: what exercises.toml says about each, and how one is found by its name."""

import difflib
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

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
    near = difflib.get_close_matches(name, known, 1, cutoff=0.4)
    advice = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"
    raise LearnError(f"there is no exercise {name!r}; {advice}")


def reader_file(exercise: Exercise, given: str | None) -> Path:
    """The reader's file of this exercise. LearnError if it is not there or not a file.

    given: a file, a folder that holds it, or None for the current folder.
    """
    path = Path(given) if given is not None else Path(exercise.file)
    if path.is_dir():
        path = path / exercise.file
    if not path.exists():
        raise LearnError(f"there is no file {path}; `python -m numpynet.learn start {exercise.name}` writes one")
    if not path.is_file():
        raise LearnError(f"{path} is not a file")
    return path
