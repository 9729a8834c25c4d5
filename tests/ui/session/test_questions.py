"""What a screen asks the engine through the session, and what becomes of it."""

from __future__ import annotations

import pytest

from mgpt_tui.inference.inspection.asked import Asked, View
from mgpt_tui.inference.inspection.experiments import Cost, CostsView
from mgpt_tui.inference.process.messages import Event, Inspected, Measured, Seen
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase


@pytest.fixture
def session(manual) -> Session:
    """A session with a story, whose engine is ready and says what the test says."""
    session = Session(manual, SamplingSettings())
    session.wake()
    manual.be_ready()
    hear(session)
    session.write("A key fell")
    return session


def hear(session: Session) -> None:
    events: list[Event] = []
    while not session.engine.events.empty():
        events.append(session.engine.events.get())
    assert session.handle(events) == [] or session.phase is Phase.LOADING


def ask(session: Session, *, end: int | None = None) -> Question[Measured]:
    return session.questions.ask(Measured, session.engine.measure, end)


def test_each_question_gets_its_own_answer(manual, session: Session) -> None:
    heard: list[Measured] = []
    first = ask(session, end=5)
    second = session.questions.ask(Measured, manual.measure, then=heard.append)
    assert manual.measured == [("A key",), ("A key fell",)]
    manual.say(Measured(-1002, 4), Measured(-1001, 3), Measured(-1001, 9), Measured(-5, 8))
    hear(session)
    assert first.answer == Measured(-1001, 3)
    assert (second.answer, heard) == (Measured(-1002, 4), [Measured(-1002, 4)])
    assert not (first.is_lost or second.is_lost or first.trouble or second.trouble)


def test_a_question_stops_nothing_that_is_being_written(manual, session: Session) -> None:
    session.submit("")
    manual.begin()
    question = ask(session)
    manual.write(" down")
    manual.say(Measured(-1001, 4))
    hear(session)
    assert session.is_writing
    assert question.answer == Measured(-1001, 4)


def test_a_question_that_fails_says_why_and_nobody_else_does(manual, session: Session) -> None:
    question = ask(session)
    manual.fail(-1001)
    hear(session)
    assert question.trouble == "The model cannot be [read]. Train *another*."
    assert (question.answer, question.is_lost) == (None, False)


def test_what_comes_bit_by_bit_is_open_until_its_last_bit(manual, session: Session) -> None:
    asked, heard = Asked(View.COSTS), list[Inspected]()
    question = session.questions.ask(
        Inspected, lambda context: manual.inspect(context, asked), None, heard.append
    )
    bits = [
        Inspected(-100_001, CostsView((Cost("L1H1", 0.5),) * at, 3), more=at < 3)
        for at in range(1, 4)
    ]
    for bit in bits:
        assert question.is_open
        manual.say(bit)
        hear(session)
        assert question.answer == bit
    assert (question.is_open, heard) == (False, bits)
    manual.say(bits[0])
    hear(session)
    assert question.answer == bits[-1]


def test_a_question_dies_with_the_engine_and_an_answer_does_not(manual, session: Session) -> None:
    answered, open_ = ask(session), ask(session)
    manual.say(Measured(-1001, 4))
    manual.die()
    manual.say(Measured(-1002, 4))
    hear(session)
    assert (answered.answer, answered.is_lost) == (Measured(-1001, 4), False)
    assert (open_.answer, open_.is_lost) == (None, True)


def test_what_another_model_was_asked_is_lost(manual, session: Session) -> None:
    question = ask(session)
    session.switch("tiny")
    manual.fail(-1001)  # as what is open does when an engine is sent away
    hear(session)
    assert (question.trouble, question.is_lost) == ("", True)


def test_a_question_is_lost_where_the_engine_cannot_start_again(manual, session: Session) -> None:
    question = ask(session)
    manual.fail(None)
    manual.fail(-1001)
    assert len(session.handle(list(manual.events.queue))) == 1
    assert (question.trouble, question.is_lost) == ("", True)


def test_a_question_is_lost_at_once_where_no_engine_is_ready(manual, session: Session) -> None:
    fresh = Session(manual, SamplingSettings())
    fresh.wake()
    manual.die()
    hear(session)
    assert session.phase is Phase.LOADING
    for question in (fresh.look(0), session.look(0)):
        assert (question.kind, question.is_lost, manual.looked) == (Seen, True, [])
    manual.be_ready()
    hear(session)
    assert session.look(0).is_open
