"""The `fkp` command as a test calls it."""

from typing import NamedTuple

import pytest

from fkp_app.cli import main


class Ended(NamedTuple):
    """How a command ended: its exit code, standard output, standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def fkp(capfd):
    """Runs the command with these arguments, in this process."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def silent(capfd):
    """Neither OpenCV nor FFmpeg prints anything of its own."""
    yield
    assert capfd.readouterr() == ("", "")
