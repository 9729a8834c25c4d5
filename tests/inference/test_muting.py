"""Writing with a model of which parts are muted, and writing a passage again so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.inspection.experiments import Redrawn
from mgpt_tui.inference.inspection.mute import muted_logits
from mgpt_tui.inference.inspection.names import parse_muted, spell_muted
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.muting import muted_engine, written_again
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.config import GPTConfig

SETTINGS = SamplingSettings(max_tokens=12, ignore_end=True, finish_sentence=False, seed=4)
CONFIG = GPTConfig(n_layer=2, n_head=2, n_embd=16, block_size=32, vocab_size=257)


@pytest.fixture(scope="module")
def engine(random_model, byte_tokenizer):
    return Engine(PlainDecoder(random_model(CONFIG)), byte_tokenizer)


@pytest.fixture(scope="module")
def inspector(engine):
    return Inspector(engine.decoder, engine.tokenizer)


@pytest.fixture
def passage(engine):
    """The whole model's, after "A fo": what finishes the word has no tokens of its own."""
    chunks = list(engine.stream(("A fo",), SETTINGS))
    lead = "".join(chunk.text for chunk in chunks if not chunk.tokens)
    tokens = tuple(token for chunk in chunks for token in chunk.tokens)
    text = "".join(chunk.text for chunk in chunks)
    return text, Drawing(SETTINGS, tokens, lead, 4)


@pytest.mark.parametrize("muted", ["L1H2", "M2,N1.3", "A1 by mean", "L2 by mean"])
def test_what_writes_is_what_was_looked_at(engine, inspector, muted) -> None:
    tokens = engine.encode(("The fox",))
    parts, mean = parse_muted(muted, CONFIG)
    assert spell_muted(map(str, parts), mean=mean) == muted
    reading, last = Reading(inspector.decoder, tokens), len(tokens)
    means = inspector.means if mean else None
    looked_at = muted_logits(reading, range(last, last + 1), parts, means)[0]
    assert muted_engine(engine, inspector, muted).next_logits(tokens) == pytest.approx(
        looked_at, abs=1e-5
    )


def test_the_first_token_that_is_another_is_told(engine, inspector, passage) -> None:
    text, drawing = passage
    told = [view for view, _ in written_again(inspector, ("A fo",), drawing, "M1")]
    assert [view.after.text for view in told] == sorted((v.after.text for v in told), key=len)
    before, after = told[-1].before, told[-1].after
    assert before == Redrawn(text, len(drawing.tokens), len(text), len(drawing.tokens))
    again = list(muted_engine(engine, inspector, "M1").stream(("A fo",), SETTINGS))
    assert after.text == "".join(chunk.text for chunk in again) != text
    assert after.text[: after.same] == text[: after.same]
    drawn = [token for chunk in again for token in chunk.tokens]
    same = after.same_tokens
    assert tuple(drawn[:same]) == drawing.tokens[:same]
    assert drawn[same] != drawing.tokens[same]


def test_what_another_decoder_drew_is_not_blamed_on_what_is_muted(inspector, passage) -> None:
    text, drawing = passage
    there = replace(drawing, tokens=(*drawing.tokens[:3], 0, *drawing.tokens[4:]))
    *_, (told, more) = written_again(inspector, ("A fo",), there, "")
    assert (told.before.text, told.before.same_tokens) == (text, 3)
    assert told.after == replace(told.before, same=len(text), same_tokens=told.before.tokens)
    assert (told.precision, more) == ("fp32", False)


def test_what_was_written_muted_is_held_against_that(engine, inspector, passage) -> None:
    text, drawing = passage
    chunks = list(muted_engine(engine, inspector, "M1").stream(("A fo",), SETTINGS))
    tokens = tuple(token for chunk in chunks for token in chunk.tokens)
    lead = "".join(chunk.text for chunk in chunks if not chunk.tokens)
    muted = replace(drawing, tokens=tokens, lead=lead, muted="M1")
    *_, (told, _) = written_again(inspector, ("A fo",), muted, "")
    assert told.before.same_tokens == len(tokens)
    assert (told.after.text, told.after.same_tokens < len(tokens)) == (text, True)


def test_a_part_that_is_not_there_is_refused(engine, inspector) -> None:
    with pytest.raises(UserError, match="no layer 9"):
        muted_engine(engine, inspector, "L9H1")
