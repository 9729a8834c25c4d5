"""What changed is what is written down, and can be read again up to where it is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.changes import Record, apply, changes
from mgpt_tui.stories.journal import Journal, is_held, parse, replay
from mgpt_tui.stories.story import Maker, Story
from tests.stories.conftest import Step, played, steps, taken

START = Story(created="")


def through_json(record: Record) -> Record:
    content: Record = json.loads(json.dumps(record))
    return content


@given(steps, steps)
def test_changes_make_one_story_of_another(script: list[Step], more: list[Step]) -> None:
    before = played(script)
    after = before
    for step in more:
        after = taken(after, step)
    assert apply(before, through_json(changes(before, after))) == after
    assert apply(after, through_json(changes(after, before))) == before
    assert changes(after, after) == {}


@given(steps, steps)
def test_changes_make_any_story_of_any_other(script: list[Step], other: list[Step]) -> None:
    before, after = played(script), played(other)
    assert apply(before, through_json(changes(before, after))) == after


@given(steps)
def test_a_journal_of_every_step_tells_the_story(script: list[Step]) -> None:
    story = Story(created="then")
    lines = [b'{"format": 1, "folds": 0}\n', _line(changes(START, story))]
    for step in script:
        after = taken(story, step)
        lines.append(_line(changes(story, after)))
        story = after
    assert replay(START, parse(b"".join(lines))) == (story, "")


def _line(record: Record) -> bytes:
    return json.dumps(record).encode() + b"\n"


@given(steps, st.data())
def test_a_journal_cut_anywhere_tells_a_story_that_was(
    script: list[Step], data: st.DataObject
) -> None:
    stories = [Story(created="then")]
    content = b'{"format": 1, "folds": 0}\n' + _line(changes(START, stories[0]))
    for step in script:
        stories.append(taken(stories[-1], step))
        content += _line(changes(stories[-2], stories[-1]))
    cut = content[: data.draw(st.integers(0, len(content)))]
    story, trouble = replay(START, parse(cut))
    assert not trouble
    assert story in [START, *stories]


def test_a_change_costs_what_was_written() -> None:
    story = Story().write("Once " * 10_000).begin(SamplingSettings(), Maker(model="m"))
    story = story.extend(" word" * 10_000, (1,) * 10_000)
    for _ in range(500):
        story = story.undo().redo()
    assert len(_line(changes(story, story.extend(" more", (2,))))) < 200
    assert len(_line(changes(story, story.undo()))) < 200


BAD: list[Record] = [
    {"here": 99},
    {"past": [9, []]},
    {"past": [0]},
    {"cut": 0},
    {"cut": 99},
    {"grow": [{"id": 0}]},
    {"grow": [{"id": 1, "kept": 0, "text": "", "tokens": [1], "lengths": [9], "seed": None}]},
    {"add": [{"parent": 9, "at": 0, "author": "writer", "text": "x"}]},
    {"add": 3},
    {"title": 3},
]


@pytest.mark.parametrize("record", BAD)
def test_a_change_that_fits_nothing_ends_the_reading(record: Record) -> None:
    story = Story(created="then").write("A fox")
    good = _line(changes(START, story))
    heading = b'{"format": 1, "folds": 0}\n'
    later = _line({"title": "Later"})
    told, trouble = replay(START, parse(heading + good + _line(record) + later))
    assert told == story
    assert "line 3" in trouble


@pytest.mark.parametrize("content", [b"x\n", b"[]\n", b'{"format": 2, "folds": 0}\n', b"{}\n{}\n"])
def test_what_is_no_journal_is_said(content: bytes) -> None:
    reading = parse(content)
    assert reading.trouble
    assert (reading.folds, reading.records) == (None, ())


def test_a_line_that_is_no_change_is_said_and_the_rest_is_not_used() -> None:
    content = b'{"format": 1, "folds": 3}\n{"title": "A"}\n\xff\n{"title": "B"}\n'
    reading = parse(content)
    assert (reading.folds, reading.records) == (3, ({"title": "A"},))
    assert "line 3" in reading.trouble


def test_one_at_a_time_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "stories" / "Keys.journal"
    journal = Journal.create(path)
    assert journal is not None
    assert is_held(path)
    assert Journal.create(path) is None
    assert Journal.open(path) is None
    journal.append({"title": "Keys"})
    journal.close(remove=False)
    assert not is_held(path)
    again = Journal.open(path)
    assert again is not None
    assert again.read().records == ({"title": "Keys"},)
    again.close(remove=True)
    assert not path.exists()
    assert not is_held(path)


def test_a_torn_line_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "Keys.journal"
    path.write_bytes(b'{"format": 1, "folds": 2}\n{"title": "A"}\n{"title": "Bbbbb')
    journal = Journal.open(path)
    assert journal is not None
    assert journal.read().records == ({"title": "A"},)
    journal.append({"title": "C"})
    journal.close(remove=False)
    assert parse(path.read_bytes()).records == ({"title": "A"}, {"title": "C"})
