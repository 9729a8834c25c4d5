"""A note stays in the model's view, however long the story gets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import replay
from mgpt_tui.inference.request import Note, SamplingSettings, noted
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT

CONFIG = GPTConfig(vocab_size=257, block_size=32, n_layer=2, n_head=2, n_embd=16, dropout=0.0)
SETTINGS = SamplingSettings(
    max_tokens=60, temperature=1.5, seed=5, ignore_end=True, finish_sentence=False
)
NOTE = "Mia."
STORY = ("A mouse went out one day and",)


@pytest.fixture
def model(random_model) -> GPT:
    return random_model(CONFIG)


@pytest.fixture
def engine(model, byte_tokenizer) -> Engine:
    return Engine(PlainDecoder(model), byte_tokenizer)


@pytest.mark.parametrize("kept", range(17))
def test_the_window_holds_what_is_kept_and_the_end_of_the_rest(kept: int) -> None:
    tokens = list(range(150))
    for length in range(kept + 1, 150):
        seen = CONFIG.seen(tokens[:length], kept)
        assert seen[:kept] == tokens[:kept]
        rest = seen[kept:]
        assert rest == tokens[length - len(rest) : length]
        assert len(seen) == length or (CONFIG.block_size - kept) // 2 <= len(rest)
        assert len(seen) <= CONFIG.block_size
        assert CONFIG.window_start(length, kept) == length - len(seen)


@torch.inference_mode()
def test_every_token_is_chosen_with_the_note_in_view(engine, model) -> None:
    context = noted(NOTE, STORY)
    tokens, kept = engine.encode(context), engine.kept(context)
    assert kept == 1 + len("Mia.\n\n")
    for token in engine.encode(["the end of a longer story is far away"])[1:]:
        tokens.append(token)
        expected = model(torch.tensor([CONFIG.seen(tokens, kept)]))[0, -1]
        np.testing.assert_allclose(engine.next_logits(tokens, kept), expected, atol=1e-5, rtol=0)


def test_a_passage_with_a_note_replays_with_it_alone(engine) -> None:
    context = noted(NOTE, STORY)
    settings = replace(SETTINGS, repetition_penalty=1.2, end_after=9)
    generation = engine.stream(context, settings)
    assert generation.window_start > 0 or generation.context_tokens <= CONFIG.block_size
    tokens = [token for chunk in generation for token in chunk.tokens]
    assert generation.finished.window_start > 0
    assert replay(engine, context, "", tokens, settings, 5) == len(tokens)
    assert replay(engine, STORY, "", tokens, settings, 5) < len(tokens)
    batch = engine.together(context, settings, 2)
    assert [token for chunk in batch[0] for token in chunk.tokens] == tokens


def test_a_note_is_none_of_the_storys_words(engine) -> None:
    rules = engine.rules(
        replace(SETTINGS, ignore_end=False, end_after=3), kept=engine.kept([Note("a b c d")])
    )
    end, tokens = engine.tokenizer.end_token, engine.encode([Note("a b c d"), "one two"])
    logits = np.zeros(257, np.float32)
    assert rules.filters(logits, tokens)[2] == {end: -np.inf}
    assert rules.filters(logits, [*tokens, *engine.encode([" more"])[1:]])[2] == {}


def test_a_note_larger_than_half_of_the_window_is_refused(engine) -> None:
    room = CONFIG.block_size // 2 - 1 - len("\n\n")
    assert engine.beginning([Note("x" * room)]).kept == CONFIG.block_size // 2
    with pytest.raises(UserError) as refused:
        engine.beginning([Note("x" * (room + 1)), *STORY])
    assert str(refused.value.message) == (
        "The note has 16 tokens, more than half of the 32 that this model can see."
    )
    assert "up to 15 tokens" in refused.value.remedy
