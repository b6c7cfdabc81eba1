"""`fkp train-finder`: train the network that proposes faces on a labelled data set."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from fkp_app.commands.options import DATA, CheckpointEvery, Quiet, Threads, within
from fkp_app.commands.training import alone_in, ends_told, resuming, say
from fkp_app.errors import FkpError, UsageError
from fkp_app.wording import count_of

if TYPE_CHECKING:
    from fkp_app.training.finder.run import FinderRun


def train_finder(
    data: Annotated[Path, typer.Option(help=DATA, show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the run; made if missing.", show_default=False)],
    recipe: Annotated[Path | None, typer.Option(help="A TOML file.", show_default="the shipped one")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Number of epochs.", show_default="the recipe's", callback=within(1))
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of weights and pictures.", show_default="0", callback=within(0, 2**53))
    ] = None,
    threads: Threads = None,
    checkpoint_every: CheckpointEvery = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint of --out.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train the network that proposes faces, for `fkp detect --detector net`.

    It learns from pictures that are composed of the labelled frames of the training people, of photos without faces
    that installed packages ship, and of drawn patterns. The folder --out receives config.json (every setting),
    metrics.csv and steps.csv, loss.png, weights.safetensors and checkpoint.safetensors (for --resume, with which the
    run's own settings hold; --data, --threads and --checkpoint-every may be changed). Ctrl-C finishes the step and
    saves; a second one stops at once.
    """
    console = Console(stderr=True, quiet=quiet)
    with alone_in(out, console):
        try:
            chosen = {"data": str(data), "threads": threads, "checkpoint_every": checkpoint_every}
            own = {"--recipe": recipe, "--epochs": epochs, "--seed": seed}
            _train((_resumed if resume else _begun)(out, own, _given(chosen)), console)
        except MemoryError:
            raise FkpError("the memory does not suffice; choose a --recipe with a smaller batch_size") from None


def _resumed(out: Path, own: dict[str, Any], chosen: dict[str, Any]) -> "FinderRun":
    """The run in a folder. UsageError if an option is given that a run keeps."""
    from fkp_app.training.finder.run import FinderRun

    if given := _given(own):
        raise UsageError(f"--resume: {min(given)} cannot change in a run; leave it out")
    return FinderRun.resume(out, chosen)


def _begun(out: Path, own: dict[str, Any], chosen: dict[str, Any]) -> "FinderRun":
    """A new run in a folder."""
    from fkp_app.training.finder.recipe import SHIPPED_RECIPE, load_finder_recipe
    from fkp_app.training.finder.run import FinderConfig, FinderRun

    recipe, epochs = load_finder_recipe(own["--recipe"] or SHIPPED_RECIPE), own["--epochs"]
    if epochs is not None:
        recipe = replace(recipe, training=replace(recipe.training, epochs=epochs))
    return FinderRun.start(FinderConfig(seed=own["--seed"] or 0, recipe=recipe, **chosen), out)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _train(run: "FinderRun", console: Console) -> None:
    """Train and print a line for each epoch; at the end, where the weights are."""
    from fkp_app.backends.predictor import limit_threads
    from fkp_app.pipeline.reporter import Reporter
    from fkp_app.training.run_files import WEIGHTS
    from numpynet import use
    from numpynet.training import StepEvent

    limit_threads("numpy", run.config.threads)
    for note in run.notes:
        Reporter(console.quiet).note(note)
    if run.ended:
        say(console, f"{run.directory} has {count_of(run.history.epochs_done, 'epoch')} already, its last")
    resume = resuming("train-finder", run.config.data, run.directory)
    slower = "start a new run with a lower training.lr in its --recipe"
    with ends_told(run, console, resume, slower), use("fast"):
        for event in run.fit():
            if isinstance(event, StepEvent) or run.scores is None:
                continue
            line = f"epoch {event.epoch:3d}  training loss {event.train_loss:.4f}  {event.seconds:.0f} s"
            line += f"  validation loss {event.validation_loss:.4f}  found {100 * run.scores.found:.1f} %"
            say(console, line)
    say(console, f"weights: {run.directory / WEIGHTS}")
