"""Writing with a model of which parts are muted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.inspection.experiments import AgainView
from mgpt_tui.inference.inspection.mute import edits_of
from mgpt_tui.inference.inspection.names import parse_muted
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.request import ContextPart


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
    parts, mean = parse_muted(muted, engine.config)
    decoder = engine.decoder if isinstance(engine.decoder, NativeDecoder) else inspector.decoder
    edits = edits_of(parts, inspector.means if mean else None)
    return Engine(decoder.edited(edits), engine.tokenizer)


def written_again(
    engine: Engine, context: Sequence[ContextPart], passage: Drawing
) -> Iterator[tuple[AgainView, bool]]:
    """A passage drawn once more, chunk by chunk, and whether more follows.

    Args:
        engine: which draws.
        context: what stands before the passage.
        passage: all of it.

    Raises:
        UserError: as in `Engine.stream`, and where nobody drew the passage.
    """
    if passage.seed is None:
        raise UserError("No number drew this passage.", "Choose one that the model wrote.")
    settings = replace(passage.settings, seed=passage.seed)
    text, same, tokens, is_same = "", 0, 0, True
    for chunk in engine.stream(context, settings, until=passage.until):
        if is_same and not tokens and chunk.tokens:
            is_same = text == passage.lead
        text += chunk.text
        is_same &= passage.tokens[tokens : tokens + len(chunk.tokens)] == chunk.tokens
        if is_same and (tokens or chunk.tokens):
            same, tokens = len(text), tokens + len(chunk.tokens)
        yield AgainView(text, same, tokens), True
    yield AgainView(text, same, tokens), False
