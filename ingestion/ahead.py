"""Reads the next item in a thread while the last one is worked on."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """The items of a generator in their order, one being read while the one before it is worked on.

    What the generator raises is raised here, after the work on the items before it.
    """

    def __init__(self, items: Generator[T, None, None]) -> None:
        self._items = items
        self._is_worked_off = threading.Event()
        self._is_worked_off.set()

    def __iter__(self) -> Iterator[T]:
        with ThreadPoolExecutor(1, "read ahead") as reader:
            try:
                coming = reader.submit(self._next)
                while item := coming.result():
                    self._is_worked_off.clear()
                    coming = reader.submit(self._next)
                    yield item[0]
                    self._is_worked_off.set()
            finally:
                self._is_worked_off.set()
                reader.submit(self._items.close).result()

    def catch_up(self) -> None:
        """For the generator, before it waits: returns when the item it gave last was worked on."""
        self._is_worked_off.wait()

    def _next(self) -> tuple[T] | None:
        for item in self._items:
            return (item,)
        return None
