"""A story's operations: what they add up to, what they give back, what a model reads."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.changes import apply, changes
from mgpt_tui.stories.diff import _word
from mgpt_tui.stories.story import Author, Maker, Node, Story
from mgpt_tui.text import clean_text, joint
from tests.stories.conftest import Step, anything, assert_sound, played, steps, taken, way

SETTINGS = SamplingSettings()
MAKER = Maker(model="m", fingerprint="m")


def generated(story: Story, text: str, tokens: tuple[int, ...], by: str = "m") -> Story:
    return (
        story.begin(SETTINGS, Maker(model="m", fingerprint=by))
        .extend(text, tokens, seed=7)
        .settle()
    )


def fox() -> Story:
    """A line of the writer's and a passage of four tokens."""
    story = Story().write("A fox").begin(SETTINGS, MAKER)
    for number, word in enumerate((" ran", " to", " the", " sea."), 1):
        story = story.extend(word, (number,), seed=7)
    return story.settle()


# What holds whatever is done.


@given(steps)
def test_every_story_is_sound(script: list[Step]) -> None:
    assert_sound(played(script))


@given(steps)
def test_redo_takes_undo_back_all_the_way(script: list[Step]) -> None:
    story = played(script)
    seen = [story]
    while seen[-1].past:
        seen.append(seen[-1].undo())
    assert (seen[-1].text, seen[-1].spans, seen[-1].here) == ("", (), 0)
    again = seen[-1]
    for earlier in reversed(seen[:-1]):
        again = again.redo()
        assert (again.here, again.past, again.spans) == (earlier.here, earlier.past, earlier.spans)
    assert again.nodes == story.nodes


@given(steps, anything)
def test_a_new_step_after_undo_ends_the_future(script: list[Step], line: str) -> None:
    story = played(script).undo()
    changed = story.write(line)
    if changed is not story:
        assert changed.redo() is changed
        assert changed.undo().spans == story.spans


@given(steps)
def test_nothing_leaves_the_tree_but_an_empty_generation(script: list[Step]) -> None:
    story = Story()
    for step in script:
        after = taken(story, step)
        for node in story.nodes:
            if node.span.text:
                same = after.nodes[node.id]
                assert (same.parent, same.at) == (node.parent, node.at)
                assert same.span.text.startswith(node.span.text)
                assert same.span.tokens[: len(node.span.tokens)] == node.span.tokens
        story = after


@given(steps, anything)
def test_an_edit_gives_what_was_typed_in_one_step(script: list[Step], text: str) -> None:
    story = played(script)
    changed = story.edited(text)
    assert changed.text == clean_text(text)
    assert_sound(changed)
    if changed is not story:
        assert changed.undo().spans == story.spans
        assert len(changed.past) == len(story.past) + 1
    else:
        assert clean_text(text) == story.text


@given(steps, anything, st.data())
def test_an_edit_inside_keeps_the_authors_around_it(
    script: list[Step], text: str, data: st.DataObject
) -> None:
    story = played(script)
    old = story.text
    start = data.draw(st.integers(0, len(old)))
    end = data.draw(st.integers(start, len(old)))
    changed = story.edited(old[:start] + text + old[end:])
    assert changed.text == old[:start] + clean_text(text) + old[end:]
    assert_sound(changed)
    model = sum(len(span.text) for span in changed.spans if span.author is Author.MODEL)
    was = sum(len(span.text) for span in story.spans if span.author is Author.MODEL)
    assert model <= was
    if all(span.author is Author.MODEL for span in story.spans):  # else twins may change places
        assert len(_word().findall(old[:start])) - 1 + len(_word().findall(old[end:])) - 1 <= sum(
            len(_word().findall(span.text)) for span in changed.spans if span.author is Author.MODEL
        )


