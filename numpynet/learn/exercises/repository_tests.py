"""`check --full`: the function's own tests, run on the reader's function. It needs a clone and pytest."""

import importlib.util
import sys
from pathlib import Path

import numpynet
from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import Exercise, file_loader, find
from numpynet.learn.own_process import ended, started
from numpynet.learn.replacement import installed

SECONDS = 600
"""How long the tests may take."""


def tests(exercise: Exercise, path: Path) -> int:
    """Run them in a process of their own. 0 if they pass, 1 if not. LearnError if they are not here."""
    clone = Path(numpynet.__file__).parents[1]
    files = [name for name in exercise.tests if name.endswith(".py")]
    if not all((clone / name).is_file() for name in files):
        raise LearnError("--full: the tests are not here; run it in a clone of the repository")
    if importlib.util.find_spec("pytest") is None:
        raise LearnError("--full: the tests need pytest: pip install -e '.[test]'")
    print(f"numpynet's tests with your {exercise.name}: {' '.join(files)}", flush=True)
    words = (exercise.name, str(path.resolve()))
    status = ended(started("numpynet.learn.exercises.repository_tests", *words, folder=clone), SECONDS)
    if status is None:
        print(f"The tests did not end within {SECONDS} seconds: does a loop never end?")
    return 0 if status == 0 else 1


def main() -> int:
    """In the process of its own: pytest, with the reader's function in place."""
    import pytest

    name, path = sys.argv[1:]
    exercise = find(name)
    function = file_loader.function_of(exercise, Path(path))
    with installed(exercise, function):
        return int(pytest.main(["-q", "-p", "no:cacheprovider", "--no-header", *exercise.tests]))


if __name__ == "__main__":
    sys.exit(main())
