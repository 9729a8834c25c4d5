"""Writing with a model of which parts are muted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.decoder import OpenDecoder
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.inspection.experiments import AgainView, Redrawn
from mgpt_tui.inference.inspection.mute import edits_of
from mgpt_tui.inference.inspection.names import parse_muted
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.request import ContextPart
from mgpt_tui.inference.steering.words import stream


def muted_engine(engine: Engine, inspector: Inspector, muted: str) -> Engine:
    """An engine that writes without some parts of the model.

    Where an engine decodes in native, so does this one; else it takes the readable model.

    Args:
        engine: of the whole model.
        inspector: of the same.
        muted: what is muted, see `names.spell_muted`; nothing gives `engine` itself.

    Raises:
        UserError: where the model has no such parts.
    """
    if not muted:
        return engine
    decoder = engine.decoder if isinstance(engine.decoder, NativeDecoder) else inspector.decoder
    return _without(decoder, inspector, muted)


def written_again(
    inspector: Inspector, context: Sequence[ContextPart], passage: Drawing, muted: str
) -> Iterator[tuple[AgainView, bool]]:
    """A passage drawn twice more by one decoder, chunk by chunk, and whether more follows.

    Which decoder drew the passage, in which precision, on what machine, nobody needs to know: it
    is first drawn as it was, so that precision cannot pass for what a part does.

    Args:
        inspector: of the model; its decoder draws.
        context: what stands before the passage.
        passage: all of it, and what was muted when it was written.
        muted: what is to be muted instead, see `names.spell_muted`; "" for the whole model.

    Raises:
        UserError: as in `Engine.stream`, where the model has no such parts, and where nobody drew
            the passage.
    """
    if passage.seed is None:
        raise UserError("No number drew this passage.", "Choose one that the model wrote.")
    decoder = inspector.decoder
    was, other = (_without(decoder, inspector, each) for each in (passage.muted, muted))
    before, after, whole = Redrawn(), Redrawn(), replace(passage, lead="", tokens=())
    for before, drawn in _drawn(was, context, passage):
        whole = drawn
        yield AgainView(before, after, decoder.precision), True
    for after, _ in _drawn(other, context, whole):
        yield AgainView(before, after, decoder.precision), True
    yield AgainView(before, after, decoder.precision), False


def _without(decoder: OpenDecoder, inspector: Inspector, muted: str) -> Engine:
    """What writes with a decoder, with all of the model where nothing is muted."""
    parts, mean = parse_muted(muted, decoder.config) if muted else ((), False)
    edits = edits_of(parts, inspector.means if mean else None)
    return Engine(decoder.edited(edits), inspector.tokenizer)


def _drawn(
    engine: Engine, context: Sequence[ContextPart], passage: Drawing
) -> Iterator[tuple[Redrawn, Drawing]]:
    """A passage drawn once more, as far as it is: held against the first, and itself."""
    settings = replace(passage.settings, seed=passage.seed)
    text, found, tokens = "", Redrawn(), passage.tokens[:0]
    is_same, lead = True, ""
    for chunk in stream(engine, context, settings, until=passage.until):
        if chunk.tokens and not tokens:
            lead = text
            is_same = lead == passage.lead
        end = len(tokens) + len(chunk.tokens)
        is_same &= passage.tokens[len(tokens) : end] == chunk.tokens
        text, tokens = text + chunk.text, tokens + chunk.tokens
        found = replace(found, text=text, tokens=end)
        if is_same and tokens:
            found = replace(found, same=len(text), same_tokens=end)
        yield found, replace(passage, lead=lead, tokens=tokens)
