"""The same numbers as tables, for people; surprise in bits."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from mgpt_tui.cli.inspecting.subject import NEURONS, Subject
from mgpt_tui.console import Column, console_for, show, table_of
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import AttentionView, Guess, LensView, PartsView
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.memory import OutOfMemory
from mgpt_tui.model.tokenizer import END_OF_TEXT
from mgpt_tui.text import one_line

LISTED = 12
"""Parts that are listed by themselves; the others are summed."""

Part = RenderableType


def print_tables(subject: Subject) -> None:
    """All views, one below the other."""
    inspector = subject.inspector()
    console = console_for(sys.stdout)
    show(_all(subject, inspector, console), console)


def _all(subject: Subject, inspector: Inspector, console: Console) -> Iterator[Part]:
    tokens, number, target = subject.tokens, subject.token, subject.target
    yield from _surprise(subject, inspector, console.width)
    yield Text(_question(subject, inspector), style="bold")
    try:
        yield from _lens(inspector.lens(tokens, number, target, subject.top), console.width)
        yield from _attention(
            inspector.attention(tokens, number), subject, inspector, console.width
        )
        yield from _parts(inspector.parts(tokens, number, target), console.width)
        yield from _neurons(subject, inspector, console.width)
    except OutOfMemory as error:
        yield Text(str(error))


def _surprise(subject: Subject, inspector: Inspector, width: int) -> Iterator[Part]:
    view = inspector.surprise(subject.tokens)
    columns = [
        Column("number", right=True),
        Column("token", "name"),
        *(Column(name, right=True) for name in ("bits", "rank", "entropy")),
    ]
    muted = subject.muted(inspector).tolist() if subject.mute else []
    if muted:
        columns.append(Column("without", right=True))
    rows = []
    for number, scored in enumerate(view.tokens, 1):
        cells = [
            *(f"{number}", quoted(scored.text), bits(scored.logprob)),
            *(f"{scored.rank:,}", f"{scored.entropy * BITS:.2f}"),
        ]
        if muted:
            cells.append(f"{(scored.logprob - muted[number - 1]) * BITS:+.2f}")
        rows.append(cells)
    yield table_of(columns, rows, width)
    whole = view.whole
    yield Text(
        f"{subject.model} in {subject.precision}: {whole.bits:.1f} bits for {len(rows)} tokens "
        f"and {len(view.words)} words, {whole.bits_per_character:.3f} a character."
    )
    if muted:
        names = ", ".join(map(str, subject.mute))
        change = whole.bits + sum(muted) * BITS
        yield Text(f"Without {names} ({subject.mute_by}): {-change:+.1f} bits.")
    yield Text()


def _question(subject: Subject, inspector: Inspector) -> str:
    if subject.token is None:
        return "What could come next"
    said = inspector.said(subject.tokens[subject.token])
    seam = f", of which the model saw from token {subject.window_start} on"
    return f"How token {subject.token}, {quoted(said.text)}, was chosen" + (
        seam if subject.window_start else ""
    )


def _lens(view: LensView, width: int) -> Iterator[Part]:
    columns = (
        Column("station", "name"),
        Column("chance", right=True),
        Column("rank", right=True),
        Column("guesses", "text"),
    )
    yield Text(f"\nLayers: the chance of {quoted(view.target.text)} after each part")
    rows = [
        (station.station, percent(station.p), f"{station.rank:,}", guessed(station.top))
        for station in view.stations
    ]
    yield table_of(columns, rows, width)


def _attention(
    view: AttentionView, subject: Subject, inspector: Inspector, width: int
) -> Iterator[Part]:
    columns = (
        *(Column("head", "name"), Column("kind")),
        *(Column(name, right=True) for name in ("previous", "first", "same", "induction")),
        *(Column("looks most at", "text"), Column("weight", right=True)),
        Column("brings", right=True),
    )
    rows = [("chance", "", *_percents(view.chance), "", "", "")]
    for layer, heads in enumerate(view.heads, 1):
        for index, head in enumerate(heads, 1):
            seen = inspector.said(subject.tokens[head.most]).text
            looked = f"{head.most} {quoted(seen)}"
            rows.append(
                (
                    *(f"L{layer}H{index}", head.kind, *_percents(head.shares), looked),
                    *(f"{head.weight:.1%}", f"{head.carried:.2f}"),
                )
            )
    yield Text("\nAttention: what each head looked at, and its kind over the whole window")
    yield table_of(columns, rows, width, least_needed=("induction", "same", "first", "previous"))


def _percents(shares: object) -> tuple[str, ...]:
    return tuple(
        f"{getattr(shares, name):.1%}" for name in ("previous", "first", "same", "induction")
    )


def _parts(view: PartsView, width: int) -> Iterator[Part]:
    parts = view.parts
    named = parts.named
    listed, others = named[:LISTED], named[LISTED:]
    rows = [(name, f"{value:+.3f}") for name, value in listed]
    if others:
        rows.append((f"{len(others)} others", f"{sum(value for _, value in others):+.3f}"))
    rows.append(("sum, the logit", f"{parts.sum:+.3f}"))
    yield Text(f"\nParts: what the logit of {quoted(view.target.text)} is the sum of")
    yield table_of((Column("part", "name"), Column("adds", right=True)), rows, width)
    yield Text(f"Rounding is {abs(parts.rounding):.1g}, and at most {parts.bound:.1g}.")


def _neurons(subject: Subject, inspector: Inspector, width: int) -> Iterator[Part]:
    view = inspector.neurons(subject.tokens, subject.token, subject.target, count=NEURONS)
    rows = [
        (f"N{one.layer}.{one.neuron}", f"{one.activation:.2f}", f"{one.towards:+.3f}")
        for one in view.strongest
    ]
    columns = (
        Column("neuron", "name"),
        Column("activation", right=True),
        Column("adds", right=True),
    )
    yield Text(f"\nNeurons: the most active, and what they add to {quoted(view.target.text)}")
    yield table_of(columns, rows, width)


def quoted(text: str) -> str:
    """What a token says, on one line, with its blanks."""
    return f'"{one_line(text)}"' if text else END_OF_TEXT


def bits(logprob: float) -> str:
    """A surprisal."""
    return f"{-logprob * BITS:.2f}"


def percent(p: float) -> str:
    """A chance."""
    return f"{p:.1%}" if p >= 0.001 else f"{p:.0e}"


def guessed(guesses: Sequence[Guess]) -> str:
    """Guesses on one line."""
    return "  ".join(f"{quoted(guess.text)} {percent(guess.p)}" for guess in guesses)
