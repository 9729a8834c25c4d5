"""Asking what could come next, and drawing again what was drawn."""

from dataclasses import replace

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import replay
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.inference.said.counting import Words
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model

SAMPLED = SamplingSettings(temperature=1.2, top_k=30, max_tokens=40, seed=5)


@pytest.fixture
def engine(tiny_model, byte_tokenizer):
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


@pytest.fixture(scope="module")
def storyteller():
    checkpoint = load_checkpoint(find_model(None).path)
    return Engine(PlainDecoder(checkpoint.model), checkpoint.tokenizer)


def recorded(generation):
    """A generation as a story keeps it: text that no token brought, and tokens."""
    chunks = list(generation)
    lead = "".join(chunk.text for chunk in chunks if not chunk.tokens)
    return lead, [token for chunk in chunks for token in chunk.tokens]


def test_a_look_tells_what_a_step_tells(engine):
    step = next(engine.steps(engine.encode(["The fox"]), SAMPLED, 5, n_best=4))
    view = engine.look(["The fox"], SAMPLED, 4)
    assert view == step.chances.distribution
    assert len(view.alternatives) == 4


def test_a_look_is_clean_and_shows_the_end_as_nothing(engine):
    view = engine.look(["The fox"], SAMPLED, 1000)
    texts = {choice.token: choice.text for choice in view.alternatives}
    assert len(texts) == 257
    assert texts[engine.tokenizer.end_token] == ""
    assert texts[engine.tokenizer.ranks[b"\x1b"]] == "\u241b"
    assert texts[engine.tokenizer.ranks[b"\xff"]] == "\ufffd"


def test_a_look_changes_nothing(engine):
    plain = list(engine.stream(["The fox"], SAMPLED))
    generation = engine.stream(["The fox"], SAMPLED)
    looked = []
    for number, chunk in enumerate(generation):
        looked.append(chunk)
        engine.look(["The fox" if number % 2 else "Another story"], SAMPLED, 3)
    assert looked == plain
    assert list(engine.stream(["The fox"], SAMPLED)) == plain


def test_looks_fail_as_generations_do(engine):
    with pytest.raises(UserError):
        engine.look([(999_999,)], SAMPLED, 3)
    with pytest.raises(UserError):
        engine.look([""], replace(SAMPLED, ban=("two",)), 3)


@pytest.mark.parametrize("until", Until)
@pytest.mark.parametrize("context", [["The fox"], ["The ", (65, 66)], [], ["word " * 20]])
def test_a_replay_comes_out_the_same(engine, context, until):
    settings = replace(SAMPLED, repetition_penalty=1.3, ignore_end=True)
    stops = iter(range(60))
    generation = engine.stream(context, settings, lambda: next(stops, 60) == 60, until=until)
    lead, tokens = recorded(generation)
    assert lead == ""
    kept = len(tokens) if until in (Until.LENGTH, Until.END) else len(tokens) - 1
    fresh = Engine(engine.decoder, engine.tokenizer)
    assert replay(fresh, context, lead, tokens, settings, 5) >= kept > 0


def test_a_token_that_a_stop_string_cut_is_drawn_again(storyteller):
    cuts = 0
    for seed in range(12):
        settings = replace(SAMPLED, seed=seed, stop=("ed", "he"))
        lead, tokens = recorded(storyteller.stream(["It sang."], settings))
        assert lead == ""
        assert replay(storyteller, ["It sang."], lead, tokens, settings, seed) == len(tokens)
        drawn = list(storyteller.tokens(storyteller.encode(["It sang."]), settings, seed))
        cuts += tokens != drawn[: len(tokens)]
        if len(tokens) > 1:  # only the last may have been cut
            changed = [(tokens[0] + 1) % 200, *tokens[1:]]
            assert replay(storyteller, ["It sang."], lead, changed, settings, seed) < len(tokens)
    assert cuts > 3


def test_draws_that_differ_are_counted_and_lead_nothing_astray(engine):
    _, tokens = recorded(engine.stream(["The fox"], SAMPLED))
    assert replay(engine, ["The fox"], "", tokens, SAMPLED, 6) < len(tokens)
    assert replay(engine, ["The fox"], "", [], SAMPLED, 5) == 0
    changed = [tokens[0], (tokens[1] + 1) % 256, *tokens[2:]]
    same = replay(engine, ["The fox"], "", changed, SAMPLED, 5)
    assert 1 <= same < len(tokens)
    with pytest.raises(UserError):
        replay(engine, ["The fox"], "", [999_999], SAMPLED, 5)


@pytest.mark.parametrize("context", ["Once upon a ti", "She said hello ", "The end of the do"])
def test_what_was_held_back_is_drawn_again_first(storyteller, context):
    for seed in range(3):
        settings = replace(SAMPLED, max_tokens=10, seed=seed)
        lead, tokens = recorded(storyteller.stream([context], settings))
        assert storyteller.beginning([context]).rest
        assert replay(storyteller, [context], lead, tokens, settings, seed) == len(tokens)
    assert replay(storyteller, [context], "zzz", tokens, settings, seed) < len(tokens)


def test_the_storyteller_finishes_what_was_begun(storyteller):
    greedy = SamplingSettings(temperature=0, max_tokens=12)
    text = "".join(chunk.text for chunk in storyteller.stream(["Once upon a ti"], greedy))
    assert text.startswith("me")
    assert text.endswith((".", '"', "!", "?"))
    word = storyteller.stream(["Once upon a ti"], greedy, until=Until.WORD)
    assert "".join(chunk.text for chunk in word) == text.split()[0]


def test_a_story_does_not_end_before_it_has_its_words(storyteller):
    context = ["They went home. The end."]  # behind which it ends at once
    soon = replace(SAMPLED, max_tokens=60)
    later = replace(soon, end_after=20)
    generations = [storyteller.stream(context, settings) for settings in (soon, later)]
    texts = ["".join(chunk.text for chunk in generation) for generation in generations]
    assert not texts[0].strip()
    assert generations[0].finished.reason is FinishReason.END
    assert len(f"{context[0]}{texts[1]}".split()) >= 20
    lead, tokens = recorded(storyteller.stream(context, later))
    assert replay(storyteller, context, lead, tokens, later, 5) == len(tokens)
    enough = storyteller.stream(["word " * 30 + "They went home. The end."], later)
    assert enough.finished.tokens == 0


@pytest.mark.parametrize("text", ["one", "one two", " a \n\nbee", "d\u00e9j\u00e0  vu ", ""])
def test_words_of_a_growing_text_are_counted_once(engine, text):
    tokens = engine.encode([text])
    words = Words(engine.tokenizer.token_bytes)
    for end in range(len(tokens) + 1):
        read = text.encode()[: max(0, end - 1)].split()
        assert words.of(tokens[:end], 100) == len(read)
