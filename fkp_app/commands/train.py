"""`fkp train`: learn the keypoints from a labelled data set."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fkp_app.commands.options import DATA, Quiet
from fkp_app.errors import FkpError, UsageError
from fkp_app.pipeline.reporter import Reporter

if TYPE_CHECKING:
    from fkp_app.training.run import TrainingRun

BACKENDS = ("numpy", "torch")
OPS = ("readable", "fast")
DEFAULTS: dict[str, Any] = {"recipe": "hourglass", "backend": "numpy", "seed": 0, "threads": None, "ops": "fast"}


def train(
    data: Annotated[Path, typer.Option(help=DATA, show_default=False)],
    out: Annotated[Path, typer.Option(help="Directory of the run; made if missing.", show_default=False)],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="compact, hourglass, hourglass-finish, net, net-good, or a TOML file.", show_default="hourglass"
        ),
    ] = None,
    backend: Annotated[str | None, typer.Option(help="numpy or torch.", show_default="numpy")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="In all, resumed ones included.", show_default="the recipe's")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.", show_default="the recipe's")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.", show_default="the recipe's")] = None,
    loss: Annotated[str | None, typer.Option(help="smooth_l1, l1, mse or wing.", show_default="the recipe's")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order, jitter and dropout.", show_default="0")] = None,
    threads: Annotated[int | None, typer.Option(help="How many to use.", show_default="all cores")] = None,
    ops: Annotated[
        str | None, typer.Option(help="How numpynet computes: readable, or fast and fused.", show_default="fast")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Weights of the recipe's network to begin with: a .safetensors file, or shipped.", show_default="fresh"
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last whole epoch of --out.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on labelled faces.

    A recipe says what network, on what crops, varied how, and how it learns; options given here go before it. RUN
    receives config.json (every setting), metrics.csv and steps.csv, loss.png, weights.safetensors (the epoch of the
    least validation NME, for the other commands' --weights) and checkpoint.safetensors (for --resume; beside it the one
    before, in case that is damaged). With --resume, settings are those of the run; --epochs, --lr, --batch-size,
    --threads, --ops and --data may be given anew. A run that was stopped in its first epoch begins again, with --resume
    by its own settings. One process at a time may train into RUN.
    """
    from fkp_app.training.recipe import LOSSES
    from fkp_app.training.run_files import MOST_SEED

    options: dict[str, Any] = {
        "epochs": _at_least("--epochs", epochs),
        "batch_size": _at_least("--batch-size", batch_size, 2),  # batch norm needs two
        "lr": lr,
        "loss": _one_of("--loss", loss, tuple(LOSSES)),
    }
    settings: dict[str, Any] = {
        "data": str(data),
        "recipe": recipe,
        "backend": _one_of("--backend", backend, BACKENDS),
        "seed": seed,
        "threads": _at_least("--threads", threads),
        "ops": _one_of("--ops", ops, OPS),
        "start": str(start) if start is not None else None,
    }
    if lr is not None and not 0 < lr < float("inf"):
        raise UsageError(f"--lr must be a number above 0, got {lr}")
    if seed is not None and seed < 0:
        raise UsageError(f"--seed must not be negative, got {seed}")
    if seed is not None and seed > MOST_SEED:
        raise UsageError(f"--seed must be at most {MOST_SEED}, got {seed}")
    console = Console(stderr=True, quiet=quiet)
    with _alone_in(out, console):
        try:
            _train(out, _given(settings), _given(options), resume, console)
        except MemoryError:
            raise FkpError("the memory does not suffice; choose a smaller --batch-size or another --recipe") from None


@contextlib.contextmanager
def _alone_in(out: Path, console: Console) -> Iterator[None]:
    """Hold the run's directory. UsageError where another `fkp train` does, or it cannot be made."""
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
    """Start a run or go on with one, and say in the end where its weights are."""
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
        line = f"{out} has ended: after {done} epochs the best is still {run.history.best_epoch}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    elif done >= run.recipe.training.epochs:
        line = f"{out} has {done} epochs already; give more with --epochs"
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
    """Train, drawing progress: a live bar on a terminal, a line an epoch either way."""
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
        kept = f"; {history.epochs_done} whole epochs are kept: go on with --resume --lr" if history.epochs_done else ""
        raise FkpError(f"training stopped: {error}{kept}") from None
    except OSError as error:
        remedy = "make room or mend it, and go on with --resume"
        raise FkpError(f"--out {run.directory}: cannot be written ({error.strerror or error}); {remedy}") from None
    except KeyboardInterrupt:
        line = f"stopped; {history.epochs_done} whole epochs are kept in {run.directory}: go on with --resume"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        raise


def _check_ops(backend: str, ops: str) -> None:
    """FkpError where the fast kernels are asked for and cannot be used here."""
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


def _one_of(option: str, value: str | None, choices: tuple[str, ...]) -> str | None:
    if value is not None and value not in choices:
        raise UsageError(f"{option} must be {', '.join(choices[:-1])} or {choices[-1]}, got {value}")
    return value


def _at_least(option: str, value: int | None, least: int = 1) -> int | None:
    if value is not None and value < least:
        raise UsageError(f"{option} must be at least {least}, got {value}")
    return value
