"""Words that are to come: struck off once they have, and told where they have not."""

from __future__ import annotations

import pytest

from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.ui.session.session import Session
from tests.ui.session.test_session import answers, hear


@pytest.fixture
def session(manual) -> Session:
    session = Session(manual, SamplingSettings(words=("dragon", "run")))
    session.wake()
    manual.be_ready()
    hear(session)
    return session


def listed(session: Session) -> tuple[tuple[str, bool], ...]:
    return session.wishes.listed(session.settings)


def test_words_that_came_leave_the_list(manual, session) -> None:
    session.submit("A mouse")
    manual.begin()
    manual.write(" saw", " dragons", " and")
    hear(session)
    assert listed(session) == (("dragon", True), ("run", False))
    manual.write(" ran.")
    manual.end()
    assert hear(session) == []
    assert session.settings.words == ()
    assert listed(session) == (("dragon", True), ("run", True))
    assert session.wishes.take_came() == ("dragon", "run")
    assert session.wishes.take_came() == ()
    session.submit("")
    assert manual.asked[-1][1].words == ()
    assert listed(session) == ()


def test_words_that_did_not_come_stay_and_are_told(manual, session) -> None:
    session.submit("A dragon")
    (told,) = answers(manual, session, " ran.")
    assert told == "dragon has not come, and is wished for the next passage."
    assert session.settings.words == ("dragon",)
    assert listed(session) == (("dragon", False), ("run", True))


def test_the_passage_is_written_anew_with_its_words(manual, session) -> None:
    session.submit("A mouse")
    answers(manual, session, " saw the dragon.")
    session.retry()
    assert manual.asked[-1][1].words == ("dragon", "run")
    answers(manual, session, " ran to the dragon.")
    assert session.settings.words == ()
    session.settings = SamplingSettings(words=("cake",))
    session.retry()
    assert manual.asked[-1][1].words == ("cake",)


def test_who_stops_has_what_came_struck_off(manual, session) -> None:
    session.submit("A mouse")
    manual.begin()
    manual.write(" ran")
    hear(session)
    session.stop()
    assert session.settings.words == ("dragon",)


def test_what_was_never_written_strikes_nothing_off(manual, session) -> None:
    session.submit("A mouse")
    answers(manual, session, " ran to a dragon.")
    session.wishes.take_came()
    session.settings = SamplingSettings(words=("dragon",))
    session.go_on()
    manual.fail(manual.id)
    hear(session)
    assert session.settings.words == ("dragon",)
    assert session.wishes.take_came() == ()


def test_what_is_kept_of_several_settles_the_list(manual, session) -> None:
    session.submit("A mouse")
    answers(manual, session, " sat.")
    session.compare(2)
    manual.begin()
    manual.write(" The dragon sat.", sample=0)
    manual.write(" The dragons ran.", sample=1)
    hear(session)
    assert [notice.text for notice in session.keep(0)] == [
        "run has not come, and is wished for the next passage."
    ]
    assert session.settings.words == ("run",)
    assert listed(session) == (("dragon", True), ("run", False))
    session.compare(2)
    manual.begin()
    manual.write(" He ran.", sample=1)
    hear(session)
    assert session.keep(None) == [] and session.settings.words == ("run",)


def test_several_that_did_not_come_are_told(manual, session) -> None:
    session.submit("A mouse")
    (told,) = answers(manual, session, " sat.")
    assert told == "dragon, run have not come, and are wished for the next passage."


def test_what_is_struck_off_without_having_come_is_not_ticked_off(manual, session) -> None:
    session.submit("A mouse")
    answers(manual, session, " ran.")
    session.settings = SamplingSettings()
    assert listed(session) == (("run", True),)


def test_a_single_word_is_not_led_and_nothing_is_told_of_it(manual, session) -> None:
    session.submit("A mouse")
    answers(manual, session, " ran to a dragon.")
    session.settings = SamplingSettings(words=("cake",))
    session.go_on(Until.WORD)
    manual.begin()
    assert listed(session) == (("cake", False),)
    manual.write(" The")
    manual.end()
    assert hear(session) == [] and session.settings.words == ("cake",)
