"""Runs the command `fkp`, also as `python -m fkp_app`."""

import signal
import sys


def start() -> int:
    """Run `fkp` and return its exit code: 1 with one line if one of its libraries is not installed.

    While its modules are being loaded, Ctrl-C ends it silently.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if _is_pythons() else None
    try:
        from fkp_app.cli import main

        if before is not None:
            signal.signal(signal.SIGINT, before)
        return main()
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in ("", "fkp_app", "numpynet", "reference"):  # ours: a mistake in the code, not a missing library
            raise
        sys.stderr.write(f"fkp: {library} is not installed; in the folder of the project, type: pip install -e .\n")
        return 1


def _is_pythons() -> bool:
    """Whether Ctrl-C raises KeyboardInterrupt. It does not if the process was started with the signal ignored."""
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


if __name__ == "__main__":
    sys.exit(start())
