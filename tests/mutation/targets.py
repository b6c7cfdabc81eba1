"""What is mutated and which tests judge it.

Targets are derived from the files: every function and method of a file below, the private ones too. A new file is a
target as soon as one of the patterns fits it; a file that nothing names is an error (tests/mutation/test_targets.py).
Which tests judge a function needs no list: those of its group's folders that call it, which the run finds out.
"""

import fnmatch
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "numpynet"


@dataclass(frozen=True)
class Group:
    """Files of the package and the tests, by folder or file, that a mutant of them must not survive."""

    name: str
    files: tuple[str, ...]
    judges: tuple[str, ...]


MATHEMATICS = ("tests/functional", "tests/gradcheck", "tests/parity", "tests/layers", "tests/training", "tests/kernels")

GROUPS = (
    Group("functions", ("functional/*.py",), MATHEMATICS),
    Group("layers", ("layers.py", "module.py", "parameter.py", "init.py", "fuse.py"), MATHEMATICS),
    Group("training", ("losses.py", "optim.py", "schedules.py", "averaging.py", "blocks.py"), MATHEMATICS),
    Group("checks", ("checks.py", "states.py", "training_state.py"), MATHEMATICS),
    Group("kernels", ("kernels/*.py",), MATHEMATICS),
    Group("loop", ("training.py", "data.py", "divergence.py"), ("tests/training",)),
)

TESTS_LEFT_OUT = {
    "tests/kernels/test_code_cache.py": "compiles, which the run does not",
    "tests/kernels/test_buffers.py": "memory, which is no target",
    "tests/kernels/test_kernels.py::test_convolution_of_many_strips": "slow uncompiled; tests/kernels/small has strips",
    "tests/kernels/test_kernels.py::test_linear_in_blocks": "slow uncompiled; tests/kernels/small has blocks",
}
"""Files and tests that judge nothing, and why."""

FILES_LEFT_OUT = {
    "kernels/code_cache.py": "keeps compiled code, and the run compiles none; tests/kernels/test_code_cache.py",
    "architectures.py": "limits of what a file may ask for; tests/training/test_hostile_weights.py",
    "kernels/buffers.py": "hands out memory, whose numbers mean nothing yet; tests/kernels/test_buffers.py",
    "kernels/memory.py": "hands out memory; tests/kernels/test_buffers.py",
    "workers.py": "gives work to threads, on which no number depends; tests/kernels/test_workers.py",
    "card.py": "reads and writes a file's description; tests/training/test_hostile_weights.py spoils it",
    "checkpoint.py": "reads and writes files; tests/training/test_checkpoint.py",
    "console.py": "prints; tests/learn/test_streams.py closes and fills its outputs",
    "dispatch.py": "chooses between implementations; tests/kernels/test_code_cache.py",
    "files.py": "writes files; tests/training/test_written_files.py",
    "models.py": "puts networks together; tests/layers/test_models.py compares them with PyTorch's",
    "small_floats.py": "reads the numbers of files; tests/training/test_hostile_weights.py",
    "strict_json.py": "reads files; tests/training/test_hostile_weights.py",
    "tensors.py": "reads and writes files; tests/training/test_hostile_weights.py",
    "typing.py": "types",
    "parallel/*.py": "several processes, of threads that wait for each other; tests/parallel compares them with one",
    "learn/*.py": "shows and judges the mathematics; tests/learn compares what it says with PyTorch's and NumPy's",
    "receptive_field.py": "arithmetic about networks; tests/layers/test_summary.py compares it with gradients",
    "record.py": "walks over a network; tests/layers/test_record.py compares it with forward and backward",
    "summaries.py": "prints; tests/layers/test_summary.py compares its numbers with PyTorch's",
    "gradcheck/*.py": "a check itself; tests/gradcheck/test_planted_bugs.py plants what it must find",
    "*__init__.py": "hands on names",
}
"""Files that are no targets, and why."""

FUNCTIONS_LEFT_OUT = {
    "extra_repr": "what a layer is printed as; tests/parity compares it with PyTorch's",
    "__repr__": "what an object is printed as",
    "_limits": "the words of an error",
}
"""Functions that are no targets, whatever class they belong to, and why."""


def files(package: Path = PACKAGE) -> dict[Path, Group | str]:
    """Every file of the package with its group, in the order of the groups; then those left out, with the reasons."""
    places = {path: place_of(path.relative_to(package)) for path in sorted(package.rglob("*.py"))}
    turn: dict[Group | str, int] = {group: number for number, group in enumerate(GROUPS)}
    return dict(sorted(places.items(), key=lambda item: turn.get(item[1], len(turn))))


def place_of(path: Path) -> Group | str:
    """Where a file belongs, named as within the package. LookupError if nothing names it."""
    for pattern, reason in FILES_LEFT_OUT.items():
        if fits(path, pattern):
            return reason
    for group in GROUPS:
        if any(fits(path, pattern) for pattern in group.files):
            return group
    raise LookupError(f"numpynet/{path} is in no group of tests/mutation/targets.py and not left out with a reason")


def fits(path: Path, pattern: str) -> bool:
    """Whether the pattern names this path; `*__init__.py` does in every folder."""
    return fnmatch.fnmatchcase(path.as_posix(), pattern)
