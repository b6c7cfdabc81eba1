"""`graduate [FOLDER]`: a small network learns a face by heart, with your functions in the place of numpynet's."""

import argparse
import subprocess
from pathlib import Path

from numpynet.learn.errors import LearnError
from numpynet.learn.exercises import exercises, find
from numpynet.learn.exercises.file_loader import is_blank
from numpynet.learn.own_process import ended, started

USED = (
    "chain_backward", "linear", "linear_backward", "relu_backward", "smooth_l1_loss_backward", "unfold", "fold",
    "conv2d_backward", "max_pool2d_backward", "batch_norm_backward", "adam_update", "train_step",
)  # fmt: skip
"""The exercises that the network and its training use."""
GRADUATION = "numpynet.learn.exercises.graduation"
SECONDS = 900
"""How long it may take. With numpynet's own functions it takes 15 seconds; with loops over single numbers, minutes."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("folder", nargs="?", help="the folder of your files (default: the current one)")
    parser.add_argument("--dir", help="the same, as for the other commands")


def run(options: argparse.Namespace) -> int:
    """0 if the points settle, 1 if not. LearnError if the folder holds no exercise that the network uses."""
    if options.folder is not None and options.dir is not None:
        raise LearnError("give the folder once: as it is, or with --dir")
    folder = Path(options.folder or options.dir or ".")
    if not folder.is_dir():
        raise LearnError(f"{folder}: there is no such folder")
    there = [name for name in USED if (folder / f"{name}.py").is_file()]
    blank = [name for name in there if is_blank(find(name), folder / f"{name}.py")]
    yours = [name for name in there if name not in blank]
    if not there:
        raise LearnError(
            f"there is no exercise that the network uses in {folder.absolute()}; go to the folder in which you typed "
            "`start`, or begin: `python -m numpynet.learn start linear_backward`"
        )
    if not yours:
        raise LearnError(f"no exercise that the network uses is written yet in {folder.absolute()}: {', '.join(blank)}")
    others = [name for name in exercises() if (folder / f"{name}.py").is_file() and name not in USED]
    print(_listed("Yours:", yours))
    print(_listed("numpynet's:", [name for name in USED if name not in yours]))
    if others:
        print(_listed("Not used:", others))
    for name in blank:
        print(f"{name}: not written yet, numpynet's is used")
    status = ended(started(GRADUATION, str(folder), *yours, stderr=subprocess.DEVNULL), SECONDS)
    if status is None:
        print(f"No end after {SECONDS} seconds: does a loop never end?")
        return 1
    if status == GRADUATED:
        return 0
    if status != NOT_YET:
        print(f"One of your files ended the process (exit status {status}).")
    return 1


GRADUATED, NOT_YET = 17, 18
"""How the process of its own ends. A file that ends the process by itself has another status."""


def _listed(title: str, names: list[str]) -> str:
    lines, line = [], f"{title:12}"
    for name in names or ["none"]:
        if len(line) + len(name) > 96:
            lines.append(line.rstrip())
            line = " " * 12
        line += f"{name}  "
    return "\n".join([*lines, line.rstrip()])
