"""What of an edited text stands as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.stories import diff
from mgpt_tui.stories.diff import unchanged

few_words = st.lists(
    st.sampled_from(["a", "b", "c", "it's", "\n", ".", ",", '"', "é", "钥匙", "😀"]), max_size=30
)
texts = few_words.map(" ".join) | st.text(max_size=40) | few_words.map("".join)


def kept(old: str, new: str) -> list[str]:
    """The stretches, which stand in both texts."""
    return [old[was : was + length] for was, _, length in unchanged(old, new)]


@given(texts, texts)
def test_what_is_unchanged_stands_in_both_in_order(old: str, new: str) -> None:
    was = now = 0
    for at, (first, second, length) in enumerate(unchanged(old, new)):
        assert length > 0
        assert first >= was
        assert second >= now
        assert not at or (first, second) != (was, now)  # else they were one
        was, now = first + length, second + length
        assert old[first:was] == new[second:now]
    assert was <= len(old)
    assert now <= len(new)


@given(texts)
def test_all_of_the_same_text_is_unchanged(text: str) -> None:
    assert kept(text, text) == ([text] if text else [])


def table(old: list[str], new: list[str]) -> int:
    """The length of a longest common subsequence, by the book."""
    row = [0] * (len(new) + 1)
    for word in old:
        above, row = row, [0]
        for place, other in enumerate(new):
            longer = above[place] + 1 if word == other else max(above[place + 1], row[place])
            row.append(longer)
    return row[-1]


@given(few_words, few_words)
def test_as_many_words_stay_as_can(old: list[str], new: list[str]) -> None:
    pairs = diff._longest(old, new)
    assert pairs is not None
    assert len(pairs) == table(old, new)
    assert pairs == sorted(set(pairs))
    assert all(old[i] == new[j] for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("old", "new", "stretches"),
    [
        ("The fox ran to the sea.", "A fox ran to a sea!", [" fox ran to ", " sea"]),
        ("The fox ran.", "The fox ran. It sat.", ["The fox ran."]),
        ("The fox ran", "The fox ran.", ["The fox ran"]),
        ("He ran. He sat.", "He ran.\n\nHe sat.", ["He ran.", "He sat."]),
        ("She didn't go.", "She doesn't go.", ["She ", " go."]),
        ("fox foxes", "foxes fox", ["foxes"]),
        ("钥匙在地上。", "钥匙不在地上。", ["钥匙", "在地上。"]),
        ("", "new", []),
        ("old", "", []),
        ("...", "..", [".."]),
    ],
)
def test_words_stay_and_what_is_between_them(old: str, new: str, stretches: list[str]) -> None:
    assert kept(old, new) == stretches


def test_texts_that_differ_too_much_are_compared_by_paragraphs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = "a b c d\n\ne f g h\ni j k l"
    new = "x b c x\n\ne f g h\ny j k y"
    wanted = [" b c ", "\n\ne f g h\n", " j k "]
    assert kept(old, new) == wanted
    monkeypatch.setattr(diff, "MOST", 16)
    assert kept(old, new) == wanted
    monkeypatch.setattr(diff, "MOST", 15)
    assert kept(old, new) == [wanted[1]]
