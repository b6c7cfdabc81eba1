"""`python -m tests.kills`: kill trainings at random moments, resume them, and compare the bits with an unkilled run's.

Every second kill waits for a moment at which a file is being written. A run whose number is a multiple of 4 is killed
twice. It needs fork, which Windows lacks.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.backends.backend_agg  # noqa: F401  # loaded once here instead of in every fork

import fkp_app.training.run  # noqa: F401
from tests.drawn import write_dataset
from tests.kills.campaign import Campaign


def main() -> int:
    """0 if every run ended with the bits of the run that was never killed, and every checkpoint could be read."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__.split("\n\n")[0])
    parser.add_argument("--recipe", default="compact", help="a recipe's name or file")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument(
        "--frames", type=int, default=4, help="drawn frames per video; there are 12 videos to learn from"
    )
    parser.add_argument("--minutes", type=float, default=0.002, help="--checkpoint-every")
    parser.add_argument("--ops", default="fast")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least-in-saves", type=int, default=30, help="percent of the kills; fewer are a failure")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = write_dataset(Path(folder, "data"), people=8, videos=2, frames=args.frames)
        options: tuple[object, ...] = (
            "--recipe",
            args.recipe,
            "--epochs",
            args.epochs,
            "--batch-size",
            args.batch_size,
        )
        options += ("--seed", args.seed, "--ops", args.ops, "--threads", 1, "--checkpoint-every", args.minutes)
        campaign = Campaign(("--data", data, *options), ("--data", data, "--resume"), Path(folder), args.seed)
        campaign.whole()
        print(
            f"{args.recipe}: {campaign.steps} steps in {args.epochs} epochs, {campaign.pace * campaign.steps:.1f} s; "
            f"checkpoints every {60 * args.minutes:g} s and after every epoch",
            flush=True,
        )
        begin = time.monotonic()
        for number in range(1, args.runs + 1):
            campaign.one(number)
            if number % 20 == 0:
                print(f"  {number} runs, {time.monotonic() - begin:.0f} s", flush=True)
        outcome = campaign.outcome
        print("\n".join(outcome.lines()))
        few = 100 * outcome.in_a_save < args.least_in_saves * outcome.kills
        if few:
            print(f"fewer than {args.least_in_saves} % of the kills were inside a save: nothing is proven about saves")
        return int(few or not outcome.good)


if __name__ == "__main__":
    sys.exit(main())
