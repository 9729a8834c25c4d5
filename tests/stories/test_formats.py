"""What is saved is what was shown, and comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.formats import from_json, render, to_json
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.text import clean_text

anything = st.text(st.characters(codec=None), max_size=60)
settings = st.builds(
    SamplingSettings,
    temperature=st.floats(0, 10),
    top_k=st.none() | st.integers(1, 100),
    max_tokens=st.integers(1, 500),
    seed=st.none() | st.integers(0, 2**63 - 1),
)
tokens = st.lists(st.integers(0, 65535), max_size=5).map(tuple)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story(title=clean_text(draw(anything)))
    for _ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            story = story.write(draw(anything))
        else:
            story = story.begin(draw(settings), Maker(model="m", fingerprint="f", decoding="d"))
            text = clean_text(draw(anything))
            story = story.extend(text, draw(tokens), seed=draw(st.integers(0, 2**63 - 1))).settle()
    return story


@given(stories())
def test_json_gives_the_whole_story_back(story: Story) -> None:
    text = to_json(story)
    text.encode()
    assert from_json(text, "a file") == story


@given(stories(), anything)
def test_the_readable_forms_hold_the_exact_text(story: Story, title: str) -> None:
    assert render(story, ".txt", title) == story.text
    page = render(story, ".md", clean_text(title))
    heading, empty, rest = page.split("\n", 2)
    assert heading.startswith("# ")
    assert empty == ""
    assert rest[:-1] == story.text
    assert page.endswith("\n")


def test_json_says_who_wrote_what_and_how() -> None:
    story = Story(title="Keys").write("A [key]")
    story = story.begin(SamplingSettings(top_k=None), Maker(model="m", fingerprint="f"))
    story = story.extend(" fell.", (4, 5), seed=9)
    content = json.loads(to_json(story))
    assert content["format"] == 1
    assert (content["title"], content["model"], content["fingerprint"]) == ("Keys", "m", "f")
    mine, its = content["spans"]
    assert mine == {"author": "writer", "text": "A [key]"}
    assert (its["author"], its["text"], its["tokens"], its["seed"]) == (
        "model",
        " fell.",
        [4, 5],
        9,
    )
    assert its["settings"]["top_k"] is None


GOOD: dict[str, Any] = {
    "format": 1,
    "title": "",
    "created": "",
    "spans": [{"author": "model", "text": "x", "tokens": [1]}],
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps(GOOD | {"format": 2}),
        json.dumps(GOOD | {"spans": None}),
        json.dumps(GOOD | {"spans": ["x"]}),
        json.dumps(GOOD | {"title": 3}),
        json.dumps(GOOD | {"spans": [{"author": "nobody", "text": "x"}]}),
        json.dumps(GOOD | {"spans": [{"author": "writer"}]}),
        json.dumps(GOOD | {"spans": [{"author": "model", "text": "x", "tokens": ["1"]}]}),
        json.dumps(GOOD | {"spans": [{"author": "model", "text": "x", "tokens": 1}]}),
    ],
)
def test_a_damaged_story_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match=r"the \[file\]"):
        from_json(text, "the [file]")


def test_settings_that_mean_nothing_here_cost_no_text() -> None:
    span = {"author": "model", "text": "x", "tokens": [1], "settings": {"temperature": -4}}
    story = from_json(json.dumps(GOOD | {"spans": [span]}), "a file")
    assert story.text == "x"
    assert story.spans[0].settings is None


def test_text_from_a_file_is_cleaned() -> None:
    span = {"author": "writer", "text": "a\x1b[2Jb\r\nc"}
    story = from_json(json.dumps(GOOD | {"spans": [span], "title": "\x07"}), "a file")
    assert story.text == clean_text("a\x1b[2Jb\r\nc")
    assert story.title == clean_text("\x07")
