"""What `mgpt-tui eval --per-story` shows: each held-out story, and what is recited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mgpt_tui.console import Column, table_of
from mgpt_tui.text import clean_text, one_line
from training.evaluation.recital import EXPOSED, GIVEN, Recital
from training.metrics import Score
from training.report.figures import label, written

SHOWN = 6
"""Words of a story that tell it from others."""
RECITED = 10
"""So many of the longest runs are shown; --json has all."""


def story_table(beginnings: Sequence[str], scores: dict[str, Sequence[Score]], width: int) -> Table:
    """A line for each held-out story, in their order.

    Args:
        beginnings: of the stories.
        scores: of each story, by model.
        width: cells there are.
    """
    columns = [Column("#", right=True), Column("story", "path")]
    names = [clean_text(name) for name in scores]
    figures = ("val_loss", "bits_per_byte")
    for name in names:
        before = f"{name} " if len(names) > 1 else ""
        columns += [Column(before + label(figure), right=True) for figure in figures]
    columns.append(Column("bytes", "name", right=True))
    rows = []
    for at, beginning in enumerate(beginnings):
        own = [score[at] for score in scores.values()]
        cells = [
            written(figure, value)
            for score in own
            for figure, value in zip(figures, (score.loss, score.bits_per_byte), strict=True)
        ]
        rows.append([str(at + 1), beginning, *cells, f"{own[0].bytes:,}"])
    return table_of(columns, rows, width)


def first_words(text: str) -> str:
    """What tells a story from others, on one line."""
    return one_line(clean_text(" ".join(text.split()[:SHOWN])))


def recital_report(name: str, recital: Recital, width: int) -> Iterator[RenderableType]:
    """What a model recites of its training text: a line, and a table of the longest runs."""
    if not recital.asked:
        yield Text.assemble(
            (clean_text(name), "bold"),
            f" was asked for none of the training stories: none has {GIVEN} words "
            f"and {GIVEN} more to be recited.",
        )
        return
    yield Text.assemble(
        (clean_text(name), "bold"),
        f" was given the first {GIVEN} words of {len(recital.completions)} training stories; of "
        f"{recital.exposed} of them more than {EXPOSED} words in a row came out, or all the rest.",
    )
    columns = [
        Column("beginning", "path"),
        Column("words", right=True),
        Column("longest run that stands in the training text", "name"),
    ]
    rows = [
        [first_words(one.beginning), str(len(found.longest)), clean_text(" ".join(found.longest))]
        for one, found in recital.longest_first()[:RECITED]
    ]
    yield table_of(columns, rows, width)
