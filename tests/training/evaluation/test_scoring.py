"""Scores, against a loop that scores one token at a time."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.model.config import GPTConfig
from training.evaluation.decoded import score_decoded
from training.evaluation.held_out import (
    ScoredStory,
    prepared_stories,
    stories_to_score,
    windows,
)
from training.evaluation.scoring import score, score_each
from training.metrics import Score, together


def slow_score(model, end, stories):
    """Every token by itself: context as the window rule says, one call a token."""
    total, tokens = 0.0, 0
    for story in stories:
        sequence = [end, *story.tokens, end]
        for n in range(1, len(sequence)):
            context = sequence[model.config.window_start(n) : n]
            with torch.inference_mode():
                logits = model(torch.tensor([context]))[0, -1].double()
            total -= float(torch.log_softmax(logits, -1)[sequence[n]])
            tokens += 1
    return total / tokens, tokens


def test_score_equals_a_loop_over_tokens(tiny_model):
    random = np.random.default_rng(0)
    stories = [
        ScoredStory(random.integers(256, size=length).tolist(), length)
        for length in (1, 30, 31, 32, 33, 47, 48, 90)
    ]
    result = score(tiny_model, 256, stories)
    loss, tokens = slow_score(tiny_model, 256, stories)
    assert result.tokens == tokens == sum(len(story.tokens) + 1 for story in stories)
    assert result.loss == pytest.approx(loss, abs=1e-4)
    assert result.bytes == sum(story.bytes for story in stories)


def test_a_decoder_is_scored_by_the_logits_that_it_writes_with(tiny_model, monkeypatch):
    """Some windows together, of like length and not."""
    random = np.random.default_rng(1)
    stories = [
        ScoredStory(random.integers(256, size=length).tolist(), length)
        for length in (1, 5, 30, 33, 90)
    ]
    found = score_decoded(PlainDecoder(tiny_model), 256, stories)
    for result, expected in zip(found, score_each(tiny_model, 256, stories), strict=True):
        assert result.loss == pytest.approx(expected.loss, abs=1e-5)
        assert (result.tokens, result.bytes) == (expected.tokens, expected.bytes)


def test_each_story_is_scored_as_if_it_were_alone(tiny_model):
    random = np.random.default_rng(2)
    stories = [
        ScoredStory(random.integers(256, size=length).tolist(), length + 1)
        for length in (70, 1, 30, 33)
    ]
    found = score_each(tiny_model, 256, stories)
    for story, own in zip(stories, found, strict=True):
        alone = score(tiny_model, 256, [story])
        assert own.loss == pytest.approx(alone.loss, abs=1e-5)
        assert (own.tokens, own.bytes) == (alone.tokens, alone.bytes)
    assert together(found) == score(tiny_model, 256, stories)


@settings(deadline=None)
@given(length=st.integers(2, 400), half=st.integers(1, 40))
def test_windows_count_every_token_once_in_the_engines_context(length, half):
    config = GPTConfig(block_size=2 * half, n_head=1, n_embd=8)
    sequence = np.arange(length)
    counted = []
    for piece in windows(sequence, config):
        assert len(piece.inputs) <= 2 * half
        assert np.array_equal(piece.inputs + 1, piece.targets)
        for target in piece.targets[piece.first :]:
            assert piece.inputs[0] == config.window_start(int(target))
            counted.append(int(target))
    assert counted == list(range(1, length))


def test_figures():
    figures = Score(loss=math.log(4), tokens=10, bytes=40)
    assert figures.perplexity == pytest.approx(4)
    assert figures.bits_per_byte == pytest.approx(0.5)
    assert list(figures.to_dict()) == ["loss", "perplexity", "bits_per_byte", "tokens", "bytes"]


def test_prepared_stories_are_the_held_out_ones(prepared):
    stories = prepared_stories(prepared)
    assert len(stories) == 8
    assert sum(story.bytes for story in stories) == prepared.val.bytes
    assert prepared.tokenizer.decode(stories[0].tokens).startswith("Mia had a kite.")
    assert prepared_stories(prepared, 3) == stories[:3]


def test_a_file_and_a_prepared_folder_score_the_same(prepared, tiny_model, tmp_path):
    texts = [prepared.tokenizer.decode(story.tokens) for story in prepared_stories(prepared)]
    path = tmp_path / "held-out.txt"
    path.write_text("\n<|endoftext|>\n".join(texts) + "\n")
    end = prepared.tokenizer.end_token
    from_file = score(tiny_model, end, stories_to_score(str(path), prepared.tokenizer))
    from_folder = score(tiny_model, end, stories_to_score(str(prepared.folder), prepared.tokenizer))
    assert from_file == from_folder


def test_a_folder_of_another_vocabulary_is_refused(prepared):
    other = type(prepared.tokenizer).gpt2().trimmed({}, 258)
    with pytest.raises(UserError, match="another vocabulary"):
        stories_to_score(str(prepared.folder), other)


def test_the_model_keeps_its_mode(tiny_model):
    tiny_model.train()
    try:
        score(tiny_model, 256, [ScoredStory([1, 2], 2)])
        assert tiny_model.training
    finally:
        tiny_model.eval()
