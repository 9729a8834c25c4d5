"""Who goes on after an ending gets a story that goes on: with a turn, in a paragraph."""

from __future__ import annotations

import pytest

from mgpt_tui.inference.closing import TURNS
from mgpt_tui.inference.process.messages import Ranked
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.ui.session.session import Session
from tests.ui.session.test_session import answers, hear

TURN = TURNS[3]
CLOSED = "A key fell. The end."


@pytest.fixture
def session(manual) -> Session:
    session = Session(manual, SamplingSettings())
    session.wake()
    manual.be_ready()
    hear(session)
    return session


def rank(manual, session: Session) -> None:
    """Answer what was asked last: a turn is likelier than the others."""
    _, turns = manual.ranked[-1]
    scores = tuple(-1.0 if turn == TURN else -2.0 for turn in turns)
    manual.say(Ranked(-50_000 - len(manual.ranked), scores))
    hear(session)


@pytest.mark.parametrize("until", [Until.LENGTH, Until.END])
def test_the_likeliest_turn_begins_what_comes_after_an_end(manual, session, until) -> None:
    session.write("A key")
    session.go_on()
    answers(manual, session, " fell.", reason=FinishReason.END)
    session.go_on(until)
    assert manual.ranked == [(("A key", (1001,)), TURNS)]
    assert len(manual.asked) == 1
    rank(manual, session)
    assert manual.asked[1][0] == ("A key", (1001,), TURN)
    answers(manual, session, " it rang.")
    assert session.story.text == f"A key fell.{TURN} it rang."
    assert session.story.spans[-1].settings == SamplingSettings()
    session.retry()
    answers(manual, session, " it sang.")
    assert session.story.text == f"A key fell.{TURN} it sang."
    session.undo()
    session.undo()
    assert session.story.text == "A key fell."
    session.redo()
    assert session.story.text == f"A key fell.{TURN} it rang."


def test_a_story_that_says_so_has_ended_and_takes_no_turn_twice(manual, session) -> None:
    session.write(f"{CLOSED}{TURN} it rang. And they lived happily ever after.")
    session.go_on()
    assert manual.ranked[-1][1] == tuple(turn for turn in TURNS if turn != TURN)
    session.write("And then it")
    session.go_on()
    assert len(manual.ranked) == len(manual.asked) == 1


def test_whoever_does_something_else_meanwhile_gets_no_turn(manual, session) -> None:
    session.write(CLOSED)
    session.go_on()
    session.stop()
    rank(manual, session)
    assert session.story.text == CLOSED and not manual.asked
    session.go_on()
    manual.fail(-50_002)
    hear(session)
    assert manual.asked[-1][0] == (CLOSED,)  # it goes on all the same


def test_a_turn_that_dies_with_the_engine_begins_nothing(manual, session) -> None:
    session.write(CLOSED)
    session.go_on()
    manual.die()
    hear(session)
    manual.be_ready()
    hear(session)
    assert session.story.text == CLOSED and not manual.asked


def test_all_continuations_side_by_side_take_the_turn(manual, session) -> None:
    session.write(CLOSED)
    before = session.story
    session.compare(2)
    rank(manual, session)
    assert manual.asked[-1][0] == (CLOSED + TURN,) or manual.asked[-1][0] == (CLOSED, TURN)
    manual.begin()
    for sample in range(2):
        manual.write(f" {sample}.", sample=sample)
        manual.end(sample=sample)
    hear(session)
    assert session.comparison is not None and session.comparison.turn == TURN
    session.keep(1)
    assert session.story.text == f"{CLOSED}{TURN} 1."
    session.undo()
    assert session.story.here == before.here
    session.compare(2)
    rank(manual, session)
    session.keep(None)
    assert session.story.here == before.here
