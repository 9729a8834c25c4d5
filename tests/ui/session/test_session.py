"""Writing together, without a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mgpt_tui.inference.process.messages import Event, Measured, Ready
from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.stories.formats import from_json, to_json
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(manual, clock: Clock) -> Session:
    """A session whose engine is ready and says what the test says."""
    session = Session(manual, SamplingSettings(), clock)
    session.wake()
    manual.be_ready()
    hear(session)
    return session


def hear(session: Session) -> list[str]:
    """Take in everything that the engine said; gives the notices' texts."""
    events: list[Event] = []
    while not session.engine.events.empty():
        events.append(session.engine.events.get())
    return [notice.text for notice in session.handle(events)]


def test_a_line_is_sent_and_the_model_goes_on(manual, session: Session) -> None:
    session.submit("The girl found a key")
    assert manual.asked == [(("The girl found a key",), SamplingSettings())]
    manual.begin()
    manual.write(" on", " the", " ground.")
    hear(session)
    assert session.is_writing
    assert session.story.text == "The girl found a key on the ground."
    manual.end()
    hear(session)
    assert not session.is_writing
    last = session.story.spans[-1]
    assert (last.tokens, last.seed) == ((1001, 1002, 1003), manual.seed)
    assert (last.model, last.fingerprint) == ("storyteller", "f" * 64)
    assert last.decoding == "int8 on cpu"


def test_going_on_reads_the_models_own_tokens(manual, session: Session) -> None:
    for line in ("A key", ""):
        session.submit(line)
        manual.begin()
        manual.write(" fell.")
        manual.end()
        hear(session)
    assert manual.asked[1][0] == ("A key", (1001,))
    assert session.story.text == "A key fell. fell."


def ended(manual, session: Session) -> None:
    """Tell a story that the model brings to its end, which nobody remembers any more."""
    session.submit("A key")
    manual.begin()
    manual.write(" fell.")
    manual.end(FinishReason.END)
    hear(session)
    session.undo()
    session.redo()


ONWARD = SamplingSettings(ignore_end=True)


def answers(manual, session: Session, *words: str, reason=FinishReason.LENGTH) -> list[str]:
    """Let the engine write these words and end; gives the notices' texts."""
    manual.begin()
    manual.write(*words)
    manual.end(reason)
    return hear(session)


@pytest.mark.parametrize(
    ("step", "told", "until"),
    [
        (lambda session: session.submit(""), "A key fell. It rang.", Until.LENGTH),
        (lambda session: session.submit("And"), "A key fell. And It rang.", Until.LENGTH),
        (lambda session: session.go_on(Until.WORD), "A key fell. It rang.", Until.WORD),
        (lambda session: session.go_on(Until.END), "A key fell. It rang.", Until.LENGTH),
        (
            lambda session: session.choose(len("A key"), " broke.", 7),
            "A key broke. It rang.",
            Until.LENGTH,
        ),
        (lambda session: session.retry(), "A key It rang.", Until.LENGTH),
        (
            lambda session: (session.undo(), session.redo(), session.submit("")),
            "A key fell. It rang.",
            Until.LENGTH,
        ),
        (
            lambda session: (
                session.tell(from_json(to_json(session.story), "")[0]),
                session.go_on(),
            ),
            "A key fell. It rang.",
            Until.LENGTH,
        ),
    ],
    ids=[
        "enter",
        "line",
        "word",
        "to the end",
        "another word",
        "retry",
        "undone and redone",
        "opened again",
    ],
)
@pytest.mark.parametrize("words", [(), ("\n",)], ids=["nothing", "a blank"])
def test_who_asks_the_model_to_go_on_is_not_told_that_the_story_ends(
    manual, session: Session, step, told: str, until: Until, words: tuple[str, ...]
) -> None:
    ended(manual, session)
    step(session)
    assert manual.asked[-1][1] == SamplingSettings()  # it may end the story, with a passage
    assert answers(manual, session, *words, reason=FinishReason.END) == []
    assert [manual.asked[-1], manual.untils[-1]] == [(manual.asked[-2][0], ONWARD), until]
    answers(manual, session, " It rang.")
    assert session.story.text == told
    assert session.story.spans[-1].settings == ONWARD
    assert len(manual.asked) == 3


