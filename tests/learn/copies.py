"""What the tests of `python -m numpynet.learn break` share."""

from pathlib import Path

from numpynet.learn.lessons.plant import file_of, lessons, source_of

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "learn"
NAMES = [bug.name for bug in lessons()]


def right_copy(bug):
    """The file that a reader has repaired."""
    return file_of(bug.module, bug.function, source_of(bug.module))
