"""Leaning on the choice of tokens until words have come."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.inference.said.wishes import Leaning, room_for, wishes_of

SETTINGS = SamplingSettings(words=("ox", "ran"), max_tokens=40)


@pytest.fixture
def begun(byte_tokenizer):
    """Leans on a text, read as it grows from a beginning."""

    def begin(text: str = "", rest: str = "", settings: SamplingSettings = SETTINGS):
        wishes = wishes_of(settings, byte_tokenizer, Until.LENGTH)
        assert wishes is not None
        tokens = [byte_tokenizer.end_token, *byte_tokenizer.encode(text)]
        leaning = Leaning(wishes, tokens, rest.encode())
        logits = np.zeros(byte_tokenizer.vocab_size, np.float32)

        def write(more: str) -> dict[str, float]:
            tokens.extend(byte_tokenizer.encode(more))
            pushed = leaning.bias(tokens, logits, {})
            return {byte_tokenizer.decode([token]): push for token, push in pushed.items()}

        return write

    return begin


def test_what_begins_a_word_is_pushed_and_what_goes_on_with_it(begun) -> None:
    write = begun("A fox")
    assert " " in write("") and "x" not in write("")
    assert {"o", "r"} <= set(write(" "))
    assert "x" in write("o") and "a" not in write("")
    assert "x" not in write("f")


def test_the_end_waits_until_all_words_have_come(begun) -> None:
    write = begun("A fox")
    assert -math.inf in write("").values()
    assert -math.inf in write(" and an ox").values()  # the other is missing
    assert -math.inf in write("en ran").values()  # no ox at all
    assert write(" to an ox.") == {}


def test_a_word_that_may_go_on_is_neither_pushed_again_nor_done(begun) -> None:
    write = begun("A fox", settings=SamplingSettings(words=("ox",)))
    assert write(" met an ox") == {}
    assert write("en") != {}
    assert write(". Ox ") == {}


def test_what_the_writer_wrote_does_not_count(begun) -> None:
    settings = SamplingSettings(words=("ox",))
    assert begun("The ox", settings=settings)(" ") != {}
    assert begun("The o", settings=settings)("x ") == {}
    assert begun("The", " ox", settings)(" ox ") != {}
    assert begun("The", " o", settings)(" ox ") == {}


def test_the_push_grows_as_the_room_gets_less(begun) -> None:
    write = begun("A fox", settings=SamplingSettings(words=("ox",), max_tokens=30))
    pushes = [write("a")[" "] for _ in range(30)]
    assert pushes[0] < pushes[-1]
    for _ in range(40):
        last = write("a")
    assert last == {}  # what cannot come is waited for no longer


def test_how_much_room_there_is_depends_on_how_far_a_passage_goes() -> None:
    assert room_for(SETTINGS, Until.LENGTH) == 40
    assert room_for(SETTINGS, Until.SENTENCE) < 40 < room_for(SETTINGS, Until.END)


def test_a_single_word_is_led_nowhere(byte_tokenizer) -> None:
    assert wishes_of(SETTINGS, byte_tokenizer, Until.WORD) is None
    assert wishes_of(SamplingSettings(), byte_tokenizer, Until.LENGTH) is None


def test_letters_that_the_model_has_no_tokens_for_are_refused(byte_tokenizer) -> None:
    with pytest.raises(UserError, match="cannot say 'дом'"):
        wishes_of(SamplingSettings(words=("дом",)), byte_tokenizer, Until.LENGTH)