def test_a_passage_may_end_the_story(manual, session: Session) -> None:
    ended(manual, session)
    session.submit("")
    answers(manual, session, " The end.", reason=FinishReason.END)
    assert session.story.text == "A key fell. The end."
    assert len(manual.asked) == 2


def test_going_past_the_end_can_be_stopped_and_undone(manual, session: Session) -> None:
    ended(manual, session)
    session.undo()
    session.redo()
    session.submit("")
    answers(manual, session, reason=FinishReason.END)
    session.stop()
    assert session.story.text == "A key fell."
    session.submit("")
    answers(manual, session, reason=FinishReason.END)
    answers(manual, session, " It rang.")
    session.undo()
    assert session.story.text == "A key fell."


def test_continuations_are_not_empty(manual, session: Session) -> None:
    ended(manual, session)
    session.compare(3)
    manual.begin()
    seed = manual.seed
    manual.write(" Once", " more.", sample=1)
    for sample in range(3):
        manual.end(FinishReason.END, sample=sample)
    hear(session)
    assert manual.asked[-1] == (manual.asked[-2][0], replace(ONWARD, seed=seed))
    assert manual.samples == 3
    manual.begin()
    for sample in range(3):
        manual.write(f" {sample}", sample=sample)
    for sample in (0, 2):
        manual.end(sample=sample)
    hear(session)
    assert not session.is_writing
    assert manual.stopped == [manual.id]  # what sample 1 would be is not wanted
    assert session.comparison is not None
    columns = session.comparison.columns
    assert [column.text for column in columns] == [" 0", " Once more.", " 2"]
    assert [column.seed for column in columns] == [seed, seed + 1, seed + 2]
    session.keep(2)
    written = [session.story.nodes[id].span.settings for id in session.story.siblings]
    assert written == [ONWARD, SamplingSettings(), ONWARD]
    assert session.story.text == "A key fell. 2"


def test_an_empty_prompt_starts_a_story_from_nothing(manual, session: Session) -> None:
    session.submit("")
    assert manual.asked == [((), SamplingSettings())]


