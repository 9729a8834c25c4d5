"""The models at hand, to go on with one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual.content import Content
from textual.widgets import Input

from mgpt_tui.model.registry import list_models
from mgpt_tui.model.summary import ModelSummary
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.picker import Picker
from mgpt_tui.ui.widgets.bars import short_count

IN_USE = "● "
UNKNOWN = "–"
NAME_WIDTH = 24


class ModelsScreen(Picker[ModelSummary, str]):
    """Answers with a model's name, or None.

    Args:
        in_use: the name of the model that writes now.
    """

    heading: ClassVar[str] = "Write with another model"

    def __init__(self, in_use: str) -> None:
        super().__init__()
        self._in_use = in_use
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
        return _line("  model", "size", "steps", "loss", "written")

    def foot(self) -> str:
        return f"{IN_USE}writes now; the loss is in bits per byte of held-out stories"

    def row(self, row: ModelSummary) -> Content:
        mark = IN_USE if row.entry.name == self._in_use else " " * len(IN_USE)
        name = clean_text(row.entry.name)
        if row.info is None:
            return Content(f"{mark}{_cut(name)}  cannot be read: {clean_text(row.error)}")
        loss, step = row.bits_per_byte, row.step
        return Content(
            _line(
                f"{mark}{name}",
                short_count(row.parameters or 0),
                UNKNOWN if step is None else f"{step:,}",
                UNKNOWN if loss is None else f"{loss:.3f}",
                UNKNOWN if row.written is None else _date(row.written),
            )
        )

    def answer(self, row: ModelSummary) -> str | None:
        if row.info is None:
            self.say(f"{row.entry.name} cannot be read: {row.error}", bad=True)
            return None
        return row.entry.name


class BesideScreen(ModelsScreen):
    """The same, for a model to be looked into beside the one that writes."""

    heading: ClassVar[str] = "Look into another model beside it"


def _line(name: str, size: str, steps: str, loss: str, written: str) -> str:
    return f"{_cut(name)}{size:>7}{steps:>10}{loss:>8}  {written:>10}"


def _cut(name: str) -> str:
    """A name in its column, its beginning cut off where it is too long: the end tells more."""
    return name.ljust(NAME_WIDTH) if len(name) <= NAME_WIDTH else f"…{name[1 - NAME_WIDTH :]}"


def _date(written: float) -> str:
    return f"{datetime.fromtimestamp(written).astimezone():%Y-%m-%d}"
