"""Patterns from files: whatever they are, no text is lost by them and nothing but a fault ends."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.model.split_pattern import (
    GPT2_PATTERN,
    HARD_TEXTS,
    LONGEST_PATTERN,
    problem_with,
    stated_pattern,
)
from mgpt_tui.model.tokenizer import Tokenizer

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
ODD = [
    *("x*", "a", "", "|", "^", "$", r"\b", "(?=z)", "(?!z)", r"\G", r"(?:x*)*?", r"(?<=x)|z"),
    *(r"(a)\1|x", r"(?i)X+|\s", "(?m)$", "(?s).", r"[^\n]+|\n+", "(?x)a # b\n", CL100K),
]


@pytest.mark.parametrize("pattern", ODD)
@pytest.mark.parametrize("text", [*HARD_TEXTS, "xxaa zx X\nx*"])
def test_no_text_is_lost(byte_tokenizer, pattern, text):
    tokenizer = Tokenizer(byte_tokenizer.ranks, pattern)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@settings(deadline=None, max_examples=300)
@given(pattern=st.text(st.sampled_from("ab \n|()[]?*+^$.\\pLNsS{}12:!=<>#-"), max_size=12))
@example(pattern="a)|(b")
@example(pattern="(?x)a # )")
def test_any_pattern_is_refused_or_loses_nothing(byte_tokenizer, pattern):
    if problem_with(pattern):
        with pytest.raises(UserError, match="pattern"):
            Tokenizer(byte_tokenizer.ranks, pattern)
        return
    tokenizer = Tokenizer(byte_tokenizer.ranks, pattern)
    text = "aab ba\n\n pLNsS12 (a)|b \u00e9\u2028 " * 3
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_no_flip_of_a_bit_loses_text(byte_tokenizer):
    """The fingerprint tells of them all; a pattern that somebody means is as safe."""
    texts = [*HARD_TEXTS[1:4], "It's 3 o'clock,\n\n  they'll say.  "]
    usable = 0
    for bit in range(0, 8 * len(GPT2_PATTERN), 3):
        flipped = bytearray(GPT2_PATTERN.encode())
        flipped[bit // 8] ^= 1 << bit % 8
        pattern = flipped.decode(errors="replace")
        if problem_with(pattern):
            continue
        usable += 1
        tokenizer = Tokenizer(byte_tokenizer.ranks, pattern)
        for text in texts:
            assert tokenizer.decode(tokenizer.encode(text)) == text
    assert usable > 60


@pytest.mark.parametrize("text", ["It's a dog's day,  they've said", " \n\n a  b\t", "x1 22 333!?"])
@pytest.mark.parametrize("pattern", [GPT2_PATTERN, CL100K, r"\w+|\W+"])
def test_a_pattern_that_covers_the_text_cuts_it_as_it_would_alone(gpt2_ranks, pattern, text):
    import tiktoken

    alone = tiktoken.Encoding(
        "alone", pat_str=pattern, mergeable_ranks=gpt2_ranks, special_tokens={}
    )
    assert Tokenizer(gpt2_ranks, pattern).encode(text) == alone.encode_ordinary(text)


@pytest.fixture(scope="module")
def gpt2_ranks():
    return Tokenizer.gpt2().ranks


@pytest.mark.parametrize(
    "pattern",
    ["(", "[", "\\", r"\p{Foo}", "a)|(b", "(" * 500, "a" * (LONGEST_PATTERN + 1), "\ud800"],
)
def test_a_pattern_that_cannot_be_used_is_told(byte_tokenizer, pattern):
    with pytest.raises(UserError, match="pattern cannot be used"):
        Tokenizer(byte_tokenizer.ranks, pattern)


@pytest.mark.parametrize("endless", [r"(?=(?:a|aa|aaa)+(?!\1)(c))\1", r"(?:a?){60}a{60}(?!x)"])
def test_a_pattern_that_takes_too_many_steps(byte_tokenizer, capfd, endless):
    with pytest.raises(UserError, match="too long"):
        Tokenizer(byte_tokenizer.ranks, endless)
    assert capfd.readouterr().err == ""  # where the engine would write a backtrace


@pytest.mark.parametrize("stated", [None, {}, {"pattern": None}, {"pattern": 3}, "gpt2"])
def test_a_missing_pattern_is_told(stated):
    with pytest.raises(UserError, match="there states no split pattern"):
        stated_pattern(stated, "there")
