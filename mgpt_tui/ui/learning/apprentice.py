"""The model that learns the writer's stories, without a screen: begun, watched, stopped, dropped.

Nothing here waits: a process does the work, and `hear` takes in what it has said since.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from enum import Enum

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.learning.begun import Begun, has_begun
from mgpt_tui.learning.child import Child, Learns, Over
from mgpt_tui.learning.events import (
    Doing,
    Dropped,
    Event,
    Learnt,
    Planned,
    Refused,
    Scored,
    Stepped,
    Stopped,
)
from mgpt_tui.ui.notices import Notice, Severity

Start = Callable[[Sequence[str]], Learns]


class Phase(Enum):
    """How it is with the model that learns."""

    IDLE = "idle"
    RECKONING = "reckoning"  # what it takes
    LEARNING = "learning"
    STOPPING = "stopping"
    STOPPED = "stopped"  # can be gone on with
    LEARNT = "learnt"
    DROPPING = "dropping"
    FAILED = "failed"


BUSY = (Phase.RECKONING, Phase.LEARNING, Phase.STOPPING, Phase.DROPPING)


class Apprentice:
    """At most one model that learns.

    Attributes:
        start: begins a process with arguments of `mgpt-tui learn`.
        phase: how it is with it.
        name: of the model; "" before there is one.
        planned: what it takes, once that is known.
        doing: what goes on beside the steps.
        stepped: the last step.
        scores: on the stories held out, the first before it began.
        learnt: what came of it, when it is done.
        trouble: why it could not be or go on, in a line; else "".
    """

    def __init__(self, start: Start = Child) -> None:
        self.start = start
        self._child: Learns | None = None
        self._drops = False
        self.phase = Phase.IDLE
        self._forget("")

    def _forget(self, name: str) -> None:
        self.name = name
        self.planned: Planned | None = None
        self.doing = ""
        self.stepped: Stepped | None = None
        self.scores: list[Scored] = []
        self.learnt: Learnt | None = None
        self.trouble = ""

    @property
    def is_busy(self) -> bool:
        """Whether a process is at work."""
        return self.phase in BUSY

    @property
    def can_go_on(self) -> bool:
        """Whether there is something of it to go on with, or to drop."""
        stands = self.phase in (Phase.STOPPED, Phase.FAILED)
        return stands and bool(self.name) and has_begun(self.name)

    @property
    def line(self) -> str:
        """How it is, in a few words; "" where there is nothing to tell."""
        step = f" {self.stepped.step} of {self.stepped.steps}" if self.stepped else ""
        match self.phase:
            case Phase.LEARNING:
                return f"{self.name} learns{f', step{step}' if step else ''}"
            case Phase.STOPPING:
                return f"{self.name} finishes its step"
            case Phase.STOPPED:
                return f"{self.name} has stopped learning"
            case Phase.LEARNT:
                return f"{self.name} has learnt"
            case Phase.FAILED:
                return f"{self.name} could not go on learning" if self.name else ""
        return ""

    # What is asked of it; each only where it is not busy, but for `stop` and `leave`.

    def reckon(self, arguments: Sequence[str]) -> None:
        """Find out what learning takes."""
        self._forget("")
        self._run(Phase.RECKONING, ["--dry-run", *arguments])

    def begin(self, name: str, arguments: Sequence[str]) -> None:
        """Learn."""
        self._forget(name)
        self._run(Phase.LEARNING, arguments)

    def take_up(self, begun: Begun) -> None:
        """Know of what was begun before and not finished."""
        self._forget(begun.name)
        self.phase = Phase.STOPPED
        if begun.before is not None:
            self.scores = [Scored(0, begun.before, best=False, sample="")]

    def go_on(self) -> None:
        """Go on with what was stopped or has failed."""
        name = self.name
        self._forget(name)
        self._run(Phase.LEARNING, [f"--name={name}", "--resume"])

    def stop(self, *, drops: bool = False) -> None:
        """Finish the step, and keep what was learnt so far or drop it."""
        if self._child is not None and self.phase in (Phase.LEARNING, Phase.STOPPING):
            self._drops = drops
            self.phase = Phase.STOPPING
            self._child.stop()

    def drop(self) -> None:
        """Remove what was learnt."""
        self._run(Phase.DROPPING, [f"--name={self.name}", "--drop"])

    def leave(self) -> None:
        """Reckon no further; there is nothing to be told of what came of it before either.

        What reckons is stopped, not killed: the stories that it has written down go with it.
        """
        if self.phase is Phase.RECKONING and self._child is not None:
            self._child.stop()
            self._child = None
        if not self.is_busy or self._child is None:
            self.phase = Phase.IDLE
            self._forget("")

    def close(self) -> str:
        """The app is left: what learns saves and ends. Gives its name where it did not end yet."""
        child, self._child = self._child, None
        if child is None:
            return ""
        child.stop()
        return self.name if self.phase in (Phase.LEARNING, Phase.STOPPING) else ""

    def _run(self, phase: Phase, arguments: Sequence[str]) -> None:
        self.trouble = ""
        try:
            self._child = self.start(arguments)
        except UserError as error:
            self.phase, self.trouble = Phase.FAILED, _line(error.message, error.remedy)
        else:
            self.phase = phase

    # What it says.

    def hear(self) -> tuple[bool, list[Notice]]:
        """Take in what was said; gives whether anything was, and what the writer is to be told."""
        heard, notices = False, []
        while self._child is not None:
            try:
                event = self._child.events.get_nowait()
            except queue.Empty:
                break
            heard = True
            if isinstance(event, Over):
                self._child = None
                notices += self._over(event)
            else:
                self._take(event)
        return heard, notices

    def _take(self, event: Event) -> None:
        match event:
            case Planned():
                self.planned = event
            case Doing():
                self.doing = event.what
            case Stepped():
                self.stepped, self.doing = event, ""
            case Scored():
                self.scores.append(event)
            case Learnt():
                self.learnt = event
            case Refused():
                self.trouble = _line(event.message, event.remedy)
            case Stopped() | Dropped():
                self.doing = ""

    def _over(self, event: Over) -> list[Notice]:
        """The process has ended: how it is from now on."""
        before, self.doing = self.phase, ""
        if before is Phase.RECKONING:
            if self.planned is None and not self.trouble:
                self.trouble = _ended(event)
            self.phase = Phase.IDLE
            return []
        if before is Phase.DROPPING and not self.trouble and event.exit_code == 0:
            name = self.name
            self.phase = Phase.IDLE
            self._forget("")
            return [Notice(f"What {name} had learnt is gone.")]
        keeps = before is Phase.STOPPING and (self._drops or not self.trouble)
        if self.learnt is not None:
            self.phase = Phase.LEARNT
            if not self._drops:
                return [
                    Notice(f"{self.name} has learnt your stories. /learn shows what came of it.")
                ]
        elif not keeps:
            self.phase = Phase.FAILED
            self.trouble = self.trouble or _ended(event)
            return [Notice(self.trouble, Severity.ERROR)]
        elif not has_begun(self.name):  # it had come to nothing yet
            self._drops, self.phase = False, Phase.IDLE
            self._forget("")
        else:
            self.phase, self.trouble = Phase.STOPPED, ""
        if self._drops:
            self._drops = False
            self.drop()
        return []


def _line(message: str, remedy: str) -> str:
    return f"{message} {remedy}".rstrip()


def _ended(event: Over) -> str:
    return (
        f"Learning ended unexpectedly (exit code {event.exit_code}); what was saved is kept. "
        f"Its log is {paths.learning_log()}."
    )
