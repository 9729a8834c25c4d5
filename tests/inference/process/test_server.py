"""The engine process from the inside: requests in, events out, whatever goes wrong."""

import subprocess
import sys
from dataclasses import replace

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.answering import answers
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.inspection.answers import (
    AttentionView,
    BesideView,
    DrawView,
    LensView,
    NeuronsView,
    PartsView,
    SurpriseView,
    TokensView,
)
from mgpt_tui.inference.inspection.asked import LONG, Asked, Drawing, View
from mgpt_tui.inference.inspection.experiments import (
    AgainView,
    CostsView,
    FiringView,
    MuteView,
    Shape,
    TraceView,
    WhatIfView,
)
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.inference.process.lines import ProtocolError, decode, encode
from mgpt_tui.inference.process.messages import (
    Bridge,
    Bridged,
    Chunks,
    Ended,
    Failed,
    Generate,
    Inspect,
    Inspected,
    Look,
    Measure,
    Measured,
    Ready,
    Replaced,
    Seen,
    Started,
    Stop,
    Tell,
    Told,
)
from mgpt_tui.inference.process.server import Server
from mgpt_tui.inference.request import FinishReason, Gap, SamplingSettings, Until
from mgpt_tui.inference.steering.bridge import Progress, bridges
from tests.waiting import PATIENCE

SAMPLING = SamplingSettings(max_tokens=12, seed=3)


@pytest.fixture
def engine(tiny_model, byte_tokenizer):
    return Engine(PlainDecoder(tiny_model), byte_tokenizer)


@pytest.fixture
def events():
    return []


@pytest.fixture
def server(events):
    return Server(events.append)


@pytest.fixture
def ungathered(monkeypatch):
    """Every piece of text is sent at once."""
    monkeypatch.setattr("mgpt_tui.inference.process.server.GATHERED", 0.0)


def written(events):
    """The pieces of text among the events."""
    return [chunk for event in events if isinstance(event, Chunks) for chunk in event.chunks]


def test_a_generation_is_started_streamed_and_ended(server, events, engine):
    server.take(encode(Generate(7, ("The fox",), SAMPLING)))
    server.answer_next(engine)
    started, *told, ended = events
    assert started == Started(id=7, context_tokens=8, window_start=0, seed=3)
    assert all(isinstance(event, Chunks) and event.id == 7 for event in told)
    chunks = written(told)
    assert chunks == list(engine.stream(["The fox"], SAMPLING))
    assert isinstance(ended, Ended)
    assert ended.finished.tokens == sum(len(chunk.tokens) for chunk in chunks)


def test_two_models_tell_the_same_beginning(server, events, engine, tiny_checkpoint):
    server.take(encode(Tell(7, ("The fox",), SAMPLING)))
    server.take(encode(Tell(8, ("The fox",), SAMPLING, str(tiny_checkpoint))))
    server.take(encode(Tell(9, ("The fox",), SAMPLING, "nothing")))
    for _ in range(3):
        server.answer_next(engine)
    own, other, none = events
    assert isinstance(own, Told) and own.id == 7
    assert own.text == "".join(chunk.text for chunk in engine.stream(["The fox"], SAMPLING))
    assert isinstance(other, Told) and other.finished.seed == own.finished.seed == 3
    assert isinstance(none, Failed) and "no model" in none.message


def test_text_is_gathered_before_it_is_sent(server, events, engine, monkeypatch):
    """A screen does not change a thousand times a second; the first words come at once."""
    monkeypatch.setattr("mgpt_tui.inference.process.server.GATHERED", 1000.0)
    server.take(encode(Generate(7, ("The fox",), SAMPLING)))
    server.answer_next(engine)
    first, rest = [event for event in events if isinstance(event, Chunks)]
    assert len(first.chunks) == 1
    assert written([first, rest]) == list(engine.stream(["The fox"], SAMPLING))