@st.composite
def edits(draw: st.DrawFn) -> tuple[Story, list[tuple[str, Author]], str]:
    """A story, its words after some changes with who wrote each, and the text then.

    Each word is there once, and each of the model's is a token.
    """
    story, told = Story(), []
    for number, lengths in enumerate(draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))):
        author = Author.MODEL if number % 2 else Author.WRITER
        words = [f"{author.value[0]}{number}x{at}" for at in range(lengths)]
        told += [(word, author) for word in words]
        if author is Author.WRITER:
            story = story.write(" ".join(words))
            continue
        story = story.begin(SETTINGS, MAKER)
        for word in words:
            story = story.extend(f" {word}", (len(told) * 10 + int(word.partition("x")[2]),))
    left: list[tuple[str, Author]] = []
    for word, author in told:
        change = draw(st.sampled_from(["", "", "", "", "before", "instead", "gone", "longer"]))
        if change in ("before", "instead"):
            new = draw(st.integers(1, 4))
            left += [(f"new{len(left) + at}", Author.WRITER) for at in range(new)]
        if change == "longer":
            left.append((f"{word}y", Author.WRITER))
        elif change not in ("instead", "gone"):
            left.append((word, author))
    return story, left, " ".join(word for word, _ in left)


@given(edits())
def test_an_edit_in_any_number_of_places_leaves_each_word_to_who_wrote_it(
    edit: tuple[Story, list[tuple[str, Author]], str],
) -> None:
    story, words, text = edit
    changed = story.edited(text)
    assert changed.text == text
    assert_sound(changed)
    authors = [span.author for span in changed.spans for _ in span.text]
    at = 0
    for word, author in words:
        at = text.index(word, at)
        assert set(authors[at : at + len(word)]) == {author}
    tokens = {story.text[a:b]: (a, b) for a, b, _ in story.boundaries}
    kept = [changed.text[a:b] for a, b, _ in changed.boundaries]
    wanted = [f" {word}" for at, (word, _) in enumerate(words) if at and f" {word}" in tokens]
    assert kept == wanted  # as tokens, for another word and for the model to read
    if changed is not story:
        assert changed.undo().spans == story.spans


def test_an_edit_at_the_start_and_at_the_end_leaves_what_is_between_to_the_model() -> None:
    story = generated(Story().write("Once"), " upon a time there was a fox.", (1, 2))
    story = story.begin(SETTINGS, MAKER)
    for number, word in enumerate((" She", " ran", " to", " the", " sea", "."), 3):
        story = story.extend(word, (number,), seed=7)
    changed = story.edited("Twice upon a time there was a fox. She ran to the hill.\nThe end.")
    assert [(span.author.value[0], span.text, span.tokens) for span in changed.spans] == [
        ("w", "Twice", ()),
        ("m", " upon a time there was a fox.", (1, 2)),
        ("m", " She ran to the", (3, 4, 5, 6)),
        ("m", " ", ()),
        ("w", "hill.\nThe end", ()),
        ("m", ".", (8,)),
    ]
    assert changed.undo().spans == story.spans
    assert changed.undo().redo().spans == changed.spans


@given(steps, st.data())
def test_another_word_stands_where_it_was_put(script: list[Step], data: st.DataObject) -> None:
    story = played(script)
    offset = data.draw(st.integers(0, len(story.text)))
    chosen = story.choose(offset, " word", 5, MAKER)
    assert chosen.text == story.text[:offset] + " word"
    assert chosen.undo().spans == story.spans
    assert chosen.boundaries[-1] == (offset, offset + 5, chosen.here)
    assert_sound(chosen)


@given(steps)
def test_what_a_model_reads_is_the_story(script: list[Step]) -> None:
    story = played(script)
    assert (
        "".join(part for part in story.context({"nobody"}) if isinstance(part, str)) == story.text
    )
    for end in range(len(story.text) + 1):
        told = story.context({"nobody"}, end)
        assert told == ((story.text[:end],) if end else ())
        parts = story.context({"m"}, end)
        assert all(parts)
        assert not any(
            isinstance(one, str) and isinstance(other, str) for one, other in pairwise(parts)
        )


