"""Fixtures that run the `fkp` command."""

from typing import NamedTuple

import pytest

from fkp_app.cli import main


class Ended(NamedTuple):
    """The exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def fkp(capfd):
    """Runs `fkp` with the given arguments in this process."""

    def run(*arguments: object) -> Ended:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err
        return Ended(code, captured.out, captured.err)

    return run


@pytest.fixture
def silent(capfd):
    """Checks that the test prints nothing; OpenCV and FFmpeg would print messages of their own."""
    yield
    assert capfd.readouterr() == ("", "")
