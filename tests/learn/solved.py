"""The exercises solved with numpynet's own source."""

import importlib
from pathlib import Path

from numpynet.learn.exercises import Exercise
from numpynet.learn.exercises.starting_file import imports, readable_source


def solved(exercise: Exercise) -> str:
    """A reader's file with numpynet's own body, without the checks of arguments."""
    module = importlib.import_module(exercise.module)
    source = readable_source(module, exercise.function)
    source = source.replace(f"def {exercise.function.split('.')[-1]}(", f"def {exercise.name}(", 1)

    return "\n".join([*imports(exercise, module, [source]), "", "", source, ""])


def write_solved(exercise: Exercise, folder: Path) -> Path:
    """Write such a file into the folder."""
    path = folder / exercise.file
    path.write_text(solved(exercise), "utf-8")
    return path