# Undo and the tree.


def test_undo_and_redo_at_the_ends_change_nothing() -> None:
    story = Story()
    assert story.undo() is story
    assert story.redo() is story


def test_retry_replaces_the_last_generation_and_keeps_it_beside() -> None:
    story = generated(Story().write("A key"), " fell.", (1,))
    story = generated(story, " It rang.", (2,))
    again = story.retry(SETTINGS).extend(" It broke.", (3,)).settle()
    assert again.text == "A key fell. It broke."
    assert again.undo().text == "A key fell. It rang."
    assert again.siblings == (story.here, again.here)
    assert again.sibling(-1).text == "A key fell. It rang."
    assert again.sibling(1) is again  # there is none after the last
    assert again.sibling(-1).sibling(-1).here == story.here
    assert again.sibling(-1).undo().text == again.text
    mine = story.write("Then")
    assert mine.retry(SETTINGS).extend(" dawn came.").text == mine.text + " dawn came."


def test_a_generation_without_text_leaves_no_trace() -> None:
    story = generated(Story().write("A key"), " fell.", (1,))
    for emptied in (story.begin(SETTINGS).settle(), story.retry(SETTINGS).settle()):
        assert emptied.nodes == story.nodes
        assert (emptied.here, emptied.past) == (story.here, story.past)


def test_an_empty_generation_is_begun_anew_with_other_settings() -> None:
    before = generated(Story().write("A key"), " fell.", (1,)).undo()
    begun = before.begin(SETTINGS, MAKER).extend(seed=7)
    other = SamplingSettings(ignore_end=True)
    anew = begun.begin_anew(other, "word")
    assert anew == before.begin(other, MAKER, "word")
    assert anew.settle() == before.begin(other, MAKER).settle()
    record = json.loads(json.dumps(changes(begun, anew)))
    assert apply(begun, record) == anew
    assert_sound(anew.extend(" rang.", (2,)))


def test_go_stands_anywhere() -> None:
    story = fox()
    other = story.retry(SETTINGS, MAKER).extend(" slept.", (9,)).write("It snored.")
    assert other.text == "A fox slept. It snored."
    assert other.go(2).text == "A fox ran to the sea."
    assert other.go(2).undo().text == other.text
    assert other.go(other.here) is other
    for id in (-1, len(other.nodes)):
        with pytest.raises(ValueError, match="node"):
            other.go(id)


def test_siblings_of_a_first_line_are_the_other_first_lines() -> None:
    story = Story().write("A key").undo().write("A door")
    assert story.siblings == (1, 2)
    assert story.sibling(-1).text == "A key"
    assert Story().siblings == (0,)
    assert Story().sibling(1).here == 0


# Editing, and other words.


def test_an_edit_cuts_in_and_copies_the_rest() -> None:
    story = fox()
    changed = story.edited("A fox walked to the sea.")
    assert [(span.author, span.text, span.tokens, span.lengths) for span in changed.spans] == [
        (Author.WRITER, "A fox", (), ()),
        (Author.MODEL, " ", (), ()),  # a token that was broken is its characters only
        (Author.WRITER, "walked", (), ()),
        (Author.MODEL, " to the sea.", (2, 3, 4), (3, 4, 5)),
    ]
    assert changed.spans[-1].seed is None
    assert story.edited("A fox ran").spans[1].seed == 7
    assert story.edited("A fox ran").spans[1].tokens == (1,)
    assert not story.edited("A fox ran").ends_with_model


