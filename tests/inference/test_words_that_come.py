"""Words that must come: tries side by side, of which the model chooses."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import draw_view, filters_of, replay
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.inference.said.forms import held
from mgpt_tui.inference.steering.words import APART, TRIES, stream

WORDS = ("ox", "cat")
SETTINGS = SamplingSettings(
    words=WORDS, max_tokens=60, temperature=0.7, seed=5, finish_sentence=False
)
CONTEXT = ("A mouse went out and",)


def still() -> float:
    return 0.0


@pytest.fixture
def engine(tiny_model, byte_tokenizer) -> Engine:
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


def written(engine: Engine, settings: SamplingSettings = SETTINGS, **options):
    """Text, tokens and the generation itself."""
    generation = stream(engine, CONTEXT, settings, **{"clock": still} | options)
    chunks = list(generation)
    tokens = [token for chunk in chunks for token in chunk.tokens]
    return "".join(chunk.text for chunk in chunks), tokens, generation


def test_the_words_come_even_from_a_model_that_knows_none(engine) -> None:
    text, tokens, generation = written(engine)
    assert held(WORDS, text) == WORDS
    assert held(WORDS, written(engine, replace(SETTINGS, words=()))[0]) == ()
    assert generation.finished.tokens == len(tokens)
    assert not generation.is_hurried


def test_the_seed_of_what_was_chosen_brings_it_again(engine) -> None:
    text, tokens, generation = written(engine)
    assert generation.seed % APART == 5
    assert written(engine)[0] == text
    assert written(engine, replace(SETTINGS, seed=generation.seed))[0] == text
    assert generation.seed in range(5, 5 + TRIES * APART, APART)
    assert replay(engine, CONTEXT, "", tokens, SETTINGS, generation.seed) == len(tokens)
    plain = replace(SETTINGS, words=())
    assert replay(engine, CONTEXT, "", tokens, plain, generation.seed) < len(tokens)


def test_every_draw_of_a_text_that_was_led_is_known_again(engine) -> None:
    _, tokens, generation = written(engine, n_best=257)
    for at, chances in enumerate(generation.chances):
        drawn = tokens[: at + 1]
        filters, uniform = filters_of(engine, CONTEXT, "", drawn, SETTINGS, generation.seed)
        view = draw_view(filters, uniform, drawn[-1], str)
        shares = {one.token: one.after for one in chances.distribution.alternatives}
        assert view.high - view.low == pytest.approx(shares[drawn[-1]], rel=1e-4)


def test_the_largest_seed_has_tries_beside_it(engine) -> None:
    _, _, generation = written(engine, replace(SETTINGS, seed=2**63 - 1))
    assert generation.seed % APART == (2**63 - 1) % APART


def test_the_likeliest_of_those_that_hold_most_is_chosen(engine) -> None:
    _, _, chosen = written(engine)
    each = []
    for text in engine.together(CONTEXT, SETTINGS, TRIES, n_best=0, apart=APART):
        said = "".join(chunk.text for chunk in text)
        likely = sum(one.log_probability for one in text.chances) / len(text.chances)
        each.append((len(held(WORDS, said)), likely, text.seed))
    assert chosen.seed == max(each)[2]


def test_when_the_time_is_up_the_best_so_far_goes_on(engine) -> None:
    ticks = count(step=0.3)
    text, tokens, generation = written(engine, clock=lambda: next(ticks))
    assert generation.is_hurried
    assert len(tokens) == 60 and held(WORDS, text) == WORDS
    assert replay(engine, CONTEXT, "", tokens, SETTINGS, generation.seed) == len(tokens)


def test_who_stops_gets_what_there_is(engine) -> None:
    stops = iter([False] * 40)
    text, _, generation = written(engine, should_stop=lambda: next(stops, True))
    assert generation.finished.reason is FinishReason.CANCELLED
    assert 0 < len(text) < 60


def test_a_story_goes_on_to_its_end_behind_its_words(engine) -> None:
    text, tokens, _ = written(engine, until=Until.END)
    assert held(WORDS, text) == WORDS
    assert len(tokens) > SETTINGS.max_tokens


def test_a_banned_word_is_not_waited_for(engine) -> None:
    text, _, generation = written(engine, replace(SETTINGS, ban=("x",)), until=Until.END)
    assert held(WORDS, text) == ("cat",)
    assert generation.finished.reason is FinishReason.END


def test_one_word_by_itself_and_no_words_are_written_as_ever(engine) -> None:
    plain = replace(SETTINGS, words=())
    alone = "".join(chunk.text for chunk in engine.stream(CONTEXT, plain))
    assert written(engine, plain)[0] == alone
    word = "".join(chunk.text for chunk in engine.stream(CONTEXT, plain, until=Until.WORD))
    assert written(engine, until=Until.WORD)[0] == word


def test_letters_without_tokens_are_refused_before_anything_is_written(engine) -> None:
    with pytest.raises(UserError, match="cannot say"):
        stream(engine, CONTEXT, replace(SETTINGS, words=("дом",)))
