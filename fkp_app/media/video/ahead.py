"""Makes the next item of an iterator while the caller uses the last one."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
END: Any = object()


def ahead(items: Iterable[T]) -> Generator[T]:
    """Yield the same items in the same order, while a thread makes the next one (never more than one ahead).

    An error of `items` is raised in the place of the item. Closing early waits until the thread has made its item.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, iterator, END)
        while (item := coming.result()) is not END:
            coming = pool.submit(next, iterator, END)
            yield item