def test_a_bridge_keeps_what_comes_after_and_undo_takes_it_back() -> None:
    story = fox().write("It slept.")
    start, end = len("A fox ran"), len("A fox ran to")
    changed = story.bridged(start, end, way(" far", SETTINGS, 9), MAKER)
    assert changed.text == story.text[:start] + " far" + story.text[end:]
    assert [(span.author, span.text, span.tokens, span.seed) for span in changed.spans] == [
        (Author.WRITER, "A fox", (), None),
        (Author.MODEL, " ran", (1,), 7),
        (Author.MODEL, " far", (9, 10), 9),
        (Author.MODEL, " the sea.", (3, 4), None),
        (Author.WRITER, " It slept.", (), None),
    ]
    assert changed.spans[2].maker == MAKER and changed.spans[2].settings == SETTINGS
    assert changed.undo().spans == story.spans and changed.undo().redo() == changed


def test_what_the_writer_changes_of_his_own_stays_one_piece() -> None:
    story = Story().write("A gril found a key.").edited("A girl found a key.")
    assert [span.text for span in story.spans] == ["A ", "girl found a key."]
    assert story.edited("").text == ""
    assert story.edited("").undo().text == story.text


def test_another_word_hangs_beside_the_one_it_replaces() -> None:
    story = fox()
    offset = story.text.index(" the")
    chosen = story.choose(offset, " a", 8, MAKER)
    assert chosen.text == "A fox ran to a"
    assert chosen.context({"m"}) == ("A fox", (1, 2), (8,))
    first = story.choose(len("A fox"), " sat", 9, MAKER)
    assert first.siblings == (story.here, first.here)
    assert story.choose(len(story.text), " Then", 9, MAKER).text == story.text + " Then"
    assert story.choose(0, "", 9) is story
    with pytest.raises(ValueError, match="character"):
        story.choose(len(story.text) + 1, " a", 8)


def test_boundaries_are_the_models_tokens() -> None:
    story = fox()
    assert [story.text[start:end] for start, end, _ in story.boundaries] == [
        " ran", " to", " the", " sea.",
    ]  # fmt: skip
    assert {id for _, _, id in story.boundaries} == {2}
    cut = story.edited("A fox ran to th")
    assert [cut.text[start:end] for start, end, _ in cut.boundaries] == [" ran", " to"]


def test_tokens_of_one_character_and_text_without_tokens() -> None:
    story = Story().write("A ke").begin(SETTINGS, MAKER).extend("y")
    story = story.extend("é", (1, 2)).extend("", (3,)).extend("!", ())
    span = story.spans[-1]
    assert (span.text, span.tokens, span.lengths) == ("yé!", (1, 2, 3), (0, 1, 1))
    assert span.lead == 1
    assert story.context({"m"}) == ("A key", (1, 2, 3))
    assert story.context({"m"}, 6) == ("A key", (1, 2))
    assert story.boundaries == ((5, 6, 2), (6, 7, 2))


# What a model reads.


def test_a_model_reads_its_own_tokens_and_everybody_elses_text() -> None:
    story = generated(Story().write("A key"), " fell.", (1, 2), by="m")
    story = generated(story.write("It").write("rang"), " twice.", (3,), by="m")
    assert story.context({"m"}) == ("A key", (1, 2), " It rang", (3,))
    assert story.context({"other"}) == (story.text,)
    assert Story().context({"m"}) == ()


def test_words_belong_to_who_began_them() -> None:
    story = Story().write("A ke").begin(SETTINGS).extend("y fell").write("down. Oh")
    assert story.text == "A key fell down. Oh"
    assert story.words == {Author.WRITER: 4, Author.MODEL: 1}
    assert Story().words == {Author.WRITER: 0, Author.MODEL: 0}


@given(steps)
def test_each_word_is_counted_once(script: list[Step]) -> None:
    story = played(script)
    assert sum(story.words.values()) == len(story.text.split())


def test_stories_are_equal_when_all_of_them_is() -> None:
    one = Story(created="now").write("A key")
    assert one == Story(created="now").write("A key")
    assert one != one.named("Keys")
    assert one != Story(created="now").write("A").undo().write("A key")
    assert one.nodes == (Story().nodes[0], Node(1, 0, 0, one.spans[0]))


