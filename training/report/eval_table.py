"""What `mgpt-tui eval` shows: models side by side, and what each made of every beginning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mgpt_tui.console import Column, table_of
from mgpt_tui.text import clean_text
from training.evaluation.completions import Completion, Writing
from training.evaluation.novelty import Novelty
from training.evaluation.recital import Recital
from training.metrics import Score
from training.report.figures import OF_SCORES, OF_WRITING, label, written
from training.report.story_tables import recital_report, story_table

GAP = 2
SHOWN_BEGINNING = 4
"""Words of a beginning that tell it from others in a table: its last ones."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of one model.

    Attributes:
        name: the model's, as it was asked for.
        score: on held-out stories, where there are any.
        completions: what it made of the beginnings, where there are any.
        novelty: of each completion, where that was looked for.
        writing: the figures of the completions.
        each: the score on each held-out story, where that is told.
        recital: what it recites of its training text, where that was looked for.
    """

    name: str
    score: Score | None = None
    completions: Sequence[Completion] = ()
    novelty: Sequence[Novelty] = field(default=())
    writing: Writing | None = None
    each: Sequence[Score] = ()
    recital: Recital | None = None

    def to_dict(self) -> dict[str, Any]:
        """One line of `mgpt-tui eval --json`."""
        content: dict[str, Any] = {"model": self.name}
        if self.score is not None:
            content |= self.score.to_dict()
        if self.writing is not None:
            content["writing"] = self.writing.to_dict()
            content["completions"] = [
                _completion(completion, self.novelty[at] if self.novelty else None)
                for at, completion in enumerate(self.completions)
            ]
        if self.each:
            content["stories"] = [score.to_dict() for score in self.each]
        if self.recital is not None:
            content["recital"] = self.recital.to_dict()
        return content


def _completion(completion: Completion, novelty: Novelty | None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "beginning": completion.beginning,
        "seed": completion.seed,
        "text": completion.text,
        "tokens": completion.tokens,
        "ended": completion.ended,
        "repeats": completion.repeats,
    }
    if novelty is not None:
        content["longest_shared"] = " ".join(novelty.longest)
        content["shared_words"] = len(novelty.longest)
        content["known_share"] = novelty.known_share
    return content


def eval_report(
    models: Sequence[Measured], width: int, each: bool, beginnings: Sequence[str] = ()
) -> Iterator[RenderableType]:
    """A table of all figures, a column for each model; with `each`, a table of each one's texts.

    Args:
        models: what was measured.
        width: cells there are; models that do not fit beside the others stand below them.
        each: whether single texts are told of.
        beginnings: of the held-out stories, where the models have a score of each.
    """
    for at, table in enumerate(_side_by_side(models, width)):
        if at:
            yield Text()
        yield table
    of_each = {model.name: model.each for model in models if model.each}
    if of_each:
        yield Text()
        yield story_table(beginnings, of_each, width)
    for model in models:
        if model.recital is not None:
            yield Text()
            yield from recital_report(model.name, model.recital, width)
    if not each:
        return
    for model in models:
        if model.completions:
            yield Text()
            yield Text(clean_text(model.name), style="bold")
            yield _each_completion(model, width)


def _side_by_side(models: Sequence[Measured], width: int) -> Iterator[Table]:
    """As many models beside one another as there is room for, one table below the other."""
    rows = []
    for name in (*OF_SCORES, *OF_WRITING):
        values = [_value(model, name) for model in models]
        if any(value is not None for value in values):
            rows.append([label(name), *(written(name, value) for value in values)])
    columns = [Column(clean_text(model.name), "name", right=True) for model in models]
    labels = max(map(len, (row[0] for row in rows)), default=0)
    first = 0
    while first < len(columns):
        last, taken = first, labels
        while last < len(columns):
            cells = [columns[last].heading, *(row[last + 1] for row in rows)]
            taken += GAP + max(map(cell_len, cells))
            if last > first and taken > width:
                break
            last += 1
        yield table_of(
            [Column("", "name"), *columns[first:last]],
            [[row[0], *row[first + 1 : last + 1]] for row in rows],
            width,
            gap=GAP,
        )
        first = last


def _value(model: Measured, name: str) -> float | None:
    if name in OF_WRITING:
        return None if model.writing is None else getattr(model.writing, name)
    score = model.score
    if score is None:
        return None
    return score.loss if name == "val_loss" else getattr(score, name)


def _each_completion(model: Measured, width: int) -> Table:
    columns = [
        Column("beginning ends with", "name"),
        *(Column(heading, right=True) for heading in ("seed", "tokens", "ended", "repeats")),
    ]
    if model.novelty:
        columns.append(Column("shared", right=True))
        columns.append(Column("longest run of words shared with the training text", "path"))
    rows = []
    for at, completion in enumerate(model.completions):
        row = [
            " ".join(completion.beginning.split()[-SHOWN_BEGINNING:]),
            "" if completion.seed is None else str(completion.seed),
            str(completion.tokens),
            "yes" if completion.ended else "no",
            str(completion.repeats),
        ]
        if model.novelty:
            longest = model.novelty[at].longest
            row += [str(len(longest)), " ".join(longest)]
        rows.append([clean_text(cell) for cell in row])
    return table_of(columns, rows, width, ("repeats", "seed"))
