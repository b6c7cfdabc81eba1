"""Batches: shuffled, stacked, and prepared in the background while the network works on the one before."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from numpynet.checks import whole
from numpynet.typing import Batch, Seed


class Dataset(Protocol):
    """Anything with a length whose samples hold an "image" (1, size, size) and "keypoints" (68, 2)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...


class DataLoader:
    """Iterates over a dataset in batches.

    batch_size: samples a batch; the last one may be smaller, or is left out with `drop_last`.
    shuffle: a new order at each iteration, drawn from `rng`.
    prefetch: how many batches are prepared ahead by a background thread; 0 for none. One thread prepares them in
    order, so random transforms draw the same numbers whatever the timing.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        rng: Seed = None,
        drop_last: bool = False,
        prefetch: int = 2,
    ) -> None:
        self.dataset = dataset
        self.batch_size = whole(batch_size, "DataLoader: batch_size")
        self.shuffle = shuffle
        self.rng = np.random.default_rng(rng)
        self.drop_last = drop_last
        self.prefetch = whole(prefetch, "DataLoader: prefetch", 0)

    def __len__(self) -> int:
        """How many batches an iteration gives."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

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
        samples = [self.dataset[int(index)] for index in indices]
        images = np.stack([sample["image"] for sample in samples])
        targets = np.stack([np.reshape(sample["keypoints"], -1) for sample in samples])  # (N, 68, 2) -> (N, 136)
        return images, targets
