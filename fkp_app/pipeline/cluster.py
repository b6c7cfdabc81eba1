"""Images on a Dask cluster: the jobs that `--workers` does, but in the order in which they end.

Dask gives the tasks of a worker that dies to the others. A task is sent again until it has an outcome, and an outcome
is taken once, so none is lost and none comes twice. Whoever can reach a cluster's scheduler can run programs on its
workers; the cluster that is started here lets nobody else in.
"""

import logging
import os
import secrets
import signal
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING, Any

from fkp_app.errors import FkpError, UsageError, problem_of
from fkp_app.pipeline.image_run import ImageJob, ImageOutcome, lost, start_worker, threads_each
from fkp_app.pipeline.run_options import LOCAL, RunOptions
from fkp_app.pipeline.worker_pool import IGNORED, ignoring_signals
from numpynet import __version__
from numpynet.checkpoint import CheckpointError

if TYPE_CHECKING:
    from distributed import Client

IN_FLIGHT = 1000
"""Jobs that may be handed out at a time. The scheduler holds those that no worker has room for."""
PATIENCE = 30.0
"""Seconds to wait for the scheduler and for the first worker."""
LOCAL_SETTINGS = {
    "distributed.scheduler.allowed-failures": 1,  # a task is given up if a second worker dies with it
    "distributed.scheduler.http.routes": [],  # its pages about tasks need no key
    "distributed.worker.http.routes": [],
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 1 << 30,  # Dask's 64 KiB cost time in the system
}
"""Dask's settings for a local cluster."""


def run_in_cluster(jobs: Sequence[ImageJob], address: str, options: RunOptions) -> Generator[ImageOutcome, None, None]:
    """Do the jobs on the cluster whose scheduler has this address; LOCAL: on one that is started here.

    The workers must see the files under the same paths. A job that several workers died of is tried once more when all
    others are done, alone, as it may only have stood beside the job that killed them; then it is lost.
    UsageError without the package distributed; FkpError if no scheduler or worker answers, if a worker cannot load
    what it needs, has another version, or does not see a file that is here, or if the scheduler ends.
    """
    try:
        import distributed  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError("--cluster needs Dask: pip install 'numpynet-fkp[cluster]'") from None
    if address == LOCAL:
        options = options.for_worker(threads_each(options.workers, options.threads))
    else:
        options = options.for_worker(options.threads or 1)
    suspects = list[ImageJob]()
    with _quiet(), _explained(address), _client(address, options.workers) as client:
        run = _Run(client, options)
        with closing(run.outcomes(jobs, IN_FLIGHT)) as outcomes:
            for job, outcome in outcomes:
                if outcome is None:
                    suspects.append(job)
                else:
                    yield outcome
        with closing(run.outcomes(suspects, 1)) as outcomes:
            for job, outcome in outcomes:
                yield outcome or lost(job, "each worker of the cluster that was at it ended")


class _Run:
    """The tasks of one run on a cluster."""

    def __init__(self, client: "Client", options: RunOptions) -> None:
        self._client, self._options = client, _absolute_options(options)
        self._name, self._numbers = f"fkp-{secrets.token_hex(8)}", count()

    def outcomes(
        self, jobs: Sequence[ImageJob], in_flight: int
    ) -> Generator[tuple[ImageJob, ImageOutcome | None], None, None]:
        """Each job with its outcome; None if workers died of it."""
        from distributed import KilledWorker, as_completed

        todo, ended = iter(jobs), as_completed(loop=self._client.loop)
        sent = {}
        for job in islice(todo, in_flight):
            sent[future := self._submit(job)] = job
            ended.add(future)
        for future in ended:
            job = sent.pop(future)
            for following in islice(todo, 1):
                sent[another := self._submit(following)] = following
                ended.add(another)
            try:
                outcome, blind = future.result()
            except KilledWorker:
                yield job, None
                continue
            if blind is not None and _is_seen(job.source.path):
                # Such a worker fails at all files, faster than the others can do them.
                raise FkpError(f"--cluster: the worker on {blind} does not see {job.source.path.absolute()}")
            yield job, replace(outcome, job=job)

    def _submit(self, job: ImageJob) -> Any:
        key = f"{self._name}-{next(self._numbers)}"
        return self._client.submit(_do, self._name, __version__, self._options, _absolute(job), key=key, pure=False)


_thread = threading.local()
"""In a worker: the run that this thread works for, and the function that does its jobs. A finder serves one thread."""


def _do(run: str, version: str, options: RunOptions, job: ImageJob) -> tuple[ImageOutcome, str | None]:
    """A task: the outcome, and the name of this machine if it does not see the file.

    The first task of a run in each thread loads the networks, which the next ones use. FkpError if it cannot.
    """
    if getattr(_thread, "run", None) != run:
        try:
            if version != __version__:
                raise FkpError(f"it has numpynet-fkp {__version__}, this machine {version}; install the same")
            _thread.work, _thread.run = start_worker(options), run
        except (FkpError, CheckpointError) as error:
            raise FkpError(f"--cluster: the worker on {node()} cannot begin: {error}") from None
    outcome: ImageOutcome = _thread.work(job)
    return outcome, node() if outcome.result is None and not _is_seen(job.source.path) else None


def _is_seen(path: Path) -> bool:
    with suppress(OSError):
        path.stat()
        return True
    return False


def dask_setup(worker: object) -> None:
    """Called by Dask when a worker of a local cluster starts. Signals of the terminal are for the parent alone."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


def _absolute(job: ImageJob) -> ImageJob:
    """The job for a process in another folder. Messages still call the source as the user does."""
    source = replace(job.source, path=job.source.path.absolute(), called=job.source.name)
    return ImageJob(source, job.picture and job.picture.absolute(), job.crops and job.crops.absolute())


def _absolute_options(options: RunOptions) -> RunOptions:
    return replace(options, weights=options.weights and options.weights.absolute())


@contextmanager
def _client(address: str, workers: int) -> Iterator["Client"]:
    """A client of the cluster, which has at least one worker."""
    import dask
    from distributed import Client, LocalCluster

    if address == LOCAL:
        with _same_environment():
            with dask.config.set(LOCAL_SETTINGS), ignoring_signals():
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                    security=True,
                    preload=[__name__],
                )
            with closing(cluster), closing(Client(cluster, set_as_default=False)) as client:
                yield client
        return
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError):
        raise FkpError(f"--cluster {address}: no scheduler answers there") from None
    except ValueError as error:
        raise UsageError(f"--cluster {address}: is no address of a scheduler ({error})") from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
        yield client
    except TimeoutError:
        raise FkpError(f"--cluster {address}: has no workers; start some with `dask worker {address}`") from None
    finally:
        with suppress(Exception):  # the scheduler may have ended
            client.close(timeout=PATIENCE)


@contextmanager
def _same_environment() -> Iterator[None]:
    """Dask sets its workers' variables in this process, and leaves them there. No later child of it shall have them."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    """Any error of the cluster, or of what its workers load, as an FkpError of one line."""
    from concurrent.futures import CancelledError

    from distributed.comm import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError):
        raise FkpError(f"--cluster {address}: the scheduler has ended or cannot be reached any more") from None
    except FkpError:
        raise
    except Exception as error:
        raise FkpError(problem_of(f"--cluster {address}", error)) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Dask's own lines on standard error: what the user should know, our lines say."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
