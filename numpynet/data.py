"""A loader that shuffles samples, stacks them into batches, and prepares the next batches in the background."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np

from numpynet.checks import count, whole
from numpynet.training_state import read_generator, saved_generator
from numpynet.typing import AnyArray, Array, Batch, Seed

Sample = TypeVar("Sample", covariant=True)
Indices = np.ndarray[Any, np.dtype[np.int64]]
Made = tuple[Batch, int, list[AnyArray]]
"""A batch, the number of its samples, and the states of the loader's generators after it was made."""


class Dataset(Protocol[Sample]):
    """Anything that has a length and gives a sample for each index 0 .. length - 1."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


def stack(pairs: Sequence[tuple[Array, Array]]) -> Batch:
    """The batch of N (image, target) pairs: images (N, ...) and targets (N, ...)."""
    images, targets = zip(*pairs, strict=True)
    return np.stack(images), np.stack(targets)


class DataLoader:
    """Iterates over a dataset in batches.

    batch_size: samples per batch. The last batch may be smaller; `drop_last` leaves it out then.
    shuffle: whether each iteration draws a new order from `rng`.
    prefetch: the number of batches that a background thread prepares ahead; 0 for no thread. There is only one thread,
        and it prepares the batches in order, so random transforms draw the same numbers whatever the timing.
    collate_fn: makes a batch from a list of samples, as in PyTorch. The default expects (image, target) pairs.
    part: (i, n) for part i, from 0, of every batch in n equal parts; `batch_size` is that of the whole batch. A last,
        smaller batch must be dropped then.
    generators: those from which the samples' random transforms draw. `state_dict` holds their states.

    ValueError if batch_size is below 1 or prefetch is negative, or if there is no such part.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int,
        *,
        shuffle: bool = False,
        rng: Seed = None,
        drop_last: bool = False,
        prefetch: int = 2,
        collate_fn: Callable[[list[Any]], Batch] = stack,
        part: tuple[int, int] = (0, 1),
        generators: Sequence[np.random.Generator] = (),
    ) -> None:
        self.dataset = dataset
        self.batch_size = whole(batch_size, "DataLoader: batch_size")
        self.shuffle = shuffle
        self.rng = np.random.default_rng(rng)
        self.drop_last = drop_last
        self.prefetch = whole(prefetch, "DataLoader: prefetch", 0)
        self.collate_fn = collate_fn
        one, parts = part
        whole_batches = drop_last or parts == 1 or len(dataset) % batch_size == 0
        if not (0 <= one < parts and batch_size % parts == 0 and whole_batches):
            raise ValueError(f"DataLoader: batches of {batch_size} have no part {part} of equal parts")
        self.part = part
        self.generators = tuple(generators)
        self._position = self._begin = 0
        self._order_state, self._states = saved_generator(self.rng), self._saved_generators()

    def __len__(self) -> int:
        """The number of batches per iteration."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        self._position, self._begin = self._begin, 0
        self._order_state = saved_generator(self.rng)
        order = self.rng.permutation(len(self.dataset)) if self.shuffle else np.arange(len(self.dataset))
        begins = range(self._position, len(order), self.batch_size)
        batches = [order[begin : begin + self.batch_size] for begin in begins]
        if self.drop_last and batches and len(batches[-1]) < self.batch_size:
            batches.pop()
        for batch, size, states in self._made(batches):
            self._position += size
            self._states = states
            yield batch

    def state_dict(self) -> dict[str, AnyArray]:
        """Where the iteration at hand stands after the last batch that it gave, whatever is prepared ahead.

        "position" () is the number of samples given. "rng.order" is the state of `rng` before it drew the order, and
        "rng.i" that of generator i of `generators` after the last sample that was given.
        """
        state = {"position": np.array(self._position, np.int64), "rng.order": self._order_state}
        return state | {f"rng.{i}": saved for i, saved in enumerate(self._states)}

    def load_state_dict(self, state: Mapping[str, AnyArray]) -> None:
        """Let the next iteration give the batches after those that the one of a `state_dict` had given.

        With another batch size, the rest of the samples is divided anew. ValueError, with nothing changed, if the state
        is damaged, or belongs to a loader with other generators.
        """
        for key in ("position", "rng.order", *(f"rng.{i}" for i in range(len(self.generators)))):
            if key not in state:
                raise ValueError(f"load_state_dict: missing {key}")
        position = count(state["position"], "load_state_dict: position", 0)
        order = read_generator("rng.order", self.rng, state)
        others = [read_generator(f"rng.{i}", rng, state) for i, rng in enumerate(self.generators)]
        self._position = self._begin = position
        self.rng.bit_generator.state = order
        for rng, saved in zip(self.generators, others, strict=True):
            rng.bit_generator.state = saved
        self._order_state, self._states = saved_generator(self.rng), self._saved_generators()

    def _made(self, batches: list[Indices]) -> Iterator[Made]:
        """The batches of samples with these indices; with `prefetch`, each is ready before it is asked for."""
        if self.prefetch < 1:
            yield from map(self._batch, batches)
            return
        pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        try:
            waiting: deque[Future[Made]] = deque()
            for indices in batches:
                waiting.append(pool.submit(self._batch, indices))
                if len(waiting) > self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batch(self, indices: Indices) -> Made:
        part, parts = self.part
        own = indices[len(indices) * part // parts : len(indices) * (part + 1) // parts]
        batch = self.collate_fn([self.dataset[int(index)] for index in own])
        return batch, len(indices), self._saved_generators()

    def _saved_generators(self) -> list[AnyArray]:
        return [saved_generator(rng) for rng in self.generators]