def test_what_was_gathered_is_sent_before_a_failure(server, events, engine, monkeypatch):
    monkeypatch.setattr("mgpt_tui.inference.process.server.GATHERED", 1000.0)
    whole = list(engine.stream(["The fox"], SAMPLING))
    read, calls = engine.decoder.read, []

    def failing(tokens, cache):
        calls.append(tokens)
        if len(calls) == 8:
            raise RuntimeError("broken")
        return read(tokens, cache)

    engine.decoder.read = failing
    server.take(encode(Generate(7, ("The dog",), SAMPLING)))
    server.answer_next(engine)
    assert isinstance(events[-1], Failed)
    assert 2 <= len(written(events)) < len(whole)


@pytest.mark.usefixtures("ungathered")
def test_samples_take_turns_and_end_one_by_one(server, events, engine):
    server.take(encode(Generate(7, ("The fox",), SAMPLING, samples=3)))
    server.answer_next(engine)
    started, *told = events
    assert started.seed == 3
    chunks = [event for event in told if isinstance(event, Chunks)]
    ends = [event for event in told if isinstance(event, Ended)]
    assert [chunk.sample for chunk in chunks[:6]] == [0, 1, 2, 0, 1, 2]
    assert sorted(end.sample for end in ends) == [0, 1, 2]
    for end in ends:
        settings = replace(SAMPLING, seed=3 + end.sample)
        own = written(chunk for chunk in chunks if chunk.sample == end.sample)
        assert own == list(engine.stream(["The fox"], settings))
        assert end.finished.seed == settings.seed
        assert all(event.sample != end.sample for event in told[told.index(end) + 1 :])


@pytest.mark.usefixtures("ungathered")
def test_a_stop_ends_all_samples(server, events, engine):
    endless = replace(SAMPLING, ignore_end=True, max_tokens=10**6)
    server.take(encode(Generate(1, (), endless, samples=3)))
    send = server._send

    def stop_after_a_while(event):
        send(event)
        if len(events) == 20:
            server.take(encode(Stop(1)))

    server._send = stop_after_a_while
    server.answer_next(engine)
    ends = [event for event in events if isinstance(event, Ended)]
    assert [end.finished.reason for end in ends] == [FinishReason.CANCELLED] * 3


def test_how_far_to_go_reaches_the_engine(server, events, engine):
    settings = SamplingSettings(seed=3, bias=(" =4", "a=2"))
    server.take(encode(Generate(1, ("a",), settings, Until.WORD)))
    server.answer_next(engine)
    text = "".join(chunk.text for chunk in written(events))
    assert len(text.split()) == 1 and not text.endswith(" ")
    assert events[-1].finished.reason is FinishReason.STOP
    expected = engine.stream(["a"], settings, until=Until.WORD)
    assert text == "".join(chunk.text for chunk in expected)


def test_a_look_is_answered(server, events, engine):
    server.take(encode(Look(5, ("The fox",), SAMPLING, 3)))
    server.take(encode(Look(6, ((999_999,),), SAMPLING, 3)))
    server.answer_next(engine)
    server.answer_next(engine)
    view = engine.look(["The fox"], SAMPLING, 3)
    assert events[0] == Seen(5, view)
    assert isinstance(events[1], Failed) and events[1].id == 6
    assert decode(encode(events[0])) == events[0]


@pytest.mark.parametrize("context", [(), ("The fox",), ("word " * 50, (70, 71), " and")])
def test_a_story_is_as_long_as_a_generation_would_find_it(server, events, engine, context):
    server.take(encode(Measure(1, context)))
    server.take(encode(Generate(2, context, SAMPLING)))
    server.answer_next(engine)
    server.answer_next(engine)
    assert events[0] == Measured(1, events[1].context_tokens)


def test_what_cannot_be_measured_is_told(server, events, engine):
    server.take(encode(Measure(1, ((999_999,),))))
    server.answer_next(engine)
    assert isinstance(events[0], Failed) and events[0].id == 1


def test_a_long_prompt_is_told_at_the_start(server, events, engine):
    server.take(encode(Generate(1, ("word " * 50,), SAMPLING)))
    server.answer_next(engine)
    assert events[0].window_start > 0


