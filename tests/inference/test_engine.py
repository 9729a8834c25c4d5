"""The engine: cached equals uncached, whole characters, clean text, and ends as it should."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.choosing import IN_NUMPY
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.inference.sampling import filtered, uniforms
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.kv_cache import KVCache

GREEDY = SamplingSettings(temperature=0, max_tokens=90, finish_sentence=False)
SAMPLED = SamplingSettings(temperature=1.5, top_k=40, max_tokens=90, seed=5, finish_sentence=False)
END = 256  # of the byte tokenizer


class EndlessGPT(GPT):
    """A random GPT that never ends its story, so that tests get past the context."""

    def head(self, hidden):
        logits = super().head(hidden)
        logits[..., -1] = -torch.inf
        return logits


class ScriptedDecoder:
    """Stands in for a model: whatever it has read, it goes on with its script."""

    choosing = IN_NUMPY

    def __init__(self, script, context_tokens, block_size=64):
        self.config = replace(
            SHAPES["tiny"], vocab_size=257, block_size=block_size, n_embd=2, n_layer=1
        )
        self.script, self.context_tokens = script, context_tokens

    def new_cache(self, rows):
        return KVCache(self.config, rows)

    def take(self, tokens, cache):
        cache.advance(tokens.shape[1])

    def read(self, tokens, cache):
        self.take(tokens, cache)
        logits = np.zeros((1, 257), np.float32)
        logits[0, self.script[cache.length - self.context_tokens]] = 100.0
        return logits


def endless(block_size, vocab_size=257):
    config = replace(
        SHAPES["tiny"], vocab_size=vocab_size, block_size=block_size, n_embd=16, n_layer=2
    )
    model = EndlessGPT(config, torch.Generator().manual_seed(block_size)).eval()
    for weight in model.parameters():
        weight.data *= 4  # far from uniform, so that a wrong context shows
    return model


@torch.inference_mode()
def uncached_logits(model, tokens):
    """What the window rule says, with no cache: the reference."""
    window = tokens[model.config.window_start(len(tokens)) :]
    return model(torch.tensor([window]))[0, -1]


def uncached_tokens(model, context, sampling, seed):
    told = list(context)
    for number in islice(uniforms(seed), sampling.max_tokens):
        told.append(filtered(uncached_logits(model, told).numpy(), sampling, {}, ()).token(number))
    return told[len(context) :]


def byte_ids(tokenizer, text):
    """The tokens of `text`, one a byte: their order is GPT-2's, not that of the bytes."""
    return [tokenizer.ranks[bytes([byte])] for byte in text.encode()]


def scripted(byte_tokenizer, script, should_stop=lambda: False):
    """A generation in which the model writes the tokens `script`."""
    sampling = SamplingSettings(temperature=0, max_tokens=len(script), finish_sentence=False)
    engine = Engine(ScriptedDecoder(script, context_tokens=1), byte_tokenizer)
    return engine.stream([], sampling, should_stop)


# Token ids


@pytest.mark.parametrize("block_size", [2, 4, 8, 32])
@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("context_size", [1, 5, 50])
def test_cached_tokens_are_uncached_tokens(byte_tokenizer, block_size, sampling, context_size):
    model = endless(block_size)
    context = [END, *range(65, 64 + context_size)]
    cached = list(Engine(PlainDecoder(model), byte_tokenizer).tokens(context, sampling, seed=5))
    assert len(cached) == 90
    assert cached == uncached_tokens(model, context, sampling, seed=5)


@pytest.mark.parametrize("block_size", [2, 6, 16])
def test_cached_logits_are_uncached_logits_at_every_length(byte_tokenizer, block_size):
    model = endless(block_size)
    engine = Engine(PlainDecoder(model), byte_tokenizer)
    tokens = [END, *torch.randint(256, (3 * block_size,)).tolist()]
    for n_tokens in range(1, len(tokens) + 1):
        logits = engine.next_logits(tokens[:n_tokens])
        expected = uncached_logits(model, tokens[:n_tokens])
        np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stories=st.lists(st.lists(st.sampled_from([1, 2]), max_size=30), min_size=2, max_size=6))
def test_what_was_read_before_changes_nothing(byte_tokenizer, stories):
    """Stories that share beginnings, in any order, with one memory for all."""
    model = endless(8)
    engine = Engine(PlainDecoder(model), byte_tokenizer)
    for story in stories:
        logits = engine.next_logits([END, *story])
        expected = uncached_logits(model, [END, *story])
        np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


