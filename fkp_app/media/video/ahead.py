"""The next item of an iterator is made while one is used."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
END: Any = object()


def ahead(items: Iterable[T]) -> Generator[T]:
    """The same items in the same order; a thread makes the next one meanwhile, and no more than that one.

    What `items` raises comes out in its place. Closed early, it ends when that thread is done with its item.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, iterator, END)
        while (item := coming.result()) is not END:
            coming = pool.submit(next, iterator, END)
            yield item
