"""What the app talks to: the engine in a process of its own.

The app never imports torch, so nothing that torch does can stall the screen, outlive the app or
take the story with it when it crashes. Every call here returns at once; answers arrive in
`events`.
"""

from __future__ import annotations

import itertools
import queue
import sys
from collections.abc import Sequence
from typing import Protocol

from mgpt_tui import paths
from mgpt_tui.inference.inspection.asked import Asked
from mgpt_tui.inference.process.child import Child
from mgpt_tui.inference.process.command import module_command, open_log
from mgpt_tui.inference.process.messages import (
    Bridge,
    Died,
    Event,
    Failed,
    Generate,
    Inspect,
    Look,
    Measure,
    Question,
    Rank,
    Ready,
    Stop,
    Tell,
)
from mgpt_tui.inference.request import ContextPart, Gap, SamplingSettings, Until


class EngineLike(Protocol):
    """What the app needs of an engine; `EngineClient` is the real one."""

    events: queue.Queue[Event]

    def start(self) -> None:
        """Begin to load the model; `Ready` or `Failed` (id None) follows in `events`."""

    def generate(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        until: Until = Until.LENGTH,
        samples: int = 1,
        muted: str = "",
    ) -> int:
        """Ask for continuations; the id under which `events` will speak of them."""

    def look(self, context: Sequence[ContextPart], settings: SamplingSettings, count: int) -> int:
        """Ask what could come next; the id under which `Seen` will answer."""

    def measure(self, context: Sequence[ContextPart]) -> int:
        """Ask how many tokens would be read; the id under which `Measured` will answer."""

    def rank(self, context: Sequence[ContextPart], candidates: Sequence[str]) -> int:
        """Ask how likely some texts are; the id under which `Ranked` will answer."""

    def tell(
        self, context: Sequence[ContextPart], settings: SamplingSettings, model: str = ""
    ) -> int:
        """Have a model tell on, be it another; the id under which `Told` will answer."""

    def bridge(self, gap: Gap, settings: SamplingSettings, samples: int, muted: str = "") -> int:
        """Ask what leads over a gap; the id under which `Bridged` will answer, bit by bit."""

    def inspect(self, context: Sequence[ContextPart], asked: Asked) -> int:
        """Look into the model; the id under which `Inspected` or `Replaced` will answer."""

    def stop(self, id: int) -> None:
        """End a generation after its current token; `Ended` follows in `events`."""

    def switch(self, model: str | None) -> None:
        """End this engine and start another model; `Ready` or `Failed` (id None) follows."""

    def close(self) -> None:
        """End the engine."""


class EngineClient:
    """The engine in a child process.

    Not for use from several threads, but for `events`, which any thread may read.

    Args:
        model: as `--model` takes it; None is the embedded one.
        python: the interpreter to run the engine with.

    Attributes:
        events: everything the engine says, in order; `Died` when it ends without being asked
            to, after which `start` starts a new one. Ids are never used twice.
    """

    def __init__(self, model: str | None = None, *, python: str = sys.executable) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self._python = python
        self._command = _command(model, python)
        self._ids = itertools.count(1)
        self._child: Child | None = None
        self._started_before = False

    @property
    def pid(self) -> int | None:
        """The process id of the running engine, or None."""
        return self._child.process.pid if self._child and self._child.is_alive() else None

    def start(self) -> None:
        """Start the engine process, unless it runs already; returns at once.

        Nor is it started again while `events` is still to tell how it ended. Requests may follow
        at once, too: they wait until the model is loaded.
        """
        if self.pid is not None or self._has_end_to_tell():
            return
        try:
            with open_log(paths.engine_log(), append=self._started_before) as log:
                self._child = Child(self._command, log, self.events)
        except OSError as error:
            self.events.put(
                Failed(
                    None,
                    f"The engine could not be started: {error.strerror or error}.",
                    f"Check that {self._command[0]} can be run.",
                )
            )
        self._started_before = True

    def generate(
        self,
        context: Sequence[ContextPart],
        settings: SamplingSettings,
        until: Until = Until.LENGTH,
        samples: int = 1,
        muted: str = "",
    ) -> int:
        """Ask for continuations of `context`; returns their id at once."""
        id = next(self._ids)
        return self._ask(Generate(id, tuple(context), settings, until, samples, muted))

    def look(self, context: Sequence[ContextPart], settings: SamplingSettings, count: int) -> int:
        """Ask what could come next after `context`; returns the id of the answer at once."""
        return self._ask(Look(next(self._ids), tuple(context), settings, count))

    def measure(self, context: Sequence[ContextPart]) -> int:
        """Ask how many tokens of `context` are read; returns the id of the answer at once."""
        return self._ask(Measure(next(self._ids), tuple(context)))

    def rank(self, context: Sequence[ContextPart], candidates: Sequence[str]) -> int:
        """Ask how likely each text is after `context`; returns the id of the answer at once."""
        return self._ask(Rank(next(self._ids), tuple(context), tuple(candidates)))

    def tell(
        self, context: Sequence[ContextPart], settings: SamplingSettings, model: str = ""
    ) -> int:
        """Ask how a model goes on; returns the id of the answer at once."""
        return self._ask(Tell(next(self._ids), tuple(context), settings, model))

    def bridge(self, gap: Gap, settings: SamplingSettings, samples: int, muted: str = "") -> int:
        """Ask what leads over a gap; returns the id of the answers at once."""
        return self._ask(Bridge(next(self._ids), gap, settings, samples, muted))

    def inspect(self, context: Sequence[ContextPart], asked: Asked) -> int:
        """Ask what a view tells of `context`; returns the id of the answer at once."""
        return self._ask(Inspect(next(self._ids), tuple(context), asked))

    def _ask(self, request: Question) -> int:
        if self._child is None or not self._child.ask(request):
            self.events.put(
                Failed(request.id, "The engine is not running.", "Try again once it is ready.")
            )
        return request.id

    def stop(self, id: int) -> None:
        """End generation `id` after its current token; harmless where it is over."""
        if self._child is not None:
            self._child.ask(Stop(id))

    def switch(self, model: str | None) -> None:
        """End this engine and start one with another model; returns at once.

        What was asked of the old one and not answered yet fails.

        Args:
            model: as for the client itself.
        """
        child, self._child = self._child, None
        if child is not None:
            child.retire()
            self._forget_its_state()
        self._command = _command(model, self._python)
        self.start()

    def _has_end_to_tell(self) -> bool:
        """Whether nobody has read yet that the engine could not be started, or has died."""
        with self.events.mutex:
            return any(
                isinstance(event, Died) or (isinstance(event, Failed) and event.id is None)
                for event in self.events.queue
            )

    def _forget_its_state(self) -> None:
        """Drop what nobody has read yet and what would be taken for the next engine's word."""
        with self.events.mutex:
            kept = [event for event in self.events.queue if not _tells_state(event)]
            self.events.queue.clear()
            self.events.queue.extend(kept)

    def close(self) -> None:
        """End the engine: kindly first, by force after half a second."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


def _tells_state(event: Event) -> bool:
    """Whether an event says that an engine is ready, or cannot be."""
    return isinstance(event, Ready) or (isinstance(event, Failed) and event.id is None)


def _command(model: str | None, python: str) -> list[str]:
    command = module_command(python, "mgpt_tui.inference.process.server")
    return command if model is None else [*command, f"--model={model}"]