# Lines.


@pytest.mark.parametrize(
    ("before", "line", "expected"),
    [
        ("", "Once", "Once"),
        ("a key", "on the ground", "a key on the ground"),
        ("a key ", "on the ground", "a key on the ground"),
        ("a key", " on the ground", "a key on the ground"),
        ("a key.\n", "It sang", "a key.\nIt sang"),
        ("a key", "\nIt sang", "a key\nIt sang"),
        ("a key", ", and a door", "a key, and a door"),
        ("a key", "…", "a key…"),
        ("a key", "!", "a key!"),
        ("a key", "'s ring", "a key's ring"),
        ("(a key", ") shone", "(a key) shone"),
        ("a key", "(gold)", "a key (gold)"),
        ("a key", "[bold]", "a key [bold]"),
        ("a key", "*gold*", "a key *gold*"),
        ("She said,", '"Look!"', 'She said, "Look!"'),
        ('She said, "Look', '" and left', 'She said, "Look" and left'),
        ('She said, "', 'Look!"', 'She said, "Look!"'),
        ("She said, “", "Look!”", "She said, “Look!”"),
        ('He said "no".\nShe said,', '"Look!"', 'He said "no".\nShe said, "Look!"'),
        ('It said, "I am lost.', '"I am, too."', 'It said, "I am lost. "I am, too."'),
        ('It said, "Go. "Thanks!"', '"I saw it."', 'It said, "Go. "Thanks!" "I saw it."'),
        ("钥匙", "。", "钥匙。"),
    ],
)
def test_lines_are_joined_as_a_writer_would(before: str, line: str, expected: str) -> None:
    story = Story().begin(SETTINGS).extend(before).settle()
    assert story.write(line).text == expected


@given(anything, anything)
def test_a_joint_is_a_blank_or_nothing(before: str, line: str) -> None:
    before, line = clean_text(before), clean_text(line)
    if line:
        glue = joint(before, line)
        assert glue in ("", " ")
        if not before or before[-1].isspace() or line[0].isspace() or line[0] in ".,;:!?":
            assert glue == ""


@pytest.mark.parametrize("line", ["", "   ", "\t"])
def test_a_line_of_nothing_is_no_step(line: str) -> None:
    story = Story().write("Once")
    assert story.write(line) is story


def test_blanks_at_the_end_go_but_newlines_stay() -> None:
    assert Story().write("Once upon a time  ").text == "Once upon a time"
    assert Story().write("The end.\n").text == "The end.\n"


def test_what_is_written_is_cleaned() -> None:
    raw = "a\x1b[2Jb\r\nc\u202ed"
    assert Story().write(raw).text == clean_text(raw)
    assert Story().write("Once").edited(raw).text == clean_text(raw)
    assert Story().choose(0, raw, 1).text == clean_text(raw)


def test_a_generation_that_brings_nothing_leaves_what_undo_took() -> None:
    story = Story().write("A fox").begin(SamplingSettings()).extend(" ran", (1,)).undo()
    for opened in (story.begin(SamplingSettings()), story.retry(SamplingSettings())):
        assert opened.settle() == story
        assert opened.extend(" sat", (2,)).future == ()
    assert story.redo().text == "A fox ran"


def test_what_is_derived_of_a_story_is_said_of_no_other() -> None:
    story = fox()
    assert (story.text, story.path) == ("A fox ran to the sea.", (1, 2))
    before = replace(story, here=1)
    assert (before.text, before.path, before.words[Author.MODEL]) == ("A fox", (1,), 0)
    line = replace(story.nodes[1], span=replace(story.nodes[1].span, text="A cat"))
    cat = replace(story, nodes=(story.nodes[0], line, *story.nodes[2:]))
    assert cat.text == "A cat ran to the sea."
