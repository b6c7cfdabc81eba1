"""A loader that shuffles samples, stacks them into batches, and prepares the next batches in the background."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np

from numpynet.checks import whole
from numpynet.typing import Array, Batch, Seed

Sample = TypeVar("Sample", covariant=True)


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

    ValueError if batch_size is below 1 or prefetch is negative.
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
    ) -> None:
        self.dataset = dataset
        self.batch_size = whole(batch_size, "DataLoader: batch_size")
        self.shuffle = shuffle
        self.rng = np.random.default_rng(rng)
        self.drop_last = drop_last
        self.prefetch = whole(prefetch, "DataLoader: prefetch", 0)
        self.collate_fn = collate_fn

    def __len__(self) -> int:
        """The number of batches per iteration."""
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        order = self.rng.permutation(len(self.dataset)) if self.shuffle else np.arange(len(self.dataset))
        batches = [order[i * self.batch_size : (i + 1) * self.batch_size] for i in range(len(self))]
        if self.prefetch < 1:
            yield from map(self._batch, batches)
            return
        pool = ThreadPoolExecutor(1, thread_name_prefix="loader")
        try:
            waiting: deque[Future[Batch]] = deque()
            for indices in batches:
                waiting.append(pool.submit(self._batch, indices))
                if len(waiting) > self.prefetch:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _batch(self, indices: np.ndarray[Any, np.dtype[np.int64]]) -> Batch:
        return self.collate_fn([self.dataset[int(index)] for index in indices])
