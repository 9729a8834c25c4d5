"""The models at hand, to go on with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList

from mgpt_tui.model.registry import list_models, listed_as
from mgpt_tui.model.summary import ModelSummary
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.picker import Picker
from mgpt_tui.ui.speeds import Speeds
from mgpt_tui.ui.widgets.bars import short_count
from mgpt_tui.ui.widgets.plain import Plain

IN_USE = "● "
UNKNOWN = "–"
NAME_WIDTH = 21
BETTER = (
    ("roneneldan/TinyStories-33M", 68_514_048, 291e6),
    ("openai-community/gpt2", 124_439_808, 548e6),
)
"""Models on the hub that write better: their names, parameters, and bytes to fetch."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ToldByBoth:
    """The writer wants a beginning told by the model that writes and by this one."""

    model: str


@dataclass(frozen=True, slots=True)
class ToLearning:
    """The writer wants to see the model that learns, or to have one learn."""


class ModelList(Picker[ModelSummary, Answer]):
    """The models with their figures.

    Args:
        in_use: the name of the model that writes now.
        speeds: of models on this machine.
    """

    DEFAULT_CSS = """
    ModelList .box {
        width: 80;
        padding: 1 1;
    }
    """

    def __init__(self, in_use: str, speeds: Speeds | None = None) -> None:
        super().__init__()
        self._in_use = listed_as(in_use)
        self._speeds = speeds or Speeds()
        self._models: Sequence[ModelSummary] | None = None

    def on_mount(self) -> None:
        self.show((), "Looking for models…")
        self.load(lambda: [ModelSummary.of(entry) for entry in list_models()])

    def loaded(self, rows: Sequence[ModelSummary]) -> None:
        self._models = rows
        self.find(self.query_one(Input).value)

    def find(self, wanted: str) -> None:
        """Show the models whose names hold what was typed."""
        if self._models is None:
            return
        words = wanted.casefold().split()
        names = (model for model in self._models)
        found = [m for m in names if all(word in m.entry.name.casefold() for word in words)]
        now = (at for at, model in enumerate(found) if model.entry.name == self._in_use)
        self.show(found, "No model has such a name.", at=next(now, 0))

    def heads(self) -> str:
        return _line("  model", "size", "on disk", "tok/s", "steps", "loss", "written")

    def foot(self) -> str:
        return f"{IN_USE}writes now; loss: bits a byte of stories held out; ~ by size"

    def row(self, row: ModelSummary) -> Content:
        mark = IN_USE if row.entry.name == self._in_use else " " * len(IN_USE)
        name = clean_text(row.entry.name)
        if row.info is None:
            return Content(f"{mark}{_cut(name)}  cannot be read: {clean_text(row.error)}")
        loss, step, size = row.bits_per_byte, row.step, row.parameters or 0
        return Content(
            _line(
                f"{mark}{name}",
                short_count(size),
                UNKNOWN if row.bytes is None else _megabytes(row.bytes),
                self._speeds.said(row.entry.name, size) or UNKNOWN,
                UNKNOWN if step is None else f"{step:,}",
                UNKNOWN if loss is None else f"{loss:.3f}",
                UNKNOWN if row.written is None else _date(row.written),
            )
        )

    def checked(self, row: ModelSummary) -> str | None:
        """The name of a model that can be read; what is wrong is said of another."""
        if row.info is None:
            self.say(f"{row.entry.name} cannot be read: {row.error}", bad=True)
            return None
        return row.entry.name


class ModelsScreen(ModelList[str | ToldByBoth | ToLearning]):
    """Answers with a model's name, with what else is wanted of models, or None.

    Args:
        in_use, speeds: as above.
        learning: how it is with the model that learns, in a few words; "" where there is none.
    """

    heading: ClassVar[str] = "Write with another model"
    ways: ClassVar[str] = "enter picks · f6 told by both · f3 learn your stories · esc cancels"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "learning", show=False, priority=True),
        Binding("f6", "both", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ModelsScreen .learning, ModelsScreen .better {
        color: $text-muted;
    }
    """

    def __init__(self, in_use: str, speeds: Speeds | None = None, learning: str = "") -> None:
        super().__init__(in_use, speeds)
        self._learning = learning

    def more(self) -> ComposeResult:
        yield Plain(classes="better")
        yield Plain(classes="learning")

    def on_mount(self) -> None:
        super().on_mount()
        self.show_learning(self._learning)

    def loaded(self, rows: Sequence[ModelSummary]) -> None:
        super().loaded(rows)
        self._show_better()

    def measured(self) -> None:
        """A speed is known that was not."""
        if self._models is not None and self.is_open:
            at = self.at
            self.find(self.query_one(Input).value)
            if at in self.listed:
                self.query_one(OptionList).highlighted = self.listed.index(at)
            self._show_better()

    def show_learning(self, learning: str) -> None:
        """Say how it is with the model that learns."""
        line = self.query_one(".learning", Plain)
        line.display = bool(learning)
        line.say(f"{learning} · f3 shows it")

    def _show_better(self) -> None:
        """Say how to get a better model, where none was imported."""
        lines = []
        if not any(model.is_imported for model in self._models or ()):
            for name, size, download in BETTER:
                rate = self._speeds.said(name, size)
                facts = f"{short_count(size)}, {_megabytes(download)}"
                lines.append(f"mgpt-tui import {name}  {facts}{f', {rate} tok/s' if rate else ''}")
        better = self.query_one(".better", Plain)
        better.display = bool(lines)
        better.say("Better ones are had in a shell, from the hub, by\n" + "\n".join(lines))

    def answer(self, row: ModelSummary) -> str | None:
        return self.checked(row)

    def action_learning(self) -> None:
        self.dismiss(ToLearning())

    def action_both(self) -> None:
        self.when_shown(self._both)

    def _both(self) -> None:
        name = self.checked(self.at) if self.at is not None else None
        if name == self._in_use:
            self.say(f"{name} writes now: go to the one to compare it with.", bad=True)
        elif name is not None:
            self.dismiss(ToldByBoth(name))


class BesideScreen(ModelList[str]):
    """The same, for a model to be looked into beside the one that writes; answers with its name."""

    heading: ClassVar[str] = "Look into another model beside it"

    def answer(self, row: ModelSummary) -> str | None:
        return self.checked(row)


def _line(name: str, size: str, disk: str, rate: str, steps: str, loss: str, written: str) -> str:
    return f"{_cut(name)}{size:>6}{disk:>8}{rate:>8}{steps:>8}{loss:>7}{written:>12}"


def _cut(name: str) -> str:
    """A name in its column, its beginning cut off where it is too long: the end tells more."""
    return name.ljust(NAME_WIDTH) if len(name) <= NAME_WIDTH else f"…{name[1 - NAME_WIDTH :]}"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


def _date(written: float) -> str:
    return f"{datetime.fromtimestamp(written).astimezone():%Y-%m-%d}"
