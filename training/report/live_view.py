"""What a run shows in a terminal: everything that the terminal has room for, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from training.metrics import Sample
from training.report.figures import OF_TRAINING, duration, label
from training.report.parts import cut, evaluation_table, explanation, latest_figures, sample_text
from training.report.plots import loss_plot, plot_heading
from training.runs.history import History

WIDE = 120
"""From so many columns on there are two columns of parts."""
TELLING = 6
"""Figures that a narrower terminal shows of a step: the first ones."""
LEAST_PLOT = 7
"""Lines of the lowest plot that still shows something, its heading included."""
PLOT_SECONDS = 2.0
"""A plot is drawn anew at most this often, or when the terminal changes its size."""
EXPLAIN_SECONDS = 8.0
"""Where not all explanations find room, each is shown for so long."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something to show, and how many lines of the screen it gets."""

    renderable: RenderableType
    height: int


class LiveView:
    """The run at this moment, for a terminal of any size.

    Args:
        name: of the run.
        about: model, device and precision, in a few words.
        total: steps of the whole run.
        history: the run so far; looked at anew each time.
        eval_every: steps between evaluations.
        explain: say what the figures mean.
        clock: seconds that never go back.

    Attributes:
        note: something to tell; shown at the bottom until another takes its place.
        time_left: text for the rest of the run, once that can be told.
    """

    def __init__(
        self,
        name: str,
        about: str,
        total: int,
        history: History,
        eval_every: int,
        explain: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.about = about
        self.total = total
        self.history = history
        self.eval_every = eval_every
        self.explain = explain
        self.note = ""
        self.time_left = ""
        self._clock = clock
        self._began = clock()
        self._plot = Text()
        self._plot_of: tuple[int, int, int] | None = None
        self._plot_drawn = 0.0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        wide = width >= WIDE
        top = [self._header(width), self._progress(width), self._figures(width)]
        bottom = self._bottom(console, width, rotate=self.explain and not wide)
        room = max(0, height - sum(part.height for part in (*top, *bottom)))
        body = [self._columns(console, width, room)] if wide else self._body(console, width, room)
        yield _stack([*top, *body, *bottom], height)

    def _header(self, width: int) -> Part:
        """Name and step."""
        line = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
        line.add_column(no_wrap=True, ratio=1)
        line.add_column(no_wrap=True)
        about = f"  {self.about}" if width >= 60 else ""
        step = f"{label('step')} {self._step:,}/{self.total:,}"
        line.add_row(
            Text.assemble((self.name, "bold"), about), Text(step, style=self._mark("step"))
        )
        return Part(line, 1)

    def _progress(self, width: int) -> Part:
        """The bar, and the time."""
        bar = Table.grid(expand=True, padding=(0, 2, 0, 0), pad_edge=False)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        words = [f"{self._step / self.total:.0%}"]
        if width >= 60:
            words.append(f"{duration(self._clock() - self._began)} so far")
        text = Text("  ".join(words))
        if self.time_left:
            text.append(f"  {self.time_left} ").append(label("time_left"), self._mark("time_left"))
        bar.add_row(ProgressBar(total=self.total, completed=self._step), text)
        return Part(bar, 1)

    @property
    def _step(self) -> int:
        return self.history.last.step if self.history.last else 0

    def _figures(self, width: int) -> Part:
        """The latest figures, side by side."""
        figures = list(latest_figures(self.history).items())
        across = 4 if width >= WIDE else 3 if width >= 72 else 2 if width >= 40 else 1
        if width < WIDE:
            figures = figures[:TELLING]
        grid = Table.grid(expand=True)
        for _ in range(across):
            grid.add_column(no_wrap=True, ratio=1)
        cells = [
            Text.assemble((label(name), self._mark(name)), " ", (value, "bold"))
            for name, value in figures
        ]
        rows = [cells[at : at + across] for at in range(0, len(cells), across)]
        for row in rows:
            grid.add_row(*row)
        return Part(grid, len(rows))

    def _bottom(self, console: Console, width: int, rotate: bool) -> list[Part]:
        """The explanation whose turn it is, and the note."""
        parts = []
        if rotate:
            text = cut(explanation(self._explained), console, width, 2)
            parts.append(Part(Group(Rule(style="dim"), text), 3))
        if self.note:
            text = cut(Text(self.note, "bold"), console, width, 2)
            parts.append(Part(text, text.plain.count("\n") + 1))
        return parts

    @property
    def _explained(self) -> str:
        """The figure whose turn it is."""
        return OF_TRAINING[int(self._clock() / EXPLAIN_SECONDS) % len(OF_TRAINING)]

    def _mark(self, name: str) -> str:
        """How a label is set off while its figure is being explained."""
        return "reverse" if self.explain and name == self._explained else ""

    def _body(self, console: Console, width: int, room: int) -> list[Part]:
        """Plot, evaluations and the newest sample, one below the other."""
        text = self._sample_lines(console, width, room)
        evaluations = len(self.history.evaluations)
        plot, table, sample = shares(room, evaluations, text.plain.count("\n") + 1 if text else 0)
        text = self._sample_lines(console, width, sample - 1)
        return [
            *self._plot_part(width, plot),
            *self._table_part(width, table),
            *([_section(self._sample_heading(), text, sample)] if sample else []),
        ]

    def _columns(self, console: Console, width: int, room: int) -> Part:
        """Plot and evaluations at the left, words at the right."""
        left = width * 3 // 5
        plot, table, _ = shares(room, len(self.history.evaluations), 0)
        parts = [*self._plot_part(left, plot), *self._table_part(left, table)]
        columns = Layout()
        columns.split_row(
            Layout(_stack(parts, room), size=left),
            Layout(" ", size=2),
            Layout(_stack(self._aside(console, width - left - 2, room), room)),
        )
        return Part(columns, room)

    def _plot_part(self, width: int, height: int) -> list[Part]:
        if not height:
            return []
        key = (self._step, width, height)
        late = not self._plot or self._clock() - self._plot_drawn >= PLOT_SECONDS
        if self._plot_of is None or key[1:] != self._plot_of[1:] or (key != self._plot_of and late):
            self._plot = loss_plot(
                self.history.training, self.history.validation, width, height - 1
            )
            self._plot_of, self._plot_drawn = key, self._clock()
        return [_section(plot_heading(), self._plot, height)]

    def _table_part(self, width: int, height: int) -> list[Part]:
        if not height:
            return []
        if not self.history.evaluations:
            first = min(self.total, self._step - self._step % self.eval_every + self.eval_every)
            return [_section(Text(f"first evaluation at {label('step')} {first:,}"), "", height)]
        marked = self._explained if self.explain else ""
        table = evaluation_table(self.history, width, height - 2, marked)
        return [_section(Text("evaluations"), table, height)]

    @property
    def _samples(self) -> list[tuple[int, Sample]]:
        """With their steps, the newest first."""
        return self.history.samples[::-1]

    def _sample_heading(self, at: int = 0) -> Text:
        heading = Text.assemble((label("sample"), self._mark("sample") if at == 0 else ""))
        return heading.append(f" at step {self._samples[at][0]:,}")

    def _sample_lines(self, console: Console, width: int, height: int, at: int = 0) -> Text:
        """A sample in few lines; empty where there is none, or no room."""
        if at >= len(self._samples) or height < 1:
            return Text()
        return cut(sample_text(self._samples[at][1], one_paragraph=True), console, width, height)

    def _aside(self, console: Console, width: int, room: int) -> list[Part]:
        """The newest sample, then what the figures mean, or else earlier samples."""
        parts: list[Part] = []
        left = room // 4 if self.explain else room
        for at in range(1 if self.explain else len(self._samples)):
            text = self._sample_lines(console, width, left - 1, at)
            if not text:
                break
            parts.append(_section(self._sample_heading(at), text, text.plain.count("\n") + 2))
            left -= parts[-1].height
        if self.explain:
            height = room - sum(part.height for part in parts)
            text = self._explanations(console, width, height - 1)
            parts.append(_section(Text("what the figures mean"), text, height))
        return parts

    def _explanations(self, console: Console, width: int, height: int) -> Text:
        """All of them; where they do not fit, those whose turn it is."""
        lines = [explanation(name) for name in OF_TRAINING]
        text = Text("\n").join(lines)
        if len(text.wrap(console, width)) > height:
            turn = OF_TRAINING.index(self._explained)
            text = Text("\n").join([*lines[turn:], *lines[:turn]])
        return cut(text, console, width, max(0, height))


def shares(room: int, evaluations: int, sample: int) -> tuple[int, int, int]:
    """How many lines plot, table and sample get of `room`, each with its heading; 0 for none.

    Args:
        evaluations: how many there are to show.
        sample: lines that the newest sample would take, 0 where there is none.
    """
    text = min(sample + 1, max(3, room // 4)) if sample and room >= 6 else 0
    table = min(evaluations + 2, max(3, room * 3 // 10)) if room - text >= 3 else 0
    plot = room - text - table
    if plot >= LEAST_PLOT:
        return plot, table, text
    table = min(evaluations + 2, table + plot)
    return 0, table, min(sample + 1, room - table) if text else 0


def _section(heading: Text, content: RenderableType, height: int) -> Part:
    """A heading in a line across, and what it is about below."""
    return Part(Group(Rule(heading, align="left", style="dim"), content), height)


def _stack(parts: list[Part], height: int) -> Layout:
    """Parts one below the other in `height` lines; what does not fit is left out."""
    column, left = Layout(), height
    shown = []
    for part in parts:
        lines = min(part.height, left)
        if lines:
            shown.append(Layout(part.renderable, size=lines))
        left -= lines
    if left:
        shown.append(Layout(" ", size=left))
    column.split_column(*shown)
    return column
