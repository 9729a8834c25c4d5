"""A sentence that stands there is not said again."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import FrameType

import pytest

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import replay
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.said.sentences import MarkTable, Sentences

SAID = "He was so happy. They ran."


@pytest.fixture(scope="module")
def ends(byte_tokenizer):
    """What may not come behind a text, its first characters being none of it."""
    table = MarkTable(byte_tokenizer)

    def find(text: str, kept: int = 0) -> set[str]:
        tokens = [byte_tokenizer.end_token, *byte_tokenizer.encode(text)]
        found = Sentences(table, kept).repeating(tokens)
        return {table.texts[token] for token in found.tolist()}

    return find


@pytest.mark.parametrize(
    "again", ["He was so happy", '"He was so happy', "\n\nHe was, so happy", "He was so 'happy'"]
)
def test_a_sentence_is_not_ended_where_it_would_stand_there_again(ends, again: str) -> None:
    assert ends(f"{SAID} {again}") == {".", "!", "?", "\n"}


@pytest.mark.parametrize(
    "other", ["He was so", "He was so happy that", "They ran", "", "he was so happy", "so happy"]
)
def test_others_and_short_ones_may_end(ends, other: str) -> None:
    assert ends(f"{SAID} {other}") == set()


def test_what_is_no_part_of_the_story_was_not_said(ends) -> None:
    assert ends(f"{SAID} He was so happy", kept=1 + len(SAID)) == set()


def test_a_model_that_can_but_end_goes_on(tiny_model, byte_tokenizer) -> None:
    engine = Engine(PlainDecoder(tiny_model), byte_tokenizer)
    dots = (".=1e6", "a=1e5")
    settings = SamplingSettings(
        bias=dots, max_tokens=3, finish_sentence=False, ignore_end=True, seed=1
    )
    context = (tuple(byte_tokenizer.encode(f"{SAID} He was so happy")),)

    def text(settings: SamplingSettings) -> str:
        return "".join(chunk.text for chunk in engine.stream(context, settings))

    assert text(settings) == "..."
    fresh = replace(settings, no_sentence_twice=True)
    assert text(fresh) == "a.."
    assert replay(engine, context, "", byte_tokenizer.encode("a.."), fresh, 1) == 3


def test_a_token_takes_no_longer_because_its_sentence_is_long(byte_tokenizer) -> None:
    sentences = Sentences(MarkTable(byte_tokenizer))
    tokens = byte_tokenizer.encode("and he ran " * 300)
    sentences.repeating(tokens)
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    tokens += byte_tokenizer.encode("o")
    sys.setprofile(count)
    try:
        sentences.repeating(tokens)
    finally:
        sys.setprofile(None)
    assert 0 < calls < 100
