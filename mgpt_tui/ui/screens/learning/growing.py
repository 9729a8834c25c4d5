"""How a model grows that learns the writer's stories, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll

from mgpt_tui.learning.events import outcome
from mgpt_tui.text import clean_text
from mgpt_tui.ui.learning.apprentice import Apprentice, Phase
from mgpt_tui.ui.screens.learning.choosing import LearningDialog
from mgpt_tui.ui.widgets.bars import EMPTY, FULL
from mgpt_tui.ui.widgets.plain import Plain

BAR = 30
SCORES = 8
"""So many scores are shown, the last ones."""
AGAIN = "d again drops it for good, esc does not."


class Next(Enum):
    """What the writer wants of the model that has learnt."""

    WRITE = "write"
    BOTH = "both"
    ANOTHER = "another"


class GrowingScreen(LearningDialog[Next | None]):
    """Answers with what to do `Next`, or None.

    Args:
        apprentice: the model that learns.
        in_use: the name of the model that writes now.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False),
        Binding("s", "stop", "stop", show=False),
        Binding("d", "drop", "drop", show=False),
        Binding("g", "go_on", "go on", show=False),
        Binding("w", "write", "write", show=False),
        Binding("b", "both", "told by both", show=False),
        Binding("n", "another", "another", show=False),
    ]

    DEFAULT_CSS = """
    GrowingScreen VerticalScroll {
        height: 1fr;
        scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, apprentice: Apprentice, in_use: str) -> None:
        super().__init__()
        self._apprentice, self._in_use = apprentice, in_use
        self._drops = False  # asked for once

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box tall")
        box.border_title = "A model of your stories"
        with box:
            with VerticalScroll(can_focus=True):
                yield Plain(id="growing")
            yield Plain(classes="said")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.show_learning()

    def show_learning(self) -> None:
        """Bring everything up to date."""
        if self._apprentice.phase is Phase.IDLE:  # dropped
            self.dismiss(None)
            return
        self.query_one("#growing", Plain).say(clean_text("\n".join(self._lines())))
        said = AGAIN if self._drops else self._ways()
        self.query_one(".said", Plain).say(said)

    def _ways(self) -> str:
        match self._apprentice.phase:
            case Phase.LEARNING:
                return "s stops and keeps it · d drops it · esc: write on, it learns on"
            case Phase.LEARNT:
                return "b both tell one beginning · w write with it · d drop it · n another"
            case Phase.STOPPED | Phase.FAILED if self._apprentice.can_go_on:
                return "g goes on · d drops it · n another one · esc leaves it as it is"
            case Phase.FAILED:
                return "n another one · esc leaves"
        return "esc leaves"

    # What is told.

    def _lines(self) -> Iterator[str]:
        apprentice = self._apprentice
        name, planned = apprentice.name, apprentice.planned
        match apprentice.phase:
            case Phase.LEARNING if planned is not None:
                stories = f"{planned.stories:,} of your stories"
                yield f"{planned.model} learns {stories}, and becomes {name}."
            case Phase.LEARNING:
                yield f"{name} is about to learn your stories."
            case Phase.STOPPING:
                yield f"{name} finishes its step, and saves."
            case Phase.STOPPED:
                yield f"{name} has stopped. What it has learnt so far is kept: it can go on."
            case Phase.DROPPING:
                yield f"What {name} has learnt is being removed."
            case Phase.FAILED:
                yield f"✗ {apprentice.trouble}"
            case Phase.LEARNT if apprentice.learnt is not None:
                yield from outcome(apprentice.learnt)
        if apprentice.doing:
            yield f"{apprentice.doing}…"
        yield from self._figures()

    def _figures(self) -> Iterator[str]:
        stepped, scores = self._apprentice.stepped, self._apprentice.scores
        if stepped is not None and self._apprentice.phase is not Phase.LEARNT:
            full = round(BAR * stepped.step / stepped.steps)
            left = ""
            if stepped.left is not None and self._apprentice.phase is Phase.LEARNING:
                left = f"   {timedelta(seconds=round(stepped.left))} left"
            yield ""
            bar = f"{FULL * full}{EMPTY * (BAR - full)}"
            yield f"{bar}  step {stepped.step} of {stepped.steps}{left}"
            yield f"loss {stepped.loss:.3f} on what it learns (nats a token, last steps)"
        if scores:
            yield ""
            row = " → ".join(f"{score.bits_per_byte:.2f}" for score in scores[-SCORES:])
            yield f"stories held out, bits a byte: {row}"
        if scores and scores[-1].sample:
            yield ""
            yield f"It writes by now: {scores[-1].sample}"

    # What can be done.

    def action_leave(self) -> None:
        if self._drops:
            self._drops = False
            self.show_learning()
        else:
            self.dismiss(None)

    def action_stop(self) -> None:
        if self._apprentice.phase is Phase.LEARNING:
            self._apprentice.stop()
            self.show_learning()

    def action_drop(self) -> None:
        """At the second time; not the model that writes now."""
        apprentice = self._apprentice
        if not (apprentice.can_go_on or apprentice.phase in (Phase.LEARNING, Phase.LEARNT)):
            return
        if self._in_use.partition("/")[0] == apprentice.name:
            self.query_one(".said", Plain).say(
                f"{apprentice.name} writes now: take another model first."
            )
        elif not self._drops:
            self._drops = True
            self.show_learning()
        else:
            self._drops = False
            if apprentice.phase is Phase.LEARNING:
                apprentice.stop(drops=True)
            else:
                apprentice.drop()
            self.show_learning()

    def action_go_on(self) -> None:
        if self._apprentice.can_go_on:
            self._apprentice.go_on()
            self.show_learning()

    def action_write(self) -> None:
        self._answer(Next.WRITE, Phase.LEARNT)

    def action_both(self) -> None:
        self._answer(Next.BOTH, Phase.LEARNT)

    def action_another(self) -> None:
        self._answer(Next.ANOTHER, Phase.LEARNT, Phase.STOPPED, Phase.FAILED)

    def _answer(self, answer: Next, *phases: Phase) -> None:
        if self._apprentice.phase in phases:
            self.dismiss(answer)
