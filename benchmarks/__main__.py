"""`python -m benchmarks COMMAND`: each command is a module with `add_options(parser)` and `run(args)`."""

import argparse
import importlib
import sys
from typing import NamedTuple


class Command(NamedTuple):
    """A module of this package, and what it does, for the list of commands."""

    module: str
    help: str


GROUPS = {
    "speed": {
        "train": Command("train_step", "one training step in numpynet and in PyTorch"),
        "epoch": Command("epoch", "one epoch on real frames, with the data loader"),
        "layers": Command("layers", "each operation in numpynet and in PyTorch, forward and backward"),
        "profile": Command("step_profile", "the time that each layer takes in a training step of numpynet"),
        "roofline": Command("roofline", "the shortest step that this machine allows, and how near a step comes to it"),
        "scaling": Command("scaling", "time and memory against batch size, image size and threads"),
        "parallel": Command("parallel", "one training step of several processes, under mpiexec"),
        "parallel-steps": Command("parallel_steps", "each step of several processes beside the same step of one"),
        "scale": Command("scale", "a model of training on many machines: bytes sent, and the efficiency to expect"),
        "latency": Command("latency", "the time for one face, and for a cold `fkp detect`"),
        "busy": Command("busy", "frames per second of `fkp detect` while other processes keep all cores busy"),
        "many-files": Command("many_files", "images per second over many files, while worker processes are killed"),
        "curves": Command("curves", "the losses of several training runs in one picture"),
        "report": Command("report", "the stored results as tables and pictures, in docs/ and the README"),
    },
    "load": {
        "page": Command("page.load", "the page of `fkp web` with many visitors at once, some of whom mean no good"),
    },
    "quality": {
        "landmarks": Command(
            "quality.landmarks", "dlib's 68 points and those of the shipped weights on the same frames"
        ),
        "photos": Command("quality.photos", "the time for a photo and the faces found in it, by its size"),
        "hard-photos": Command(
            "quality.hard_photos", "faces found and false ones in large, dark, turned and tilted photos, and in things"
        ),
        "changed-frames": Command(
            "quality.changed_frames", "faces found in labelled frames that were turned, or pasted four to a picture"
        ),
        "looks": Command("quality.looks", "how a crop's framing, mirroring and float16 weights change the points"),
        "video": Command("quality.video", "faces followed through clips: frames per second, shake and lag"),
    },
    "calibration of the application's constants": {
        "haar-calibration": Command(
            "calibration.haar_calibration", "where the labelled faces lie in the Haar cascade's boxes"
        ),
        "haar-search": Command("calibration.haar_search", "faces found and false faces for each setting of the search"),
        "haar-confidence": Command(
            "calibration.haar_confidence", "the constants of a face's confidence, and what thresholds on it do"
        ),
        "net-confidence": Command("calibration.net_confidence", "the same for faces that the network proposes"),
    },
}

OURS = ("", "benchmarks", "fkp_app", "numpynet", "reference")
"""A missing module of these packages is a mistake in the code, not a library to install."""

COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def command_list() -> str:
    """All commands, one per line, under the names of their groups."""
    lines = []
    for title, group in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:18}{command.help}" for name, command in group.items())]
    return "\n".join(lines[1:])


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` begins with, on the rest of them; its exit code, 1 if a library is missing."""
    chooser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measurements of this project.",
        epilog=command_list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chooser.add_argument("command", choices=COMMANDS, nargs="?", metavar="COMMAND", help="one of those listed below")
    chosen = chooser.parse_args(arguments[:1]).command
    if chosen is None:
        chooser.print_help()
        return 2
    try:
        return _run(chosen, arguments[1:])
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in OURS:
            raise
        install = "in the folder of the project, type: pip install -e '.[torch]'"
        sys.stderr.write(f"python -m benchmarks {chosen}: {library} is not installed; {install}\n")
        return 1


def _run(name: str, arguments: list[str]) -> int:
    # Imported only now: each command needs libraries that another does without.
    module = importlib.import_module(f"benchmarks.{COMMANDS[name].module}")
    summary, _, _ = (module.__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks {name}", description=summary)
    module.add_options(parser)
    return int(module.run(parser.parse_args(arguments)) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
