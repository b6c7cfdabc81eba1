"""`fkp train`: train a network on a labelled data set."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fkp_app.commands.options import DATA, Quiet, Threads, one_of, within
from fkp_app.errors import FkpError, UsageError
from fkp_app.pipeline.reporter import Reporter
from fkp_app.wording import count_of, either

if TYPE_CHECKING:
    from fkp_app.training.run import TrainingRun

BACKENDS = ("numpy", "torch")
OPS = ("readable", "fast")
"""Implementations of numpynet, as `numpynet.use` names them."""
DEFAULTS: dict[str, Any] = {"recipe": "hourglass", "backend": "numpy", "seed": 0, "threads": None, "ops": "fast"}


def _check_loss(value: str | None) -> str | None:
    from fkp_app.training.recipe import LOSSES

    return one_of(tuple(LOSSES))(value)


def _check_lr(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"must be a number above 0, got {value}")
    return value


def _check_seed(value: int | None) -> float | None:
    from fkp_app.training.run_files import MOST_SEED

    return within(0, MOST_SEED)(value)


def train(
    data: Annotated[Path, typer.Option(help=DATA, show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the run; made if missing.", show_default=False)],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="compact, hourglass, hourglass-finish, net, net-good, or a TOML file.", show_default="hourglass"
        ),
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help=f"{either(BACKENDS)}.", show_default="numpy", callback=one_of(BACKENDS))
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Number of epochs, resumed ones included.", show_default="the recipe's", callback=within(1)),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(help="Images per step; batch norm needs two.", show_default="the recipe's", callback=within(2)),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate.", show_default="the recipe's", callback=_check_lr)
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="smooth_l1, l1, mse or wing.", show_default="the recipe's", callback=_check_loss),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of weights, order, jitter and dropout.", show_default="0", callback=_check_seed),
    ] = None,
    threads: Threads = None,
    ops: Annotated[
        str | None,
        typer.Option(
            help="How numpynet computes: readable, or fast and fused.", show_default="fast", callback=one_of(OPS)
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Weights of the recipe's network to start from: a .safetensors file, or shipped.", show_default="fresh"
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue after the last whole epoch of --out.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on labelled faces.

    A recipe names the network, its crops, how these are varied, and how the network learns; options given here override
    it. The folder --out receives config.json (every setting), metrics.csv and steps.csv, loss.png, weights.safetensors
    (the epoch with the least validation NME, for --weights of the other commands) and checkpoint.safetensors (for
    --resume; the previous one is kept beside it in case that file is damaged). With --resume the run's own settings
    hold; --epochs, --lr, --batch-size, --threads, --ops and --data may be changed. A run that was stopped in its first
    epoch starts again from the beginning. Only one process at a time can train into a folder.
    """
    options: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "loss": loss,
    }
    settings: dict[str, Any] = {
        "data": str(data),
        "recipe": recipe,
        "backend": backend,
        "seed": seed,
        "threads": threads,
        "ops": ops,
        "start": str(start) if start is not None else None,
    }
    console = Console(stderr=True, quiet=quiet)
    with alone_in(out, console):
        try:
            _train(out, _given(settings), _given(options), resume, console)
        except MemoryError:
            raise FkpError("the memory does not suffice; choose a smaller --batch-size or another --recipe") from None


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
            console.print(note, highlight=False, markup=False, soft_wrap=True)
        yield


def _train(out: Path, settings: dict[str, Any], options: dict[str, Any], resume: bool, console: Console) -> None:
    """Start or resume a run. At its end, print where its weights are."""
    from fkp_app.backends.predictor import limit_threads
    from fkp_app.training.recipe import load_recipe
    from fkp_app.training.run import TrainingRun
    from fkp_app.training.run_files import WEIGHTS, Settings
    from numpynet import use

    if resume:
        run = TrainingRun.resume(out, settings, options)
        _check_ops(run.settings.backend, run.settings.ops)
    else:
        chosen = Settings(**(DEFAULTS | settings))
        _check_ops(chosen.backend, chosen.ops)
        run = TrainingRun.start(chosen, load_recipe(chosen.recipe).with_options(**options), out)
    for note in run.notes:
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    limit_threads(run.settings.backend, run.settings.threads)
    done = run.history.epochs_done
    if run.out_of_patience:
        line = f"{out} has ended: after {count_of(done, 'epoch')} the best is still {run.history.best_epoch}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    elif done >= run.recipe.training.epochs:
        line = f"{out} has {count_of(done, 'epoch')} already; give more with --epochs"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    else:
        with use(run.ops):
            _show(run, console)
    best, weights = run.history.best_epoch, out / WEIGHTS
    if run.history.best_is_lost or not weights.is_file():
        raise FkpError(
            f"{weights}: the weights of the best epoch, {best}, are lost; go on with --resume and more --epochs"
        )
    console.print(f"weights of epoch {best}: {weights}", highlight=False, markup=False, soft_wrap=True)


def _show(run: "TrainingRun", console: Console) -> None:
    """Train and show progress: one line per epoch, and on a terminal a live bar too."""
    from fkp_app.blas import advice
    from numpynet.training import StepEvent

    hint = advice() if run.settings.backend == "numpy" else None
    notes = run.data_notes
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  {task.fields[rate]:.1f} images/s"),
        TimeRemainingColumn(),
    )
    steps, history, epochs = run.steps_per_epoch(), run.history, run.recipe.training.epochs
    done = history.epochs_done
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task: TaskID = progress.add_task(
                "", total=steps * (epochs - done), epoch=done + 1, epochs=epochs, loss=float("nan"), rate=0.0
            )
            for event in run.fit():
                while notes:  # printed only now that the data are known to be readable; one more comes after an epoch
                    Reporter(console.quiet).note(notes.pop(0))
                if hint is not None:
                    console.print(hint, highlight=False, soft_wrap=True)
                    hint = None
                if isinstance(event, StepEvent):
                    rate = event.images / event.seconds
                    progress.update(task, advance=1, epoch=event.epoch, loss=event.loss, rate=rate)
                    continue
                line = f"epoch {event.epoch:3d}  training loss {event.train_loss:.5f}  {event.seconds:.0f} s"
                if (scores := run.validation_scores) is not None:
                    line += f"  validation loss {event.validation_loss:.5f}  NME {scores.nme:.2f} %"
                    line += "  the best so far" if history.best_epoch == event.epoch else ""
                console.print(line, highlight=False, soft_wrap=True)
    except FloatingPointError as error:
        kept = f"; {_kept(history.epochs_done)}: go on with --resume --lr" if history.epochs_done else ""
        raise FkpError(f"training stopped: {error}{kept}") from None
    except OSError as error:
        remedy = "make room or mend it, and go on with --resume"
        raise FkpError(f"--out {run.directory}: cannot be written ({error.strerror or error}); {remedy}") from None
    except KeyboardInterrupt:
        line = f"stopped; {_kept(history.epochs_done)} in {run.directory}: go on with --resume"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        raise


def _kept(epochs: int) -> str:
    return f"{count_of(epochs, 'whole epoch')} {'is' if epochs == 1 else 'are'} kept"


def _check_ops(backend: str, ops: str) -> None:
    """FkpError if the fast kernels are asked for but cannot be imported."""
    if backend != "numpy" or ops != "fast":
        return
    try:
        import numpynet.kernels  # noqa: F401
    except ImportError as error:
        raise FkpError(
            f"--ops fast: {error}; give --ops readable, which does without it, or see what `fkp doctor` says"
        ) from None


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
