"""`fkp train`: train a network on a labelled data set."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fkp_app.commands.options import DATA, CheckpointEvery, Quiet, Threads, one_of, within
from fkp_app.commands.training import alone_in, ends_told, resuming, say
from fkp_app.errors import FkpError
from fkp_app.pipeline.reporter import Reporter
from fkp_app.wording import count_of, either

if TYPE_CHECKING:
    from fkp_app.training.run import TrainingRun
    from numpynet.parallel import Group

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
    sync_batch_norm: Annotated[
        bool,
        typer.Option("--sync-batch-norm", help="Under mpiexec: batch norm sees the whole batch, not a process's part."),
    ] = False,
    checkpoint_every: CheckpointEvery = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint of --out.")] = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on labelled faces.

    A recipe names the network, its crops, how these are varied, and how the network learns; options given here override
    it. The folder --out receives config.json (every setting), metrics.csv and steps.csv, loss.png, weights.safetensors
    (the epoch with the least validation NME, for --weights of the other commands) and checkpoint.safetensors (for
    --resume; the previous one is kept beside it in case that file is damaged). Ctrl-C finishes the step and saves; a
    second one stops at once. With --resume the run goes on where it was saved, to the same bits as a run that was never
    stopped. Its own settings hold; --epochs, --lr, --batch-size, --threads, --ops, --data and --checkpoint-every may be
    changed. Only one process at a time can train into a folder.

    `mpiexec -n 4 fkp train ...` trains in four processes (it needs mpi4py and an MPI library). Each takes its part of
    every batch; all see the same --data and --out.
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
        "sync_batch_norm": sync_batch_norm or None,
        "checkpoint_every": checkpoint_every,
    }
    from fkp_app.training.parallel import ends_together, find_group

    group = find_group()
    is_first = group is None or group.rank == 0
    console = Console(stderr=True, quiet=quiet or not is_first)
    with ends_together(group), alone_in(out, console) if is_first else contextlib.nullcontext():
        try:
            _train(out, _given(settings), _given(options), resume, console, group)
        except MemoryError:
            raise FkpError("the memory does not suffice; choose a smaller --batch-size or another --recipe") from None


def _train(
    out: Path,
    settings: dict[str, Any],
    options: dict[str, Any],
    resume: bool,
    console: Console,
    group: "Group | None",
) -> None:
    """Start or resume a run. At its end, print where its weights are."""
    from fkp_app.backends.predictor import limit_threads
    from fkp_app.training.parallel import threads_of
    from fkp_app.training.recipe import load_recipe
    from fkp_app.training.run import TrainingRun
    from fkp_app.training.run_files import WEIGHTS, Settings
    from numpynet import use

    if resume:
        run = TrainingRun.resume(out, settings, options, group)
        _check_ops(run.settings.backend, run.settings.ops)
    else:
        chosen = Settings(**(DEFAULTS | settings))
        _check_ops(chosen.backend, chosen.ops)
        run = TrainingRun.start(chosen, load_recipe(chosen.recipe).with_options(**options), out, group)
    for note in run.notes:
        say(console, note)
    limit_threads(run.settings.backend, threads_of(run.settings.threads, group))
    done = run.history.epochs_done
    if run.out_of_patience:
        line = f"{out} has ended: after {count_of(done, 'epoch')} the best is still {run.history.best_epoch}"
        say(console, line)
    elif run.ended:
        line = f"{out} has {count_of(done, 'epoch')} already; give more with --epochs"
        say(console, line)
    else:
        with use(run.ops):
            _show(run, console)
    if not run.is_first:
        return
    best, weights = run.history.best_epoch, out / WEIGHTS
    if run.history.best_is_lost or not weights.is_file():
        raise FkpError(
            f"{weights}: the weights of the best epoch, {best}, are lost; go on with --resume and more --epochs"
        )
    say(console, f"weights of epoch {best}: {weights}")


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
    history, done, epochs = run.history, run.history.epochs_done, run.epochs
    steps = run.steps_per_epoch() * (epochs - done) - run.progress.steps
    resume = resuming("train", run.settings.data, run.directory)
    lower = f"--lr {run.recipe.training.optimizer.lr / 3:.1g}"
    slower = f"go on with a lower rate, such as `{resume} {lower}`"
    with (
        ends_told(run, console, resume, slower),
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task: TaskID = progress.add_task("", total=steps, epoch=done + 1, epochs=epochs, loss=float("nan"), rate=0.0)
        for event in run.fit():
            while notes:  # printed only now that the data are known to be readable; one more comes after an epoch
                Reporter(console.quiet).note(notes.pop(0))
            if hint is not None:
                say(console, hint)
                hint = None
            if isinstance(event, StepEvent):
                rate = event.images / event.seconds
                progress.update(task, advance=1, epoch=event.epoch, loss=event.loss, rate=rate)
                continue
            line = f"epoch {event.epoch:3d}  training loss {event.train_loss:.5f}  {event.seconds:.0f} s"
            if (scores := run.validation_scores) is not None:
                line += f"  validation loss {event.validation_loss:.5f}  NME {scores.nme:.2f} %"
                line += "  the best so far" if history.best_epoch == event.epoch else ""
            say(console, line)


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
