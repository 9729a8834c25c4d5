"""Being asked to stop: Ctrl-C, SIGTERM, which schedulers and torchrun send, and SIGHUP.

A terminal that is closed sends SIGHUP; under nohup it is ignored, and stays so.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Windows has no SIGHUP."""
SIGPIPE = int(getattr(signal, "SIGPIPE", 13))
"""What stands for an output that takes no more."""


class StopSignals:
    """While open, the first signal asks to stop after the step; a Ctrl-C after it leaves at once.

    Args:
        ask: called with the number of the first signal, from the main thread.
        restore: give the signals back their former meaning in the end. Not among several
            processes: torchrun ends all of them when one has ended, and what they still have to
            say is to be heard.
    """

    def __init__(self, ask: Callable[[int], None], restore: bool = True) -> None:
        self._ask = ask
        self._restore = restore
        self._asked = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._former = {
                number: signal.signal(number, self._handle)
                for number in STOPPING
                if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
            }
        return self

    def __exit__(self, *exception: object) -> None:
        if self._restore:
            for number, handler in self._former.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self._asked = True
        self._ask(number)