def test_stopping_keeps_the_text_and_hears_no_more(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell", " down")
    hear(session)
    session.stop()
    assert manual.stopped == [1]
    assert session.story.text == "A key fell down"
    manual.write(" late")
    manual.end(FinishReason.CANCELLED)
    hear(session)
    assert session.story.text == "A key fell down"
    assert session.meter.reason is FinishReason.CANCELLED


def test_stopping_before_the_first_word_leaves_no_trace(manual, session: Session) -> None:
    session.submit("A key")
    session.stop()
    assert [span.text for span in session.story.spans] == ["A key"]
    session.undo()
    assert session.story.spans == ()


def test_retry_replaces_one_passage_with_a_new_seed(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell")
    manual.end()
    hear(session)
    session.retry()
    assert manual.asked[1][0] == ("A key",)
    assert manual.asked[1][1].seed is None
    manual.begin()
    manual.write(" rang")
    manual.end()
    hear(session)
    assert session.story.text == "A key rang"
    session.undo()
    assert session.story.text == "A key fell"
    session.redo()
    assert session.story.text == "A key rang"


def test_retry_while_writing_begins_anew(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fe")
    hear(session)
    session.retry()
    assert manual.stopped == [1]
    assert session.story.text == "A key"
    manual.begin()
    manual.write(" rang")
    manual.end()
    hear(session)
    assert session.story.text == "A key rang"


def test_retry_that_fails_gives_the_old_passage_back(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell")
    manual.end()
    hear(session)
    session.retry()
    manual.fail(2)
    notices = hear(session)
    assert "cannot be [read]" in notices[0]
    assert "Train *another*" in notices[0]
    assert session.story.text == "A key fell"


def test_settings_count_from_the_next_generation_on(manual, session: Session) -> None:
    session.submit("A key")
    session.settings = SamplingSettings(temperature=0.1, seed=7)
    assert manual.asked[0][1] == SamplingSettings()
    session.retry()
    assert manual.asked[1][1] == SamplingSettings(temperature=0.1, seed=7)


def test_a_line_before_the_engine_is_ready_waits(manual, clock: Clock) -> None:
    session = Session(manual, SamplingSettings(), clock)
    session.wake()
    session.submit("A key")
    session.submit("")
    session.submit("fell")
    assert (session.is_waiting, manual.asked) == (True, [])
    manual.be_ready()
    hear(session)
    assert [context for context, _ in manual.asked] == [("A key fell",)]
    assert not session.is_waiting


def test_what_waits_can_be_stopped(manual, clock: Clock) -> None:
    session = Session(manual, SamplingSettings(), clock)
    session.wake()
    session.submit("A key")
    session.stop()
    manual.be_ready()
    hear(session)
    assert manual.asked == []
    assert session.story.text == "A key"


def test_enter_on_an_empty_line_changes_nothing_while_writing(manual, session: Session) -> None:
    session.submit("A key")
    session.submit("")
    assert len(manual.asked) == 1
    assert session.is_writing


def test_a_line_while_writing_stops_and_goes_on(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell")
    hear(session)
    session.submit("and rang")
    assert manual.stopped == [1]
    assert session.story.text == "A key fell and rang"
    assert len(manual.asked) == 2


def test_a_crash_costs_no_text_and_the_engine_is_started_again(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell")
    manual.die()
    notices = hear(session)
    assert "-11" in notices[0]
    assert "safe" in notices[0]
    assert manual.starts == 2
    assert session.phase is Phase.LOADING
    assert session.story.text == "A key fell"
    session.submit("")
    manual.be_ready()
    hear(session)
    assert len(manual.asked) == 2


def test_three_deaths_in_a_row_are_enough(manual, session: Session, clock: Clock) -> None:
    for _ in range(2):
        manual.die()
        hear(session)
        clock.now += 5
    assert manual.starts == 3
    manual.die()
    notices = hear(session)
    assert session.phase is Phase.DOWN
    assert manual.starts == 3
    assert "engine.log" in notices[0]
    session.submit("A key")
    assert (manual.starts, session.phase) == (4, Phase.LOADING)
    manual.be_ready()
    hear(session)
    assert len(manual.asked) == 1


def test_deaths_far_apart_do_not_add_up(manual, session: Session, clock: Clock) -> None:
    for _ in range(6):
        manual.die()
        hear(session)
        clock.now += 11
    assert manual.starts == 7


def test_a_model_that_cannot_be_loaded_is_said_and_not_tried_for_ever(manual, clock: Clock) -> None:
    session = Session(manual, SamplingSettings(), clock)
    session.wake()
    session.submit("A key")
    manual.fail(None)
    manual.die(2)
    notices = hear(session)
    assert len(notices) == 1
    assert "Train *another*" in notices[0]
    assert (manual.starts, session.phase) == (1, Phase.DOWN)
    assert session.trouble == "The model cannot be [read]."
    assert session.story.text == "A key"


def test_the_meter_counts_while_text_streams(manual, session: Session, clock: Clock) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" one")
    hear(session)
    clock.now += 0.5
    manual.write(" two", " three", " four", " five", " six")
    hear(session)
    assert session.meter.context_tokens == manual.read + 6
    assert session.meter.rate == pytest.approx(10.0)
    assert session.story.seed == manual.seed
    manual.end()
    hear(session)
    assert session.meter.context_tokens == manual.read + 6
    assert session.meter.rate == pytest.approx(12.0)


def test_the_window_is_the_models_own_rule(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(*(" x" for _ in range(254)))
    hear(session)
    assert (session.meter.context_tokens, session.meter.window_start) == (257, 128)


def test_continuations_side_by_side_do_not_make_the_story_longer(manual, session: Session) -> None:
    session.submit("A key")
    answers(manual, session, " fell")
    length = session.meter.context_tokens
    session.compare(2)
    manual.begin()
    manual.write(*(" x" for _ in range(300)), sample=0)
    hear(session)
    assert session.meter.context_tokens == length
    session.stop()
    session.keep(None)
    assert (session.meter.context_tokens, session.meter.window_start) == (length, 0)


def measured(manual, session: Session, tokens: int) -> None:
    """Let the engine answer the last question after a length."""
    manual.say(Measured(-1000 - len(manual.measured), tokens))
    hear(session)


def test_a_story_that_was_changed_by_hand_is_measured(manual, session: Session) -> None:
    session.submit("A key")
    answers(manual, session, " fell")
    assert manual.measured == []  # generation itself tells the length
    session.edit("A red key fell")
    assert manual.measured == [("A red key", (1001,))]
    assert session.meter.context_tokens is None
    measured(manual, session, 300)
    assert (session.meter.context_tokens, session.meter.window_start) == (300, 128)
    session.undo()
    session.redo()
    assert session.meter.context_tokens == 300
    assert len(manual.measured) == 1


def test_a_kept_continuation_and_an_opened_story_are_measured(manual, session: Session) -> None:
    session.submit("A key")
    answers(manual, session, " fell")
    session.compare(2)
    manual.begin()
    manual.write(" down", sample=1)
    hear(session)
    session.keep(1)
    assert manual.measured == [("A key", (1001,), (1001,))]
    measured(manual, session, 5)
    assert session.meter.context_tokens == 5
    session.tell(type(session.story)().write("A door"))
    assert session.meter.context_tokens is None
    measured(manual, session, 3)
    assert session.meter.context_tokens == 3


def test_a_length_that_comes_too_late_is_not_shown(manual, session: Session) -> None:
    session.tell(type(session.story)().write("A door"))
    session.submit("opened")
    manual.begin()
    hear(session)
    length = session.meter.context_tokens
    measured(manual, session, 99)
    assert session.meter.context_tokens == length


def test_a_story_is_measured_once_the_engine_is_ready(manual, clock: Clock) -> None:
    session = Session(manual, SamplingSettings(), clock)
    session.wake()
    session.tell(type(session.story)().write("A door"))
    assert manual.measured == []
    manual.be_ready()
    hear(session)
    assert manual.measured == [("A door",)]
    manual.fail(-1001)  # such a story cannot be read, say
    assert hear(session) == []
    assert session.meter.context_tokens is None


def test_another_model_measures_anew(manual, session: Session) -> None:
    session.tell(type(session.story)().write("A door"))
    measured(manual, session, 3)
    session.switch("tiny")
    manual.say(Ready("tiny", 1000, 128, "e" * 64, "int8 on cpu"))
    hear(session)
    assert len(manual.measured) == 2
    measured(manual, session, 130)
    assert (session.meter.context_tokens, session.meter.window_start) == (130, 64)
    manual.die()
    manual.say(Ready("tiny", 1000, 128, "e" * 64, "int8 on cpu"))
    hear(session)
    assert len(manual.measured) == 2


def test_undo_shows_the_length_that_was_measured(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell")
    manual.end()
    hear(session)
    after = session.meter.context_tokens
    session.undo()
    assert session.meter.context_tokens == manual.read
    session.redo()
    assert session.meter.context_tokens == after
    session.undo()
    session.undo()
    assert session.meter.context_tokens is None


def test_a_story_that_is_too_long_is_told_once(manual, session: Session) -> None:
    for count in range(2):
        session.submit("word " * 400)
        manual.begin(window_start=256)
        notices = hear(session)
        assert len(notices) == (1 if count == 0 else 0)
        manual.write(" x")
        manual.end()
        hear(session)


def test_what_the_model_writes_is_cleaned(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write("\x1b[2J", "\r", "\nend", "\r")
    hear(session)
    session.stop()
    assert session.story.text == "A key␛[2J\nend\n"


def test_another_story_begins_with_nothing_of_the_last(manual, session: Session) -> None:
    session.submit("A key")
    manual.begin()
    manual.write(" fell")
    hear(session)
    session.tell(type(session.story)().write("A door"))
    manual.write(" late")
    manual.end()
    hear(session)
    assert session.story.text == "A door"
    assert session.meter.context_tokens is None
    assert not session.story.ends_with_model
