"""`python -m numpynet.learn [COMMAND ...]`: without a command, the list of what there is."""

import argparse
import difflib
import importlib
import os
import re
import subprocess
import sys
from typing import NoReturn

from numpynet.console import guarded, outputs
from numpynet.dispatch import ImplementationError
from numpynet.learn import commands, listing
from numpynet.learn.errors import LearnError

PROGRAM = "python -m numpynet.learn"
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class _Parser(argparse.ArgumentParser):
    """Reports a mistake in one line, and suggests the nearest option for one that does not exist."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized") and (unknown := re.search(r"--[\w-]+", message)):
            near = difflib.get_close_matches(unknown[0], re.findall(r"--[\w-]+", self.format_help()), 1)
            hint = f"did you mean {near[0]}?" if near else "--help lists the options"
            message = f"there is no option {unknown[0]}; {hint}"
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 if all is well, 1 if an answer is wrong, 2 for a bad argument."""
    given = sys.argv[1:] if arguments is None else arguments
    return guarded(PROGRAM, lambda: _run(given))


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "list"):
        print(listing.text())
        return 0
    name, *rest = given
    if name not in commands.COMMANDS:
        near = difflib.get_close_matches(name, commands.COMMANDS, 1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"`{PROGRAM}` lists them"
        sys.stderr.write(f"{PROGRAM}: there is no command {name!r}; {hint}\n")
        return 2
    command = commands.COMMANDS[name]
    module = importlib.import_module(command.module)
    parser = _Parser(prog=f"{PROGRAM} {name}", description=command.help)
    module.arguments(parser)
    try:
        return int(module.run(parser.parse_args(rest)))
    except (LearnError, ImplementationError) as error:
        sys.stderr.write(f"{PROGRAM} {name}: {error}\n")
        return 2


def with_one_thread() -> int:
    """Run the command in a process whose BLAS has one thread: these networks are small, and threads make them slower.

    NumPy reads these variables when it is loaded, and by now it is: `python -m numpynet.learn` loads numpynet first.
    """
    outputs()
    if all(name in os.environ for name in THREADS):
        return main()
    environment = dict.fromkeys(THREADS, "1") | os.environ
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(sys.executable, command, environment)
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(with_one_thread())
