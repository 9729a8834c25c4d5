"""What is saved is what was shown, and comes back."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.lines import decode, encode
from mgpt_tui.inference.process.messages import (
    Generate,
)
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.stories.changes import apply, changes
from mgpt_tui.stories.formats import from_json, render, to_json
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.stories.story import Author, Maker, Story
from mgpt_tui.text import clean_text
from tests.stories.conftest import Step, anything, played, steps


@given(steps, st.integers(0, 9))
def test_json_gives_the_whole_story_back(script: list[Step], folds: int) -> None:
    story = played(script)
    text = to_json(story, folds)
    text.encode()
    assert from_json(text, "a file") == (story, folds)


@given(steps, anything)
def test_the_readable_forms_hold_the_text_with_its_paragraphs_set_apart(
    script: list[Step], title: str
) -> None:
    story = played(script)
    assert render(story, ".txt", title) == apart(story.text)
    page = render(story, ".md", clean_text(title))
    heading, empty, rest = page.split("\n", 2)
    assert heading.startswith("# ")
    assert empty == ""
    assert rest[:-1] == apart(story.text)
    assert page.endswith("\n")


class _Paragraphs(HTMLParser):
    """The lines of a page, and who wrote what."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.written = {"writer": "", "model": ""}
        self._author = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":
            self.lines.append("")
        elif tag == "span":
            self._author = dict(attrs)["class"] or ""

    def handle_data(self, data: str) -> None:
        if self._author:
            self.lines[-1] += data
            self.written[self._author] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._author = ""


@given(steps)
def test_a_page_has_every_line_and_its_authors(script: list[Step]) -> None:
    story = played(script)
    page = _Paragraphs()
    page.feed(render(story, ".html", "<Keys> & [doors]"))
    page.close()
    assert "\n".join(page.lines) == apart(story.text)
    for author in Author:
        wrote = "".join(span.text for span in story.spans if span.author is author)
        assert page.written[author.value] == wrote.replace("\n", "")


def test_json_says_who_wrote_what_and_how() -> None:
    story = Story(title="Keys").write("A [key]")
    maker = Maker(model="m", fingerprint="f")
    story = story.begin(SamplingSettings(top_k=None), maker, "word").extend(" fell", (4, 5), seed=9)
    content = json.loads(to_json(story))
    assert content["format"] == 1
    assert (content["title"], content["model"], content["fingerprint"]) == ("Keys", "m", "f")
    assert (content["here"], content["past"], content["future"]) == (2, [0, 1], [])
    mine, its = content["nodes"]
    assert mine == {"parent": 0, "at": 0, "author": "writer", "text": "A [key]"}
    assert (its["parent"], its["at"], its["author"], its["text"]) == (1, 7, "model", " fell")
    assert (its["tokens"], its["lengths"], its["seed"], its["until"]) == ([4, 5], [0, 5], 9, "word")
    assert its["settings"]["top_k"] is None


def test_the_form_before_branches_is_a_line_that_undo_goes_back() -> None:
    spans = [
        {"author": "writer", "text": "A fox"},
        {"author": "model", "text": " ran.", "tokens": [1, 2]},
    ]
    old = {"format": 1, "title": "", "created": "", "spans": spans}
    story, folds = from_json(json.dumps(old), "a file")
    assert (story.text, folds) == ("A fox ran.", 0)
    assert story.spans[-1].lengths == (0, 5)
    assert story.undo().text == "A fox"
    assert story.undo().undo().text == ""


NODE: dict[str, Any] = {
    "parent": 0,
    "at": 0,
    "author": "model",
    "text": "x",
    "tokens": [1],
    "lengths": [1],
}
GOOD: dict[str, Any] = {
    "format": 1,
    "title": "",
    "created": "",
    "here": 1,
    "past": [0],
    "future": [],
    "nodes": [NODE],
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
        json.dumps(GOOD | {"here": 2}),
        json.dumps(GOOD | {"here": -1}),
        json.dumps(GOOD | {"past": [5]}),
        json.dumps(GOOD | {"future": ["1"]}),
        json.dumps(GOOD | {"folds": None}),
        json.dumps(GOOD | {"nodes": None}),
        json.dumps(GOOD | {"nodes": ["x"]}),
        json.dumps(GOOD | {"nodes": [NODE | {"author": "nobody"}]}),
        json.dumps(GOOD | {"nodes": [{"author": "writer"}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"tokens": ["1"]}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"tokens": 1}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"lengths": [1, 1]}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"lengths": [2]}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"parent": 1}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"parent": -1}]}),
        json.dumps(GOOD | {"nodes": [NODE | {"at": -1}]}),
    ],
)
def test_a_damaged_story_is_refused_by_name(text: str) -> None:
    with pytest.raises(UserError, match=r"the \[file\]"):
        from_json(text, "the [file]")


def test_settings_that_mean_nothing_here_cost_no_text() -> None:
    node = NODE | {"settings": {"temperature": -4}}
    story, _ = from_json(json.dumps(GOOD | {"nodes": [node]}), "a file")
    assert story.text == "x"
    assert story.spans[0].settings is None


@pytest.mark.parametrize("token", [-1, 2**63 - 1, 2**63, 10**30])
def test_tokens_that_there_cannot_be_cost_no_text(token: int) -> None:
    """The engine's process is sent none of them: it would take the app for broken, and end."""
    node = NODE | {"tokens": [token], "fingerprint": "f"}
    try:
        story, _ = from_json(json.dumps(GOOD | {"nodes": [node]}), "a file")
    except UserError:
        assert token > 2**63 - 1
        return
    assert story.text == "x"
    assert story.spans[0].tokens == ((token,) if token == 2**63 - 1 else ())
    request = Generate(1, story.context({"f"}), SamplingSettings())
    assert decode(encode(request)) == request


@pytest.mark.parametrize("entry", [{"until": "tomorrow"}, {"until": ""}, {"seed": -1}])
def test_what_a_passage_says_of_its_making_can_be_made_again(entry: dict[str, Any]) -> None:
    story, _ = from_json(json.dumps(GOOD | {"nodes": [NODE | entry]}), "a file")
    span = story.spans[0]
    assert Until(span.until) is Until.LENGTH  # as a retry asks for it
    assert span.seed is None


def test_text_from_a_file_is_cleaned_and_its_tokens_are_not_of_it() -> None:
    raw = "a\x1b[2Jb\r\nc"
    nodes = [NODE | {"text": raw, "lengths": [8]}, NODE | {"parent": 1, "at": 8}]
    story, _ = from_json(json.dumps(GOOD | {"nodes": nodes, "title": "\x07"}), "a file")
    assert story.text == clean_text(raw)
    assert story.spans[0].tokens == ()
    assert story.title == clean_text("\x07")
    assert story.go(2).text == clean_text(raw) + "x"


def test_a_note_is_kept_with_the_story_and_is_no_part_of_it() -> None:
    maker = Maker(model="m", fingerprint="f", note="Mia is a mouse.")
    story = Story().write("A key").remembering(" Mia is\x1b a mouse. ").begin(None, maker)
    story = story.extend(" sang.", (1,))
    assert story.note == "Mia is\u241b a mouse."
    assert story.undo().note == story.note
    again, _ = from_json(to_json(story), "x")
    assert again == story
    assert again.spans[-1].note == "Mia is a mouse."
    assert story.note not in render(story, ".md", "x") + render(story, ".html", "x")
    assert "note" not in to_json(Story().write("A key"))
    before = story.remembering("")
    assert apply(before, changes(before, story)) == story
    assert apply(story, changes(story, before)) == before