def test_what_is_stopped_while_it_waits_ends_at_once(server, events, engine):
    server.take(encode(Generate(1, (), SAMPLING)))
    server.take(encode(Stop(1)))
    server.take(encode(Generate(2, (), SAMPLING)))
    server.answer_next(engine)
    server.answer_next(engine)
    first, second = [event for event in events if isinstance(event, Ended)]
    assert first.finished.reason is FinishReason.CANCELLED
    assert first.finished.tokens == 0
    assert second.finished.reason is not FinishReason.CANCELLED


def test_stopping_what_is_not_there_is_harmless(server, events, engine):
    server.take(encode(Stop(99)))
    server.take(encode(Generate(1, (), SAMPLING)))
    server.answer_next(engine)
    server.take(encode(Stop(1)))
    assert isinstance(events[-1], Ended)


def test_a_failed_request_is_told_and_the_next_is_served(
    server, events, engine, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(engine.decoder.model, "head", broken)
        server.take(encode(Generate(1, (), SAMPLING)))
        server.answer_next(engine)
    assert isinstance(events[-1], Failed)
    assert events[-1].id == 1
    assert "ArithmeticError one and one is three." in events[-1].message
    assert "engine.log" in events[-1].remedy
    assert "Traceback" in capsys.readouterr().err
    server.take(encode(Generate(2, (), SAMPLING)))
    server.answer_next(engine)
    assert isinstance(events[-1], Ended)


def broken(hidden):
    raise ArithmeticError("one and one is three")


def test_a_users_error_is_told_with_its_remedy(server, events, engine, capsys):
    server.take(encode(Generate(1, ((999_999,),), SAMPLING)))
    server.answer_next(engine)
    with pytest.raises(UserError) as error:
        engine.encode([(999_999,)])
    assert events == [Failed(1, error.value.message, error.value.remedy)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("line", [b"hello\n", encode(Ready("m", 1, 2, "f", "d"))])
def test_what_is_no_request_is_refused(server, line):
    with pytest.raises(ProtocolError):
        server.take(line)


def test_two_requests_with_one_id_are_no_requests(server, events, engine):
    server.take(encode(Generate(7, ("The fox",), SAMPLING)))
    with pytest.raises(ProtocolError, match="two requests 7"):
        server.take(encode(Measure(7, ("The fox",))))
    server.answer_next(engine)
    assert isinstance(events[-1], Ended)
    server.take(encode(Measure(7, ("The fox",))))  # the id is free again
    server.answer_next(engine)
    assert events[-1] == Measured(7, 8)


NOISY = """
import os, sys
from mgpt_tui.errors import UserError
from mgpt_tui.inference.process import server

def load(name, send):
    print("stray", flush=True)
    os.system("echo stray from a child")
    assert sys.stdin.read() == ""
    raise UserError("No model today.", "Come back tomorrow.")

server._load = load
server.main()
"""


def test_stray_output_does_not_reach_the_protocol():
    process = subprocess.Popen(
        [sys.executable, "-c", NOISY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    first = decode(process.stdout.readline())
    process.wait(timeout=PATIENCE)  # while its input is still open, whose end would end it with 0
    rest, noise = process.communicate(timeout=PATIENCE)
    assert first == Failed(None, "No model today.", "Come back tomorrow.")
    assert rest == b""
    assert noise.splitlines() == [b"stray", b"stray from a child"]
    assert process.returncode == 2


def test_a_broken_app_ends_the_process():
    process = subprocess.run(
        [sys.executable, "-m", "mgpt_tui.inference.process.server", "--model", "x"],
        input=b"hello\n",
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode in (2, 3)  # whichever is noticed first, the name or the line


@pytest.fixture
def inspector(tiny_model, byte_tokenizer):
    return Inspector(PlainDecoder(tiny_model), byte_tokenizer)


VIEWS = {
    View.TOKENS: TokensView,
    View.SURPRISE: SurpriseView,
    View.DRAW: DrawView,
    View.ATTENTION: AttentionView,
    View.LENS: LensView,
    View.PARTS: PartsView,
    View.NEURONS: NeuronsView,
    View.MUTE: MuteView,
    View.COSTS: CostsView,
    View.WHAT_IF: WhatIfView,
    View.TRACE: TraceView,
    View.AGAIN: AgainView,
    View.BESIDE: BesideView,
    View.FIRING: FiringView,
}


@pytest.mark.parametrize("view", View)
@pytest.mark.parametrize("token", [None, 6])
def test_what_a_view_tells_comes_through_the_pipe(server, events, engine, inspector, view, token):
    asked = Asked(
        view,
        token,
        target=" " if token else 7,
        minus=9,
        layer=2,
        index=2,
        count=3,
        draw=Drawing(SAMPLING, (5, 6), seed=8 if token or view is View.AGAIN else None),
        mute="L2H1, N1.3",
        mean=token is None,
        instead=("Tha ", (70, 111), "x"),
    )
    context = ("The ", (70, 111), "x")
    server.take(encode(Inspect(5, context, asked)))
    server.answer_next(engine, lambda: inspector)
    expected = list(answers(engine, inspector, context, asked))
    assert [(event.answer, event.more) for event in events] == expected
    assert [event.more for event in events] == [True] * (len(events) - 1) + [False]
    assert (len(events) > 1) is (view in LONG)
    for event in events:
        assert event.id == 5
        assert isinstance(event.answer, VIEWS[view])
        assert decode(encode(event)) == event


def test_another_model_is_looked_into_beside_it(server, events, engine, inspector, tiny_checkpoint):
    asked = Asked(View.BESIDE, model=str(tiny_checkpoint), at=4, count=3)
    for id, question in ((1, asked), (2, replace(asked, at=7)), (3, replace(asked, model="no"))):
        server.take(encode(Inspect(id, ("The fox",), question)))
        server.answer_next(engine, lambda: inspector)
    found, at_the_end, refused = events
    assert isinstance(found.answer, BesideView) and isinstance(at_the_end.answer, BesideView)
    assert "".join(token.text for token in found.answer.surprise.tokens) == "The fox"
    assert (found.answer.number, at_the_end.answer.number) == (5, 8)
    assert found.answer.lens.target.text == "f"
    assert decode(encode(found)) == found
    assert isinstance(refused, Failed) and "no model 'no'" in refused.message


def test_a_muted_model_writes_and_the_whole_one_after_it(server, events, engine, inspector):
    for id, muted in ((1, "M1"), (2, ""), (3, "M1"), (4, "M9")):
        server.take(encode(Generate(id, ("The fox",), SAMPLING, muted=muted)))
        server.answer_next(engine, lambda: inspector)
    texts = {id: text(event for event in events if event.id == id) for id in (1, 2, 3)}
    assert texts[2] == "".join(chunk.text for chunk in engine.stream(("The fox",), SAMPLING))
    assert texts[1] == texts[3] != texts[2]
    assert events[-1].message == "The model has no layer 9."


def text(events):
    told = (event for event in events if isinstance(event, Chunks))
    return "".join(chunk.text for event in told for chunk in event.chunks)


@pytest.mark.parametrize("view", LONG)
@pytest.mark.parametrize("newer", [False, True])
def test_what_takes_long_lets_others_in_and_is_stopped(
    server, events, engine, inspector, view, newer
):
    draw = Drawing(SAMPLING, (5, 6), seed=8)
    asked = Asked(view, 7, instead=("Tha fox",), draw=draw, mute="M1")

    def go_on(event):
        events.append(event)
        if isinstance(event, Inspected) and len(events) == 1:
            server.take(encode(Generate(6, ("A dog",), SAMPLING)))
            server.take(encode(Inspect(7, ("A dog",), Asked(View.SURPRISE))))
            server.take(encode(Inspect(8, ("A dog",), asked) if newer else Stop(5)))

    server._send = go_on
    server.take(encode(Inspect(5, ("The fox",), asked)))
    server.answer_next(engine, lambda: inspector)
    assert isinstance(events[0], Inspected) and events[0].more
    assert [event.id for event in events if isinstance(event, Ended)] == [6]
    assert [event.id for event in events if isinstance(event, Inspected)] == [5, 7]
    assert events[-1] == Replaced(5)


@pytest.mark.parametrize(
    ("context", "asked", "said"),
    [
        ((), Asked(View.SURPRISE), "no text"),
        (("The fox",), Asked(View.LENS, token=8), "no token 8"),
        (("The fox",), Asked(View.LENS, token=0), "no token 0"),
        (("The fox",), Asked(View.LENS, target="two"), "not one token"),
        (("The fox",), Asked(View.PARTS, minus=999), "no token 999"),
        (("The fox",), Asked(View.ATTENTION, layer=3), "no layer 3"),
        (("The fox",), Asked(View.ATTENTION, index=0), "no head 0"),
        (((9999,),), Asked(View.SURPRISE), "does not know"),
        (("The fox",), Asked(View.DRAW), "no token whose draw"),
        (("The fox",), Asked(View.DRAW, draw=Drawing(SAMPLING, (9999,), seed=3)), "does not know"),
        (("The fox",), Asked(View.AGAIN, draw=Drawing(SAMPLING, (9,))), "No number drew"),
        (("The fox",), Asked(View.MUTE, mute="L9"), "no layer 9"),
        (("The fox",), Asked(View.FIRING, index=9999), "no neuron 9999"),
        (("The fox",), Asked(View.MUTE, mute=" "), "no part"),
        (("The fox",), Asked(View.WHAT_IF, instead=("The fox",)), "the same"),
        (("The fox",), Asked(View.TRACE, instead=("The foxes",)), "same number of tokens"),
        (("The fox",), Asked(View.TRACE, 2, instead=("The dog",)), "not before the choice"),
    ],
)
def test_what_cannot_be_looked_at_is_told(server, events, engine, inspector, context, asked, said):
    server.take(encode(Inspect(5, context, asked)))
    server.answer_next(engine, lambda: inspector)
    [event] = events
    assert isinstance(event, Failed) and event.id == 5 and said in event.message and event.remedy


def test_what_mutes_nothing_changes_nothing(server, events, engine, inspector):
    server.take(encode(Inspect(5, ("The fox",), Asked(View.MUTE))))
    server.take(encode(Inspect(6, ("The fox",), Asked(View.SURPRISE))))
    for _ in range(2):
        server.answer_next(engine, lambda: inspector)
    muted, whole = (event.answer for event in events)
    assert muted.logprobs == tuple(token.logprob for token in whole.tokens)
    assert (muted.parts, muted.bits, muted.top) == ((), 0, muted.before)
    config = engine.config
    assert muted.shape == Shape(config.n_layer, config.n_head, 4 * config.n_embd)


def test_an_engine_that_cannot_be_looked_into_says_so(server, events, engine):
    server.take(encode(Inspect(5, ("The fox",), Asked(View.SURPRISE))))
    server.answer_next(engine)
    assert isinstance(events[0], Failed)


@pytest.mark.usefixtures("ungathered")
def test_short_questions_are_answered_between_two_pieces_of_a_text(
    server, events, engine, inspector
):
    plain = list(engine.stream(["The fox"], SAMPLING))

    def ask_on_the_way(event):
        events.append(event)
        if isinstance(event, Chunks) and len(written(events)) == 3:
            server.take(encode(Measure(8, ("A dog",))))
            server.take(encode(Generate(9, ("A dog",), SAMPLING)))
            server.take(encode(Inspect(10, ("A dog",), Asked(View.SURPRISE))))
            server.take(encode(Look(11, ("A dog",), SAMPLING, 2)))

    server._send = ask_on_the_way
    server.take(encode(Generate(7, ("The fox",), SAMPLING)))
    server.answer_next(engine, lambda: inspector)
    kinds = [type(event) for event in events]
    answers = kinds.index(Measured)
    assert kinds[answers : answers + 3] == [Measured, Inspected, Seen]
    assert len(written(events[:answers])) == 3
    assert isinstance(events[-1], Ended) and events[-1].id == 7
    assert written(events) == plain  # it was written as if nothing had been asked
    server.answer_next(engine, lambda: inspector)
    assert isinstance(events[-1], Ended) and events[-1].id == 9


LINES = SamplingSettings(top_k=None, seed=5, bias=("a=7", "b=7", "\n=7"))
GAP = Gap(("The fox ran.",), (" It was cold.",))


def test_bridges_are_told_as_they_are_weighed(server, events, engine):
    server.take(encode(Bridge(5, GAP, LINES, 40)))
    server.answer_next(engine)
    *_, last = bridges(engine, GAP, LINES, 40)
    assert {event.id for event in events} == {5}
    assert [event.more for event in events] == [True] * (len(events) - 1) + [False]
    assert len({event.weighed for event in events[:-1]}) == len(events) - 1 > 1
    told = Progress(events[-1].ways, events[-1].now, events[-1].weighed, is_last=True)
    assert told == last


def test_bridges_let_short_questions_in_and_are_stopped(server, events, engine):
    def go_on(event):
        events.append(event)
        if len(events) == 1:
            server.take(encode(Measure(6, ("A dog",))))
        if len(events) == 3:
            server.take(encode(Stop(5)))

    server._send = go_on
    server.take(encode(Measure(4, ("A dog",))))
    server.take(encode(Bridge(5, GAP, LINES, 40)))
    server.answer_next(engine)
    server.answer_next(engine)
    kinds = [type(event) for event in events]
    assert kinds[:3] == [Measured, Measured, Bridged] and events[1].id == 6
    assert events[-1] == Replaced(5) and Bridged in kinds
    assert all(event.more for event in events if isinstance(event, Bridged))


def test_a_bridge_waits_for_the_one_before(server, events, engine):
    def go_on(event):
        events.append(event)
        if len(events) == 1:
            server.take(encode(Bridge(6, GAP, LINES, 8)))

    server._send = go_on
    server.take(encode(Bridge(5, GAP, LINES, 40)))
    server.answer_next(engine)
    assert {event.id for event in events} == {5}
    server.answer_next(engine)
    assert events[-1].id == 6


def test_a_muted_model_bridges_too(server, events, engine, inspector):
    for id, muted in ((5, "L1"), (6, "")):
        server.take(encode(Bridge(id, GAP, LINES, 8, muted)))
        server.answer_next(engine, lambda: inspector)
    muted, whole = (
        next(event for event in events if event.id == id and not event.more) for id in (5, 6)
    )
    assert muted.ways and whole.ways and muted.ways != whole.ways


def test_what_cannot_be_bridged_is_told(server, events, engine):
    server.take(encode(Bridge(5, Gap((), ("x",)), LINES, 8)))
    server.answer_next(engine)
    assert isinstance(events[-1], Failed) and "text before it" in events[-1].message


def test_a_newer_question_for_the_same_view_replaces_the_one_that_waits(
    server, events, engine, inspector
):
    server.take(encode(Inspect(1, ("The fox",), Asked(View.LENS, 1))))
    server.take(encode(Inspect(2, ("The fox",), Asked(View.PARTS, 1))))
    server.take(encode(Inspect(3, ("The fox",), Asked(View.LENS, 2))))
    server.take(encode(Inspect(4, ("The fox",), Asked(View.LENS, 3))))
    server.answer_next(engine, lambda: inspector)
    server.answer_next(engine, lambda: inspector)
    assert [(type(event), event.id) for event in events] == [
        (Replaced, 1),
        (Replaced, 3),
        (Inspected, 2),
        (Inspected, 4),
    ]
    server.take(encode(Inspect(3, ("The fox",), Asked(View.LENS, 2))))  # the id is free again
    with pytest.raises(ProtocolError):
        server.take(encode(Inspect(3, ("The fox",), Asked(View.PARTS, 2))))
