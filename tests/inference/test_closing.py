"""Ends of stories: which there are, and that "The end" is said once."""

from __future__ import annotations

import numpy as np
import pytest

from mgpt_tui.inference.closing import TURNS, is_closed, turns_for
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from tests.inference.test_engine import ScriptedDecoder, byte_ids


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("They slept. The end.", True),
        ("They slept.\n\nThe End! ", True),
        ('"The end," she said.', False),
        ("They went to the end of the road.", False),
        ("And that was the end of the story.", True),
        ("They lived happily ever after.", True),
        ("They lived happily ever after in the woods.", False),
        ("The moral of the story is to share. ", True),
        ("The moral of this story is: share. It is good.", False),
        ("", False),
        ("the end", True),
    ],
)
def test_an_end_is_known_by_what_it_says(text: str, closed: bool) -> None:
    assert is_closed(text) is closed


def test_a_story_takes_every_turn_once_before_it_takes_one_again() -> None:
    text = "A key fell."
    for left in range(len(TURNS), 0, -1):
        assert len(turns_for(text)) == left
        text += turns_for(text)[0] + " It rang."
    assert turns_for(text) == TURNS


@pytest.mark.parametrize(
    ("before", "ignore_end", "told", "reason"),
    [
        ("A key. The end.", False, " It rang.", FinishReason.END),
        ("A key. The end.", True, " It rang. The end. Or not", FinishReason.LENGTH),
        ("A key.", False, " It rang. The end. Or not", FinishReason.LENGTH),
    ],
)
def test_a_story_says_once_that_it_ends(byte_tokenizer, before, ignore_end, told, reason) -> None:
    script = byte_ids(byte_tokenizer, " It rang. The end. Or not")
    engine = Engine(ScriptedDecoder(script, len(before) + 1, 128), byte_tokenizer)
    settings = SamplingSettings(
        temperature=0,
        max_tokens=len(script),
        finish_sentence=False,
        repetition_penalty=1,
        ignore_end=ignore_end,
    )
    generation = engine.stream([before], settings)
    assert "".join(chunk.text for chunk in generation) == told
    assert generation.finished.reason is reason
    assert generation.finished.tokens == len(told)


def test_texts_are_ranked_by_how_likely_their_tokens_are(tiny_model, byte_tokenizer) -> None:
    engine = Engine(PlainDecoder(tiny_model), byte_tokenizer)
    tokens, total = engine.encode(["The fox"]), 0.0
    for token in byte_ids(byte_tokenizer, " ran"):
        logits = engine.next_logits(tokens).astype(np.float64)
        total += logits[token] - np.log(np.exp(logits).sum())
        tokens.append(token)
    ranked = engine.rank(["The fox"], [" sat on", " ran"])
    assert ranked[1] == pytest.approx(total / 4, abs=1e-5)
    assert ranked == pytest.approx(engine.rank(["The fox"], [" sat on", " ran"]))
