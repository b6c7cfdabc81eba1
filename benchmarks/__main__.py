"""`python -m benchmarks SUBCOMMAND`: each subcommand is a file of this folder with a `main`."""

import argparse
import importlib
import sys

COMMANDS = {
    "train": ("train_step", "one training step of both backends, side by side"),
    "epoch": ("epoch", "an epoch on real frames, the loader included"),
    "layers": ("layers", "each operation of both, forward and backward"),
    "roofline": ("roofline", "what the machine could do at best, and how near a step comes"),
    "scaling": ("scaling", "time and memory against batch size, image size and threads"),
    "latency": ("latency", "one face, and a cold `fkp detect`"),
    "busy": ("busy", "frames a second of `fkp detect` beside processes that keep all cores busy"),
    "video": ("video", "faces followed through clips: frames a second, jitter and lag"),
    "report": ("report", "the results files as tables and pictures, in docs/ and the README"),
    "profile": ("step_profile", "where a training step of numpynet spends its time, layer by layer"),
    "curves": ("curves", "the losses of several training runs in one picture"),
    "haar-calibration": ("haar_calibration", "how the Haar cascade's boxes lie to the labelled faces"),
    "haar-search": ("haar_search", "what each choice of the Haar step finds, and its false faces"),
    "haar-confidence": ("haar_confidence", "the constants of a face's confidence, fitted, and what thresholds do"),
    "landmarks": ("landmarks", "dlib's 68-point predictor and the shipped weights on the same frames"),
}


def main() -> int:
    """Run the subcommand that the command line names; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measurements of this project.")
    parser.add_argument("command", choices=COMMANDS, help="; ".join(f"{k}: {v}" for k, (_, v) in COMMANDS.items()))
    args, rest = parser.parse_known_args(sys.argv[1:2])
    rest += sys.argv[2:]
    sys.argv = [f"python -m benchmarks {args.command}", *rest]
    module = importlib.import_module(f"benchmarks.{COMMANDS[args.command][0]}")
    return int(module.main() or 0)


if __name__ == "__main__":
    sys.exit(main())
