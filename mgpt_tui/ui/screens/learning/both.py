"""The same beginning told by two models, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input

from mgpt_tui.inference.process.messages import Told
from mgpt_tui.inference.request import ContextPart, SamplingSettings, fresh_seed
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.dialog import LiveDialog
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.widgets.plain import Plain

TOKENS = 120
"""So far each of them tells."""


class Telling(VerticalScroll, can_focus=True):
    """What one of the models makes of it.

    Args:
        model: its name.
    """

    DEFAULT_CSS = """
    Telling {
        width: 1fr;
        height: 100%;
        padding: 0 1;
        border: round $foreground 20%;
        scrollbar-size-vertical: 1;
    }
    Telling:focus {
        border: double $primary;
    }
    Telling Plain {
        height: auto;
    }
    """

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model
        self.question: Question[Told] | None = None
        self._words = Plain()

    def compose(self) -> ComposeResult:
        yield self._words

    def show(self, beginning: str) -> None:
        """Show what has come."""
        question = self.question
        told = question.answer if question is not None else None
        rate = f" · {told.finished.tokens_per_second:,.0f} tok/s" if told else ""
        self.border_title = Content(f"{clean_text(self.model)}{rate}")
        if question is None:
            said = ""
        elif told is not None:
            said = apart(f"{beginning}{told.text}")
        else:
            said = question.trouble or ("(lost; enter asks again)" if question.is_lost else "…")
        self._words.say(clean_text(said))


class BothScreen(LiveDialog[None]):
    """Has a beginning told by two models with the same seed, and shows both.

    Args:
        session: whose engine tells.
        models: their names.
        beginning: what is told on at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "leave", show=False),
    ]

    def __init__(self, session: Session, models: Sequence[str], beginning: str) -> None:
        super().__init__()
        self._session = session
        self._tellings = [Telling(model) for model in models]
        self._beginning = beginning

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box whole")
        box.border_title = "The same beginning, told by both"
        box.border_subtitle = "enter tells it anew · ↑ ↓ scroll · esc leaves"
        with box:
            yield Input(self._beginning, placeholder="a beginning", id="beginning", compact=True)
            with Horizontal(id="candidates"):
                yield from self._tellings
            yield Plain(classes="help")

    def on_mount(self) -> None:
        self.query_one("#beginning").focus()
        self.ask()

    @on(Input.Submitted, "#beginning")
    def ask(self) -> None:
        """Have both tell on, from another seed each time."""
        self.leave()
        beginning = self._beginning = self.query_one("#beginning", Input).value.rstrip()
        seed = fresh_seed()
        settings = replace(self._session.settings, seed=seed, max_tokens=TOKENS)
        writes = self._session.model
        context = (beginning,) if beginning else ()
        for telling in self._tellings:
            own = writes is not None and writes.model == telling.model
            name = "" if own else telling.model
            telling.question = self._ask(context, settings, name)
        self.query_one(".help", Plain).say(f"Both with seed {seed} and the settings of the room.")
        self.show_session()

    def _ask(
        self, context: Sequence[ContextPart], settings: SamplingSettings, model: str
    ) -> Question[Told]:
        engine = self._session.engine
        return self._session.questions.ask(Told, lambda _: engine.tell(context, settings, model), 0)

    def leave(self) -> None:
        """What is still being told comes to its end."""
        for telling in self._tellings:
            question = telling.question
            if question is not None and question.is_open and question.id is not None:
                self._session.engine.stop(question.id)

    def on_unmount(self) -> None:
        self.leave()

    def show_session(self) -> None:
        """Bring both up to date."""
        for telling in self._tellings:
            telling.show(self._beginning)