def test_two_generations_may_take_turns(byte_tokenizer):
    model = endless(16)
    alone = [
        list(Engine(PlainDecoder(model), byte_tokenizer).tokens([END, 65], SAMPLED, seed))
        for seed in (1, 2)
    ]
    engine = Engine(PlainDecoder(model), byte_tokenizer)
    both = zip(*(engine.tokens([END, 65], SAMPLED, seed) for seed in (1, 2)), strict=True)
    assert [list(tokens) for tokens in zip(*both, strict=True)] == alone


class CountingGPT(EndlessGPT):
    """Counts the tokens it reads."""

    read = 0

    def hidden(self, tokens, *rest):
        self.read += tokens.shape[1]
        return super().hidden(tokens, *rest)


def test_retry_and_continue_do_not_read_again(byte_tokenizer):
    model = CountingGPT(endless(64).config, torch.Generator().manual_seed(0))
    engine = Engine(PlainDecoder(model), byte_tokenizer)
    context = [END, *range(40)]
    few = replace(GREEDY, max_tokens=10)
    first = list(engine.tokens(context, few, seed=0))
    assert model.read == 41 + 9  # the tenth is drawn and not read
    model.read = 0
    assert list(engine.tokens(context, few, seed=0)) == first  # retry
    assert model.read == 1 + 9
    model.read = 0
    list(engine.tokens([*context, *first], few, seed=0))  # continue
    assert model.read == 1 + 9


def test_an_interrupted_read_is_not_remembered(byte_tokenizer, monkeypatch):
    model = endless(16)
    engine = Engine(PlainDecoder(model), byte_tokenizer)
    engine.next_logits([END, 1, 2, 3])
    second_block = model.blocks[1]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(second_block, "forward", interrupt)
        engine.next_logits([END, 1, 9, 9, 9])
    logits = engine.next_logits([END, 1, 2, 3, 9])
    expected = uncached_logits(model, [END, 1, 2, 3, 9])
    np.testing.assert_allclose(logits, expected, atol=1e-5, rtol=0)


def interrupt(*args):
    raise KeyboardInterrupt


def test_a_token_is_computed_when_it_is_asked_for(byte_tokenizer):
    model = CountingGPT(endless(64).config, torch.Generator().manual_seed(0))
    tokens = Engine(PlainDecoder(model), byte_tokenizer).tokens([END, 1, 2], GREEDY, seed=0)
    assert model.read == 0
    next(tokens)
    assert model.read == 3
    next(tokens)
    assert model.read == 4


# Text


def test_a_stream_is_its_tokens(byte_tokenizer):
    model = endless(16)
    parts = byte_ids(byte_tokenizer, "The fox "), (65, 66), byte_ids(byte_tokenizer, "said")
    context = ["The fox ", (65, 66), "said"]
    generation = Engine(PlainDecoder(model), byte_tokenizer).stream(context, SAMPLED)
    chunks = list(generation)
    read = [END, *parts[0], *parts[1], *parts[2]]
    expected = uncached_tokens(model, read, SAMPLED, seed=5)
    tokens = [token for chunk in chunks for token in chunk.tokens]
    assert tokens == expected[: len(tokens)]
    assert len(expected) - len(tokens) < 4  # an unfinished character at the end
    assert generation.context_tokens == len(read)
    assert generation.finished.tokens == len(tokens)
    assert generation.finished.context_tokens == len(read) + len(tokens)
    assert generation.finished.reason is FinishReason.LENGTH
    assert generation.finished.tokens_per_second > 0


def test_the_end_token_ends_and_is_not_counted(byte_tokenizer):
    story, more = byte_ids(byte_tokenizer, "The end."), byte_ids(byte_tokenizer, "No more")
    generation = scripted(byte_tokenizer, [*story, END, *more])
    assert "".join(chunk.text for chunk in generation) == "The end."
    assert generation.finished.reason is FinishReason.END
    assert generation.finished.tokens == 8


def test_characters_come_whole_and_half_ones_are_dropped(byte_tokenizer):
    fox = "\N{FOX FACE}"
    script = byte_ids(byte_tokenizer, f"a{fox}b{fox}")
    generation = scripted(byte_tokenizer, script[:-1])
    chunks = list(generation)
    assert [chunk.text for chunk in chunks] == ["a", fox, "b"]
    assert [len(chunk.tokens) for chunk in chunks] == [1, 4, 1]
    assert generation.finished.tokens == 6
    assert generation.finished.reason is FinishReason.LENGTH


