"""What a guess costs in the game."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.ui.screens.lessons.scoring import (
    SURE,
    Score,
    asked_for,
    is_right,
    named,
    paid,
)
from tests.ui.inside import surprise


@st.composite
def chances(draw) -> list[float]:
    """Of a few words, one of which is named, summing to 1."""
    weights = draw(st.lists(st.floats(0.01, 1), min_size=2, max_size=8))
    return [weight / sum(weights) for weight in weights]


def pays(sure: float, chances: list[float]) -> list[float]:
    """Of a player who named the first word, for each word that might come."""
    others = [paid(sure, -math.log2(p), chances[0]) for p in chances[1:]]
    return [paid(sure, -math.log2(chances[0]), None), *others]


@given(chances(), st.sampled_from(SURE))
def test_a_guess_is_a_distribution_over_all_words(chances, sure) -> None:
    assert sum(2**-bits for bits in pays(sure, chances)) == pytest.approx(1)


@given(chances())
def test_who_is_as_sure_as_the_model_pays_what_it_pays(chances) -> None:
    expected = [-math.log2(p) for p in chances]
    assert pays(chances[0], chances) == pytest.approx(expected)


@given(chances(), st.sampled_from(SURE), st.sampled_from(SURE))
def test_boasting_does_not_pay(chances, known, claimed) -> None:
    """Whoever is right as often as they are sure pays no less for claiming anything else."""

    def expected(sure: float) -> float:
        right, *wrong = pays(sure, chances)
        shares = [p / sum(chances[1:]) for p in chances[1:]]
        return known * right + (1 - known) * sum(
            p * bits for p, bits in zip(shares, wrong, strict=True)
        )

    assert expected(known) <= expected(claimed) + 1e-9


def test_the_word_that_came_has_its_chance_where_the_model_gave_all_to_the_guess() -> None:
    assert math.isfinite(paid(0.5, 40.0, 1.0))
    assert paid(0.5, 40.0, 1.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        *(("fog", "fog"), (" fog. ", "fog"), ('"Fog!', "Fog"), ("don't", "don't")),
        *(("", ""), ("  ", ""), ("the fog", ""), ("...", "")),
    ],
)
def test_a_word_is_taken_without_its_marks(line, word) -> None:
    assert named(line) == word


def test_a_word_is_right_in_capitals_too() -> None:
    assert is_right("fog", "Fog") and is_right("CAFÉ", "cafe\u0301")
    assert not is_right("frog", "fog")


@pytest.mark.parametrize("text", shipped_stories())
def test_a_game_asks_for_ten_words_of_letters_one_after_the_other(text) -> None:
    told = surprise(text.split(" ")[:1] + [f" {word}" for word in text.split(" ")[1:]])
    games = [asked_for(told, text, game) for game in (0, 12)]
    for found in games:
        assert len(found) == 10
        words = [text[start:end] for _, start, end in found]
        assert all(word.isalpha() and text[start - 1] == " " for word, (_, start, _) in zip(
            words, found, strict=True
        ))  # fmt: skip
        starts = [start for _, start, _ in found]
        assert starts == sorted(set(starts))
    assert games[0] != games[1]


def test_a_text_with_few_words_has_few_to_guess() -> None:
    words = [" word"] * 13
    assert len(asked_for(surprise(words), "".join(words), 7)) == 3
    assert asked_for(surprise(words[:5]), "".join(words[:5]), 0) == []


def test_bits_are_summed() -> None:
    score = Score().with_word(1.5, 2.0).with_word(0.5, 3.0)
    assert (score.words, score.player, score.model) == (2, 2.0, 5.0)
