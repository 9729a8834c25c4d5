"""A story's operations: what they add up to, what they give back, what a model reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.story import Author, Maker, Span, Story, joint
from mgpt_tui.text import clean_text

SETTINGS = SamplingSettings()


def generated(story: Story, text: str, tokens: tuple[int, ...], by: str = "m") -> Story:
    return (
        story.begin(SETTINGS, Maker(model="m", fingerprint=by))
        .extend(text, tokens, seed=7)
        .settle()
    )


anything = st.text(st.characters(codec=None), max_size=40)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), anything),
        st.tuples(st.just("model"), anything.map(clean_text)),
        st.tuples(st.just("retry"), anything.map(clean_text)),
        st.tuples(st.sampled_from(["undo", "redo"]), st.just("")),
    ),
    max_size=12,
)


def told(script: list[tuple[str, str]]) -> Story:
    story = Story()
    for verb, text in script:
        if verb == "write":
            story = story.write(text)
        elif verb == "model":
            story = generated(story, text, (1, 2))
        elif verb == "retry":
            story = story.retry(SETTINGS).extend(text, (3,)).settle()
        else:
            story = story.undo() if verb == "undo" else story.redo()
    return story


@given(steps)
def test_the_text_is_the_spans_put_together(script: list[tuple[str, str]]) -> None:
    story = told(script)
    assert story.text == "".join(span.text for span in story.spans)
    assert clean_text(story.text) == story.text
    assert all(span.text for span in story.spans)


@given(steps)
def test_redo_takes_undo_back_all_the_way(script: list[tuple[str, str]]) -> None:
    story = told(script)
    seen = [story]
    while seen[-1].past:
        seen.append(seen[-1].undo())
    assert seen[-1].spans == ()
    again = seen[-1]
    for earlier in reversed(seen[:-1]):
        again = again.redo()
        assert again.spans == earlier.spans


@given(steps, anything)
def test_a_new_step_after_undo_ends_the_future(script: list[tuple[str, str]], line: str) -> None:
    story = told(script).undo()
    changed = story.write(line)
    if changed is not story:
        assert changed.redo() is changed
        assert changed.undo().spans == story.spans


def test_undo_and_redo_at_the_ends_change_nothing() -> None:
    story = Story()
    assert story.undo() is story
    assert story.redo() is story


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
        ("钥匙", "。", "钥匙。"),
    ],
)
def test_lines_are_joined_as_a_writer_would(before: str, line: str, expected: str) -> None:
    story = Story(spans=(Span(author=Author.MODEL, text=before),)) if before else Story()
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
    assert Story().write("a\x1b[2Jb\r\nc\u202ed").text == clean_text("a\x1b[2Jb\r\nc\u202ed")


def test_retry_replaces_the_last_generation_and_nothing_else() -> None:
    story = generated(Story().write("A key"), " fell.", (1,))
    story = generated(story, " It rang.", (2,))
    again = story.retry(SETTINGS).extend(" It broke.", (3,)).settle()
    assert again.text == "A key fell. It broke."
    assert again.undo().text == "A key fell. It rang."
    mine = story.write("Then")
    assert mine.retry(SETTINGS).extend(" dawn came.").text == mine.text + " dawn came."


def test_a_generation_without_text_leaves_no_trace() -> None:
    story = generated(Story().write("A key"), " fell.", (1,))
    assert story.begin(SETTINGS).settle().spans == story.spans
    assert story.begin(SETTINGS).settle().past == story.past
    assert story.retry(SETTINGS).settle().spans == story.spans


def test_a_model_reads_its_own_tokens_and_everybody_elses_text() -> None:
    story = generated(Story().write("A key"), " fell.", (1, 2), by="m")
    story = generated(story.write("It").write("rang"), " twice.", (3,), by="m")
    assert story.context("m") == ("A key", (1, 2), " It rang", (3,))
    assert story.context("other") == (story.text,)
    assert Story().context("m") == ()


def test_stories_are_equal_when_they_tell_the_same() -> None:
    one = Story(created="now").write("A key")
    other = Story(created="now").write("A").undo().write("A key")
    assert one == other
    assert one != other.named("Keys")
