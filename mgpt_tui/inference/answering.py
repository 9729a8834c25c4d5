"""A question of a view, answered: at once, or bit by bit where it takes longer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from mgpt_tui.errors import UserError
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Answer, BesideView, DrawView
from mgpt_tui.inference.inspection.asked import Asked, Drawing, View
from mgpt_tui.inference.inspection.experiments import (
    Column,
    Cost,
    CostsView,
    MuteView,
    Shape,
    TraceView,
    WhatIfView,
)
from mgpt_tui.inference.inspection.lens import guesses
from mgpt_tui.inference.inspection.mute import head_costs, muted_logits, muted_logprobs
from mgpt_tui.inference.inspection.names import all_heads, parse_parts, spell_muted
from mgpt_tui.inference.inspection.tracing import Trace, added_bits
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.muting import muted_engine, written_again
from mgpt_tui.inference.replay import draw_view, filters_of
from mgpt_tui.inference.request import ContextPart, noted


def answers(
    engine: Engine, inspector: Inspector, context: Sequence[ContextPart], asked: Asked
) -> Iterator[tuple[Answer, bool]]:
    """What a view tells of a text, and whether more follows, which then tells all there is so far.

    Args:
        engine: which writes.
        inspector: of the same model.
        context: the text; for a draw, or a passage, what stands before that.
        asked: what is asked about it.

    Raises:
        UserError: where there is no text, no such token, part or target, or no memory for what
            the view needs.
    """
    tokens = engine.encode(context)
    match asked.view:
        case View.DRAW:
            yield _draw(engine, inspector, context, asked), False
        case View.COSTS:
            yield from _costs(inspector, tokens, asked)
        case View.TRACE:
            yield from _trace(inspector, tokens, engine.encode(asked.instead), asked)
        case View.AGAIN:
            muted = spell_muted((asked.mute,), mean=asked.mean)
            passage = _drawing(asked)
            yield from written_again(inspector, noted(passage.note, context), passage, muted)
        case View.BESIDE:
            yield _beside(inspector, tokens, asked), False
        case View.WHAT_IF:
            yield _what_if(inspector, tokens, engine.encode(asked.instead)), False
        case View.MUTE:
            yield _mute(inspector, tokens, asked), False
        case _:
            yield _look(inspector, tokens, asked), False


def _look(inspector: Inspector, tokens: list[int], asked: Asked) -> Answer:
    """What the record of the text tells."""
    token, target, minus = asked.token, asked.target, asked.minus
    match asked.view:
        case View.TOKENS:
            return inspector.token(tokens, token, asked.count)
        case View.ATTENTION:
            return inspector.attention(tokens, token, asked.layer, asked.index)
        case View.LENS:
            return inspector.lens(tokens, token, target, asked.count)
        case View.PARTS:
            return inspector.parts(tokens, token, target, minus, rival=asked.rival)
        case View.NEURONS:
            return inspector.neurons(tokens, token, target, minus, asked.count)
        case View.FIRING:
            return inspector.firing(tokens, token, asked.layer, asked.index, asked.count)
        case _:
            return inspector.surprise(tokens)


def _draw(
    engine: Engine, inspector: Inspector, context: Sequence[ContextPart], asked: Asked
) -> DrawView:
    drawing = _drawing(asked)
    context = noted(drawing.note, context)
    engine = muted_engine(engine, inspector, drawing.muted)
    lead, tokens, settings = drawing.lead, drawing.tokens, drawing.settings
    target = tokens[-1] if tokens else None
    if drawing.seed is not None and tokens:
        filters, uniform = filters_of(
            engine, context, lead, tokens, settings, drawing.seed, drawing.until
        )
        return draw_view(filters, uniform, tokens[-1], inspector.text_of, asked.count)
    before = engine.encode([*context, lead, tokens])
    del before[len(before) - len(tokens[-1:]) :]
    kept = engine.kept(context)
    logits = engine.next_logits(before, kept)
    filters = engine.rules(settings, kept=kept).filters(logits, before)
    return draw_view(filters, None, target, inspector.text_of, asked.count)


def _drawing(asked: Asked) -> Drawing:
    if asked.draw is None:
        raise UserError("There is no token whose draw could be told.", "Choose one of the story.")
    return asked.draw


def _mute(inspector: Inspector, tokens: list[int], asked: Asked) -> MuteView:
    reading = inspector.read(tokens)
    number = reading.check(asked.token)
    config = reading.config
    parts = parse_parts(asked.mute, config) if asked.mute else ()
    means = inspector.means if asked.mean else None
    without = muted_logprobs(reading, parts, means)
    change = inspector.scores(tokens).scores.logprobs - without
    after = muted_logits(reading, range(number, number + 1), parts, means)[0]
    return MuteView(
        parts=tuple(map(str, parts)),
        logprobs=tuple(without.tolist()),
        bits=float(change.sum()) * BITS,
        before=inspector.guesses(tokens, number, asked.count),
        top=guesses(after, inspector.text_of, asked.count),
        shape=Shape(config.n_layer, config.n_head, config.neurons),
    )


def _beside(inspector: Inspector, tokens: list[int], asked: Asked) -> BesideView:
    surprise = inspector.surprise(tokens)
    ends = [token.end for token in surprise.tokens]
    number = bisect_right(ends, asked.at) + 1  # of the token that has this character
    chosen = None if number > len(ends) else number
    return BesideView(surprise, number, inspector.lens(tokens, chosen, count=asked.count))


def _costs(
    inspector: Inspector, tokens: list[int], asked: Asked
) -> Iterator[tuple[CostsView, bool]]:
    reading, found = inspector.read(tokens), list[Cost]()
    total = len(all_heads(reading.config))
    means = inspector.means if asked.mean else None
    for cost in head_costs(reading, inspector.scores(tokens).scores.logprobs, means):
        found.append(cost)
        yield CostsView(tuple(found), total), len(found) < total


def _what_if(inspector: Inspector, tokens: list[int], instead: list[int]) -> WhatIfView:
    found, added = added_bits(inspector.read(tokens), Reading(inspector.decoder, instead))
    return WhatIfView(found.first, found.end, tuple(added.tolist()))


def _trace(
    inspector: Inspector, tokens: list[int], instead: list[int], asked: Asked
) -> Iterator[tuple[TraceView, bool]]:
    reading, columns = inspector.read(tokens), list[Column]()
    number = reading.check(asked.token)
    target = inspector.target(tokens, number, asked.target)
    trace = Trace(reading, instead, number, target)
    for column in trace.columns():
        columns.append(column)
        yield (
            TraceView(
                target=inspector.said(target),
                original=trace.original,
                changed=trace.changed,
                columns=tuple(columns),
                total=trace.total,
            ),
            len(columns) < trace.total,
        )
