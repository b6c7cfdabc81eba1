"""What the training commands share: the lock on the folder of the run, and how each end of a run is told."""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from fkp_app.commands.stopping import Stopping, lasting_output
from fkp_app.errors import FkpError, UsageError

if TYPE_CHECKING:
    from fkp_app.training.resumable import ResumableRun


@contextlib.contextmanager
def alone_in(out: Path, console: Console) -> Iterator[None]:
    """Lock the folder of the run. UsageError if another `fkp train` has locked it, or if it cannot be made."""
    from fkp_app.locks import locked

    notes: list[str] = []
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(out, "fkp train", notes))
        except OSError as error:
            what = "written" if out.is_dir() else "made"
            raise UsageError(f"--out {out} cannot be {what} ({error.strerror}); choose another place") from None
        for note in notes:
            say(console, note)
        yield


def resuming(command: str, data: object, out: Path) -> str:
    """The command that goes on with a run, as one can type it."""
    return shlex.join(["fkp", command, "--data", str(data), "--out", str(out), "--resume"])


@contextlib.contextmanager
def ends_told(run: "ResumableRun", console: Console, resume: str, slower: str) -> Iterator[None]:
    """Train in the body. However it ends, one line tells what is saved and how to go on.

    The first Ctrl-C, SIGTERM or SIGHUP lets the run finish its step and save; a second one ends it at once. resume:
    the command that goes on. slower: how to go on with a lower learning rate. FkpError if the loss became NaN or
    infinite, or a file cannot be written.
    """
    import numpy as np

    from fkp_app.training.resumable import LostError

    try:
        # NumPy would warn of the numbers on their way to NaN; the message names the first of them.
        with lasting_output(), Stopping(console.quiet) as stopping, np.errstate(all="ignore"):
            run.stop = stopping.asked
            yield
    except FloatingPointError as error:
        raise FkpError(f"training stopped: {error}; {_saved(run)}: {slower}") from None
    except OSError as error:
        remedy = f"{_saved(run)}: make room or mend it, and go on with `{resume}`"
        raise FkpError(f"--out {run.directory}: cannot be written ({error.strerror or error}); {remedy}") from None
    except LostError:
        raise
    except (KeyboardInterrupt, SystemExit):
        say(console, f"stopped at once; {_saved(run)}: go on with `{resume}`")
        raise
    except (MemoryError, FkpError):  # FkpError: the data can no longer be read
        if run.saved:
            say(console, f"training stopped; {_saved(run)}: go on with `{resume}`")
        raise
    if stopping.asked() and not run.ended:
        say(console, f"stopped; {_saved(run)}: go on with `{resume}`")
        stopping.end()


def say(console: Console, line: str) -> None:
    """Print a line as it is. A terminal that was closed meanwhile is no reason to end a training."""
    with contextlib.suppress(OSError):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _saved(run: "ResumableRun") -> str:
    from fkp_app.training.resumable import described

    return f"the checkpoint of {described(run.saved)} is kept" if run.saved else "no checkpoint is written yet"
