"""`python -m numpynet.learn [COMMAND ...]`: without a command, the list of what there is."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpynet
from numpynet.console import Parser, guarded, nearest, outputs
from numpynet.dispatch import ImplementationError
from numpynet.learn import commands, listing
from numpynet.learn.errors import LearnError
from numpynet.learn.own_process import ONE_THREAD

PROGRAM = "python -m numpynet.learn"


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns the exit status: 0 if all is well, 1 if an answer is wrong, 2 for a bad argument."""
    given = sys.argv[1:] if arguments is None else arguments
    return guarded(PROGRAM, lambda: _run(given))


def _run(given: list[str]) -> int:
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if numpynet.__file__ is None:
        sys.stderr.write(
            f"{PROGRAM}: {Path.cwd()} is no folder to start Python in: its folder `numpynet` hides the package of this "
            "name; go to another folder\n"
        )
        return 2
    if not given or given[0] in ("-h", "--help", "list"):
        print(listing.text())
        return 0
    name, *rest = given
    if name not in commands.COMMANDS:
        hint = nearest(name, commands.COMMANDS, f"`{PROGRAM}` lists them")
        sys.stderr.write(f"{PROGRAM}: there is no command {name!r}; {hint}\n")
        return 2
    command = commands.COMMANDS[name]
    module = importlib.import_module(command.module)
    parser = Parser(prog=f"{PROGRAM} {name}", description=command.help)
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
    if all(name in os.environ for name in ONE_THREAD):
        return main()
    environment = ONE_THREAD | os.environ
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name == "posix":
        sys.stdout.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until _run: no traceback while Python starts again
        os.execve(sys.executable, command, environment)
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(with_one_thread())
