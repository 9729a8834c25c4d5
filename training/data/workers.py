"""Work spread over all cores, its results in order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Any, TypeVar

from mgpt_tui.errors import UserError

Result = TypeVar("Result")

WAITING = 2
"""Tasks for each process that are under way or wait for it."""


class Workers:
    """A pool of processes, begun when there is work for more than one.

    They are spawned, since forking a process that has threads is unsafe, and end with the block,
    or with the process that began them, however that ends.

    Args:
        count: of processes; 1 works in this one.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def in_order(
        self, function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]]
    ) -> Iterator[Result]:
        """The results of `function` for the arguments in `tasks`, in their order.

        Tasks are taken as they are needed, no more than `WAITING` for each process ahead.

        Raises:
            UserError: where a process dies.
        """
        tasks = iter(tasks)
        first = list(islice(tasks, 2))
        tasks = chain(first, tasks)
        if self.count == 1 or len(first) < 2:
            yield from (function(*task) for task in tasks)
            return
        under_way: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                under_way.append(self._submit(function, task))
                if len(under_way) >= WAITING * self.count:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool:
            raise UserError(
                "A process that helped has died, perhaps for want of memory.",
                "Run the same command again: it goes on from there.",
            ) from None

    def _submit(self, function: Callable[..., Result], task: tuple[Any, ...]) -> Future[Result]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.count, get_context("spawn"), initializer=_end_with_parent
            )
        with _unreached():
            return self._pool.submit(function, *task)


def _end_with_parent() -> None:
    """Leave when the parent is gone, even by kill -9, of which a pool takes no notice."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _unreached() -> Iterator[None]:
    """Begin processes that neither Ctrl-C nor the end of the terminal reaches.

    The parent ends them when it is ready.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
