"""All forms of a word, and which words a text holds."""

from __future__ import annotations

import pytest

from mgpt_tui.inference.said.forms import forms, held


@pytest.mark.parametrize(
    "family",
    [
        "dragon dragons",
        "run runs ran running",
        "cake cakes",
        "brave braver bravest",
        "big bigger biggest",
        "happy happier happiest",
        "box boxes",
        "bus buses",
        "toe toes",
        "shoe shoes",
        "hero heroes",
        "call calls called calling",
        "see sees seen seeing",
        "go goes went gone going",
        "become becomes became becoming",
        "burn burns burned burnt burning",
        "learn learns learned learnt learning",
        "show shows showed shown showing",
        "travel traveled travelled",
        "strike struck",
        "photo photos",
        "late later latest",
        "fly flies flew flown flying",
        "try tries tried trying",
        "hop hops hopped hopping",
        "hope hopes hoped hoping",
        "dance dances danced dancing",
        "whisper whispers whispered whispering",
        "make makes made making",
        "lie lies lay lying lied",
        "tie ties tied tying",
        "agree agrees agreed agreeing",
        "mouse mice",
        "leaf leaves",
        "wolf wolves",
        "good better best",
    ],
)
def test_forms_stand_for_each_other(family: str) -> None:
    words = family.split()
    for word in words:
        assert word in forms(words[0].upper())
        if word not in ("lay", "leaves", "best", "better"):
            assert words[0] in forms(word), word


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("wing", "we"),
        ("thing", "the"),
        ("bed", "be"),
        ("seed", "see"),
        ("shed", "she"),
        ("evening", "even"),
        ("news", "new"),
        ("hope", "hopped"),
        ("hop", "hoping"),
        ("farm", "farmer"),
        ("dress", "dres"),
        ("car", "care"),
        ("star", "stared"),
        ("red", "ring"),
        ("toes", "to"),
        ("used", "us"),
        ("his", "hi"),
        ("shoes", "sho"),
        ("sled", "sle"),
        ("called", "cal"),
    ],
)
def test_what_only_looks_like_a_form_is_none(word: str, other: str) -> None:
    assert other not in forms(word)
    assert word not in forms(other)


def test_what_may_be_a_form_of_another_word_stands_for_itself_where_it_is_asked_for() -> None:
    assert "rose" in forms("rise") and "rise" not in forms("rose")


def test_a_text_holds_words_and_no_parts_of_others() -> None:
    text = "The Dragons' cave. She ran to the dragonfly, and the cake's icing."
    assert held(("dragon", "run", "cake", "fly", "brave"), text) == ("dragon", "run", "cake")
    assert held(("dragon",), "a dragonfly") == ()


def test_only_what_ends_behind_a_place_counts() -> None:
    text = "The dragon and the dragon"
    assert held(("dragon",), text, 10) == ("dragon",)
    assert held(("dragon",), text, len(text)) == ()
    assert held(("dragon",), "The drag" + "on flew", len("The drag")) == ("dragon",)
