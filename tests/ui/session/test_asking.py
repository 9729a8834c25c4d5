"""What was answered stays, up to a bound; what was stopped stays stopped."""

from __future__ import annotations

from mgpt_tui.inference.inspection.answers import Asked, View
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.ui.session import asking
from mgpt_tui.ui.session.asking import SURPRISE, Asking, Wanted
from mgpt_tui.ui.session.session import Session


def session_of(manual) -> Session:
    session = Session(manual, SamplingSettings())
    session.wake()
    manual.be_ready()
    session.handle([manual.events.get()])
    session.write("A key fell")
    return session


def test_an_answer_is_asked_for_once_and_the_oldest_is_forgotten(manual, monkeypatch) -> None:
    monkeypatch.setattr(asking, "MOST", 2)
    questions = Asking(session_of(manual))
    tokens = [Wanted(Asked(View.TOKENS, number)) for number in (1, 2, 3)]
    for wanted in (tokens[0], tokens[1], tokens[0], tokens[2], tokens[0], tokens[1]):
        questions.answer(wanted)
    assert [asked.token for _, asked in manual.inspected] == [1, 2, 3, 2]


def test_of_which_text_is_said_by_the_story_the_whole_or_the_question(manual) -> None:
    session = session_of(manual)
    Asking(session).answer(Wanted(SURPRISE.asked, end=5))
    Asking(session, "Another").answer(SURPRISE)
    Asking(session, "Another").answer(Wanted(SURPRISE.asked, context=("A third",)))
    assert [context for context, _ in manual.inspected] == [("A key",), ("Another",), ("A third",)]