def test_text_is_cleaned_also_across_chunks(byte_tokenizer):
    script = byte_ids(byte_tokenizer, "a\r\nb\rc\x1b[2J\u202e\r")
    generation = scripted(byte_tokenizer, script)
    chunks = list(generation)
    text = "".join(chunk.text for chunk in chunks)
    assert text == "a\nb\nc\u241b[2J\u27e6RLO\u27e7\n"
    assert [token for chunk in chunks for token in chunk.tokens] == script
    assert generation.finished.tokens == len(script)


def test_stopping_is_heard_before_the_next_token_and_keeps_the_text(byte_tokenizer):
    model = CountingGPT(endless(64).config, torch.Generator().manual_seed(0))
    read_until_stop = 12
    generation = Engine(PlainDecoder(model), byte_tokenizer).stream(
        ["Once"], GREEDY, should_stop=lambda: model.read >= read_until_stop
    )
    chunks = list(generation)
    assert model.read == read_until_stop
    assert chunks
    assert generation.finished.reason is FinishReason.CANCELLED
    assert generation.finished.tokens == sum(len(chunk.tokens) for chunk in chunks)


def test_a_line_end_that_waits_for_more_is_kept_when_stopped(byte_tokenizer):
    stops = iter([False, False, True])
    script = byte_ids(byte_tokenizer, "a\rb")
    generation = scripted(byte_tokenizer, script, should_stop=lambda: next(stops))
    assert "".join(chunk.text for chunk in generation) == "a\n"
    assert generation.finished.tokens == 2


def test_to_stop_is_to_stop_iterating(byte_tokenizer):
    generation = scripted(byte_tokenizer, byte_ids(byte_tokenizer, "Once upon"))
    assert generation.finished.tokens == 0
    assert [next(generation).text, next(generation).text] == ["O", "n"]
    assert generation.finished.reason is FinishReason.CANCELLED
    assert generation.finished.tokens == 2


def test_a_prompt_longer_than_the_context_is_read_from_its_end(byte_tokenizer):
    model = endless(16)
    prompt = "A long, long beginning. " * 10
    generation = Engine(PlainDecoder(model), byte_tokenizer).stream([prompt], GREEDY)
    n_tokens = 1 + len(prompt)
    assert generation.window_start == model.config.window_start(n_tokens) > 0
    tokens = [token for chunk in generation for token in chunk.tokens]
    read = [END, *byte_ids(byte_tokenizer, prompt)]
    assert tokens == uncached_tokens(model, read, GREEDY, seed=0)[: len(tokens)]
    assert generation.finished.window_start > generation.window_start


def test_the_same_seed_tells_the_same_story_and_a_new_one_is_drawn(byte_tokenizer):
    engine = Engine(PlainDecoder(endless(32)), byte_tokenizer)
    free = replace(SAMPLED, seed=None)
    first, second = engine.stream(["a"], free), engine.stream(["a"], free)
    assert first.seed != second.seed
    text = [chunk.text for chunk in first]
    assert first.finished.seed == first.seed
    again = engine.stream(["a"], replace(SAMPLED, seed=first.seed))
    assert [chunk.text for chunk in again] == text
    assert [chunk.text for chunk in second] != text


@pytest.mark.parametrize("tokens", [(257,), (-1,), (3, 99_999)])
def test_tokens_of_another_vocabulary_are_refused(byte_tokenizer, tokens):
    engine = Engine(PlainDecoder(endless(16)), byte_tokenizer)
    with pytest.raises(UserError, match="does not know"):
        engine.stream(["a", tokens], GREEDY)


def test_a_typed_end_marker_is_text(byte_tokenizer):
    engine = Engine(PlainDecoder(endless(64)), byte_tokenizer)
    marker = "<|endoftext|>"
    assert engine.encode([marker]) == [END, *byte_ids(byte_tokenizer, marker)]


def test_the_readers_own_time_is_not_the_engines(byte_tokenizer, monkeypatch):
    now = 0.0
    monkeypatch.setattr("mgpt_tui.inference.steps.time.perf_counter", lambda: now)
    generation = scripted(byte_tokenizer, byte_ids(byte_tokenizer, "abc"))
    for _ in generation:
        now += 100.0
    assert generation.finished.seconds == 0
    assert generation.finished.tokens_per_second == 0
