"""What the app may expect of an engine: the real one and the one that tests script keep to it."""

from __future__ import annotations

import os
import queue
import signal
from collections.abc import Iterator

import pytest

from mgpt_tui.inference.inspection.answers import Asked, SurpriseView, View
from mgpt_tui.inference.process.client import EngineClient, EngineLike
from mgpt_tui.inference.process.messages import (
    Bridged,
    Chunks,
    Died,
    Ended,
    Event,
    Inspected,
    Measured,
    Ranked,
    Ready,
    Seen,
    Started,
    Told,
)
from mgpt_tui.inference.request import Gap, SamplingSettings
from mgpt_tui.model.checkpoint import save_checkpoint
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase
from tests.ui.conftest import FakeEngine
from tests.waiting import PATIENCE

STORY = "Once there was a fox"
SETTINGS = SamplingSettings(max_tokens=8, seed=7, finish_sentence=False, ignore_end=True)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, tiny_model, byte_tokenizer) -> str:
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_checkpoint(folder, tiny_model, byte_tokenizer, {})
    return str(folder)


@pytest.fixture(scope="module", params=["the real one", "the scripted one"])
def engine(request, checkpoint, tmp_path_factory) -> Iterator[EngineLike]:
    """An engine that is ready."""
    if request.param == "the scripted one":
        made: EngineLike = FakeEngine()
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MGPT_STATE_DIR", str(tmp_path_factory.mktemp("state")))
            made = EngineClient(checkpoint)
    made.start()
    ready = answer(made)
    assert isinstance(ready, Ready)
    assert ready.parameters > 0 and ready.fingerprints[0] == ready.fingerprint
    yield made
    made.close()
    with pytest.raises(queue.Empty):  # least of all that it died
        made.events.get_nowait()


def answer(engine: EngineLike) -> Event:
    return engine.events.get(timeout=PATIENCE)


def passage(engine: EngineLike, samples: int) -> list[Event]:
    """All that is said of a generation, up to the end of its last sample."""
    events: list[Event] = []
    while sum(isinstance(event, Ended) for event in events) < samples:
        events.append(answer(engine))
    return events


def test_a_passage_begins_comes_in_pieces_and_ends(engine) -> None:
    id = engine.generate((STORY,), SETTINGS)
    started, *chunks, ended = passage(engine, 1)
    assert isinstance(started, Started) and isinstance(ended, Ended)
    assert {event.id for event in (started, *chunks, ended)} == {id}
    assert started.seed == ended.finished.seed == SETTINGS.seed
    assert started.window_start == 0
    assert chunks and all(isinstance(event, Chunks) and event.chunks for event in chunks)
    tokens = [token for event in chunks for chunk in event.chunks for token in chunk.tokens]
    assert len(tokens) == ended.finished.tokens > 0
    assert ended.finished.context_tokens == started.context_tokens + len(tokens)


def test_samples_are_told_apart_and_each_ends(engine) -> None:
    id = engine.generate((STORY,), SETTINGS, samples=3)
    started, *rest = passage(engine, 3)
    assert isinstance(started, Started) and started.id == id
    over: set[int] = set()
    for event in rest:
        assert isinstance(event, Chunks | Ended) and event.id == id
        assert event.sample not in over
        if isinstance(event, Ended):
            over.add(event.sample)
            assert event.finished.seed == started.seed + event.sample
    assert over == {0, 1, 2}


def test_a_seed_that_is_left_out_is_drawn_and_told(engine) -> None:
    engine.generate((STORY,), SamplingSettings(max_tokens=1))
    started, *_, ended = passage(engine, 1)
    assert isinstance(started, Started) and isinstance(ended, Ended)
    assert started.seed == ended.finished.seed >= 0


def test_questions_are_answered_under_their_ids(engine) -> None:
    look = engine.look((STORY,), SETTINGS, 3)
    seen = answer(engine)
    assert isinstance(seen, Seen) and seen.id == look
    assert 0 < len(seen.distribution.alternatives) <= 3
    measure = engine.measure((STORY,))
    measured = answer(engine)
    assert isinstance(measured, Measured) and measured.id == measure
    rank = engine.rank((STORY,), (" It", " Then it"))
    ranked = answer(engine)
    assert isinstance(ranked, Ranked) and ranked.id == rank
    assert len(ranked.scores) == 2 and max(ranked.scores) < 0
    tell = engine.tell((STORY,), SETTINGS)
    told = answer(engine)
    assert isinstance(told, Told) and told.id == tell and told.text
    assert told.finished.tokens == SETTINGS.max_tokens
    engine.generate((STORY,), SETTINGS)
    started, *_ = passage(engine, 1)
    assert isinstance(started, Started)
    assert measured.context_tokens == started.context_tokens
    assert len({look, measure, started.id}) == 3


def test_what_is_looked_into_covers_the_text(engine) -> None:
    id = engine.inspect((STORY,), Asked(View.SURPRISE))
    inspected = answer(engine)
    assert isinstance(inspected, Inspected) and inspected.id == id and not inspected.more
    told = inspected.answer
    assert isinstance(told, SurpriseView)
    assert "".join(token.text for token in told.tokens) == STORY
    assert told.tokens[-1].end == len(STORY)


def test_bridges_are_told_until_there_are_no_more(engine) -> None:
    id = engine.bridge(Gap((STORY,), (" It was.",)), SETTINGS, 12)
    while True:
        bridged = answer(engine)
        assert isinstance(bridged, Bridged) and bridged.id == id
        if not bridged.more:
            break
    assert all(SETTINGS.seed <= way.seed < SETTINGS.seed + 12 for way in bridged.ways)


def test_a_stop_that_comes_too_late_says_nothing(engine) -> None:
    id = engine.generate((STORY,), SETTINGS)
    passage(engine, 1)
    engine.stop(id)
    measure = engine.measure((STORY,))
    measured = answer(engine)
    assert isinstance(measured, Measured) and measured.id == measure


def test_another_model_says_that_it_is_ready(engine, checkpoint) -> None:
    engine.switch(checkpoint)
    ready = answer(engine)
    assert isinstance(ready, Ready) and ready.model == checkpoint
    engine.generate((STORY,), SETTINGS)
    assert isinstance(passage(engine, 1)[-1], Ended)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("is_real", [True, False], ids=["the real one", "the scripted one"])
def test_a_death_loses_all_that_was_asked_and_nothing_else_is_said(is_real, checkpoint) -> None:
    engine = EngineClient(checkpoint) if is_real else FakeEngine(automatic=False)
    session = Session(engine, SETTINGS)
    session.wake()
    if isinstance(engine, FakeEngine):
        engine.be_ready()
    assert session.handle([answer(engine)]) == []
    session.write(STORY)
    if isinstance(engine, EngineClient):
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSTOP)  # so that it answers nothing
    session.go_on()
    questions = [session.questions.ask(Measured, engine.measure, end) for end in (4, 8)]
    if isinstance(engine, EngineClient):
        os.kill(engine.pid or 0, signal.SIGKILL)
    else:
        engine.die(-signal.SIGKILL)
    died = answer(engine)
    assert died == Died(-signal.SIGKILL)
    (notice,) = session.handle([died])
    assert "Your text is safe" in notice.text
    assert (session.phase, session.is_writing) == (Phase.LOADING, False)
    assert [(question.is_lost, question.trouble) for question in questions] == [(True, "")] * 2
    if isinstance(engine, FakeEngine):
        engine.be_ready()
    assert isinstance(answer(engine), Ready)  # of the one that was started in its place
    engine.close()
