"""The client with real engine processes: streaming, stopping, crashing, closing."""

import copy
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.inference.inspection.answers import Asked, View
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.process.client import EngineClient, EngineLike
from mgpt_tui.inference.process.lines import encode
from mgpt_tui.inference.process.messages import (
    Chunks,
    Died,
    Ended,
    Failed,
    Inspected,
    Measured,
    Ready,
    Seen,
    Started,
    Stop,
)
from mgpt_tui.inference.request import Distribution, Finished, FinishReason, SamplingSettings
from mgpt_tui.model.checkpoint import save_checkpoint
from tests.waiting import PATIENCE, gone, runs, until

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and shell scripts")
LONG = SamplingSettings(temperature=0, max_tokens=10**6)


@pytest.fixture(scope="module")
def endless_checkpoint(tmp_path_factory, tiny_model, byte_tokenizer) -> Path:
    """The tiny model with an end token that greedy choice never takes: its score is always 0."""
    model = copy.deepcopy(tiny_model)
    with torch.no_grad():
        model.token_embedding.weight[byte_tokenizer.end_token] = 0.0
    folder = tmp_path_factory.mktemp("endless") / "checkpoint"
    save_checkpoint(folder, model, byte_tokenizer, {})
    return folder


@pytest.fixture(scope="module")
def running(endless_checkpoint, tmp_path_factory):
    """One engine process for all the tests that leave it as they found it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGPT_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        client = EngineClient(str(endless_checkpoint))
        client.start()
    assert isinstance(next_event(client), Ready)
    yield client
    client.close()


def next_event(client):
    return client.events.get(timeout=PATIENCE)


def events_until(client, *kinds):
    """All events up to the first one of `kinds`."""
    events = [next_event(client)]
    while not isinstance(events[-1], kinds):
        events.append(next_event(client))
    return events


def script(tmp_path, text):
    """A program to be taken for the Python that runs the engine."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_client_streams_what_the_engine_writes(running, endless_checkpoint):
    sampling = SamplingSettings(max_tokens=50, seed=4)
    id = running.generate(["The fox", (70, 71)], sampling)
    started, *chunks, ended = events_until(running, Ended, Failed)
    engine = load_engine(endless_checkpoint).engine
    generation = engine.stream(["The fox", (70, 71)], sampling)
    assert started == Started(id, generation.context_tokens, 0, 4)
    assert [chunk for event in chunks for chunk in event.chunks] == list(generation)
    assert isinstance(ended, Ended)
    assert ended.finished.reason == generation.finished.reason


def test_stopping_keeps_what_was_written_and_the_engine_goes_on(running):
    id = running.generate(["Once"], LONG)
    events_until(running, Chunks)
    running.stop(id)
    *chunks, ended = events_until(running, Ended)
    assert ended.finished.reason is FinishReason.CANCELLED
    assert ended.finished.tokens >= 1 + len(chunks)
    running.stop(id)  # too late, and harmless
    again = running.generate(["Once"], SamplingSettings(max_tokens=3))
    assert events_until(running, Ended)[-1].id == again > id


def test_a_bad_request_fails_alone(running):
    id = running.generate([(999_999,)], LONG)
    failed = next_event(running)
    assert isinstance(failed, Failed)
    assert failed.id == id
    running.generate(["Once"], SamplingSettings(max_tokens=3))
    assert isinstance(events_until(running, Ended, Failed)[-1], Ended)


def test_samples_looks_and_measures_are_answered(running):
    id = running.generate(["Once"], SamplingSettings(max_tokens=5, seed=1), samples=2)
    look = running.look(["Once"], LONG, 3)
    inspected = running.inspect(["Once"], Asked(View.SURPRISE))
    events = []
    for _ in range(4):  # which of them comes first is the engine's to say
        events += events_until(running, Seen, Ended, Inspected, Failed)
    assert {event.sample for event in events if isinstance(event, Ended)} == {0, 1}
    answers = {event.id: event for event in events if isinstance(event, Seen | Inspected)}
    assert answers.keys() == {look, inspected}
    assert len(answers[look].distribution.alternatives) == 3
    assert [token.text for token in answers[inspected].answer.tokens] == ["O", "n", "c", "e"]
    assert {event.id for event in events} == {id, look, inspected}
    assert running.measure(["Once"]) == next_event(running).id


@posix
def test_a_death_with_samples_is_told_once(endless_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.start()
    client.generate(["Once"], LONG, samples=3)
    client.generate(["Once"], LONG)
    events_until(client, Chunks)
    os.kill(client.pid, signal.SIGKILL)
    *chunks, died = events_until(client, Died)
    assert died == Died(-signal.SIGKILL)
    assert all(isinstance(event, Chunks) for event in chunks)
    client.close()


def test_another_model_takes_the_place_of_this_one(endless_checkpoint, tiny_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.start()
    first = client.generate(["Once"], LONG)
    events_until(client, Chunks)
    old = client.pid
    client.switch(str(tiny_checkpoint))
    second = client.generate(["Once"], SamplingSettings(max_tokens=3))
    events = events_until(client, Ended)
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.id == first
    (ready,) = [event for event in events if isinstance(event, Ready)]
    assert ready.model == str(tiny_checkpoint)
    assert events[-1].id == second
    assert old != client.pid
    client.switch("no-such-model")
    failed = events_until(client, Failed)[-1]
    assert failed.id is None and "no-such-model" in failed.message
    client.close()
    assert not any(isinstance(event, Died) for event in drained(client))
    if os.name == "posix":
        gone(old)


@posix
def test_nobody_waits_for_the_model_that_was_left(tmp_path, monkeypatch):
    monkeypatch.setattr("mgpt_tui.inference.process.child.PATIENCE", 10 * PATIENCE)
    client = EngineClient(python=script(tmp_path, "exec sleep 600"))
    client.start()
    old = client.pid
    client.switch("another")
    assert runs(old)
    for pid in (old, client.pid):
        os.kill(pid, signal.SIGKILL)
        gone(pid)
    client.close()


def test_what_the_old_model_said_last_is_not_taken_for_the_new_one(endless_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.events.put(Ready("old", 1, 1, "f", "on paper"))
    client.start()
    client.events.put(Failed(None, "The old one cannot start.", ""))
    client.events.put(Failed(7, "A request of the old one.", ""))
    client.switch("no-such-model")
    answer, failed = events_until(client, Failed) + events_until(client, Failed)
    assert answer.id == 7
    assert failed.id is None and "no-such-model" in failed.message
    client.close()


def test_a_started_client_is_not_started_twice(running):
    pid = running.pid
    running.start()
    assert running.pid == pid


def test_an_engine_is_not_started_again_before_its_end_is_heard():
    client = EngineClient("no-such-model")
    client.start()
    until(lambda: not client.events.empty(), "the engine to fail")
    client.start()  # by the app, which is up only now
    assert client.pid is None
    (failed,) = drained(client)
    assert isinstance(failed, Failed)
    client.start()
    assert isinstance(events_until(client, Failed)[-1], Failed)
    client.close()


class Told(queue.Queue):
    """Events that are held back, each, until the test lets them in."""

    def __init__(self):
        super().__init__()
        self.comes, self.let_in = threading.Event(), threading.Event()

    def put(self, *arguments):
        self.comes.set()
        assert self.let_in.wait(PATIENCE)
        super().put(*arguments)


@posix
@pytest.mark.parametrize(
    "end", [Died(4), Failed(None, "No model today.", "Come back tomorrow.")], ids=["dead", "failed"]
)
def test_an_engine_is_not_started_again_while_its_end_is_being_told(tmp_path, end):
    (tmp_path / "said").write_bytes(encode(end) if isinstance(end, Failed) else b"")
    once = f"test -e {tmp_path}/ran && exec sleep 600; touch {tmp_path}/ran"
    client = EngineClient(python=script(tmp_path, f"{once}; cat {tmp_path}/said; exit 4"))
    client.events = Told()
    client.start()
    assert client.events.comes.wait(PATIENCE)
    again = threading.Thread(target=client.start)
    again.start()
    again.join(0.2)  # long enough for one that does not wait
    client.events.let_in.set()
    again.join()
    second = client.pid
    client.close()
    assert second is None
    assert list(drained(client)) == [end]


@posix
def test_ctrl_c_in_the_terminal_is_none_of_the_engines_business(running):
    assert os.getsid(running.pid) != os.getsid(0)
    os.kill(running.pid, signal.SIGINT)
    running.generate(["Once"], SamplingSettings(max_tokens=3))
    assert isinstance(events_until(running, Ended, Died)[-1], Ended)


@posix
def test_a_crash_in_mid_generation_is_told_and_mended(endless_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.start()
    client.generate(["Once"], LONG)  # at once: it waits for the model
    behind = client.generate(["Twice"], LONG)
    events = events_until(client, Chunks)
    assert [type(event) for event in events] == [Ready, Started, Chunks]
    dead = client.pid
    os.kill(dead, signal.SIGKILL)
    *chunks, died = events_until(client, Died)
    assert died == Died(-signal.SIGKILL)
    assert all(isinstance(event, Chunks) for event in chunks)
    assert client.pid is None
    assert isinstance(refused(client), Failed)

    client.start()
    third = client.generate(["Once"], LONG)
    assert third > behind
    assert events_until(client, Chunks)[-1].id == third
    pid = client.pid
    assert pid != dead
    client.close()  # in mid-generation, and its end is far
    gone(pid)
    assert client.pid is None
    assert not any(isinstance(event, Died) for event in drained(client))
    client.close()  # twice is once
    # The shared engine of this module has two threads of its own.
    until(lambda: len(engine_threads()) <= 2, "the end of the client's threads", engine_threads)


def refused(client):
    id = client.generate(["Once"], LONG)
    event = next_event(client)
    assert event.id == id
    return event


def drained(client):
    while not client.events.empty():
        yield client.events.get()


def engine_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("engine-")]


def test_an_unknown_model_is_told_once():
    client = EngineClient("no-such-model")
    client.start()
    waiting = client.generate(["Once"], LONG)
    failed = next_event(client)
    assert isinstance(failed, Failed)
    assert failed.id is None
    assert "no-such-model" in failed.message
    assert failed.remedy
    assert next_event(client).id == waiting
    client.close()
    assert client.events.empty()  # no Died


def test_a_python_that_is_not_there_is_told():
    client = EngineClient(python="/nowhere/python")
    client.start()
    failed = next_event(client)
    assert isinstance(failed, Failed)
    assert failed.id is None
    assert "/nowhere/python" in failed.remedy
    client.close()


@posix
def test_an_engine_that_hangs_blocks_nothing_and_is_killed(tmp_path):
    client = EngineClient(python=script(tmp_path, "exec sleep 600"))
    client.start()
    for _ in range(5):
        client.generate(["word " * 100_000], LONG)  # far more than a pipe holds
    pid = client.pid
    assert runs(pid)
    client.close()
    gone(pid)


@posix
def test_an_engine_that_talks_nonsense_is_ended(tmp_path):
    client = EngineClient(python=script(tmp_path, "echo Hello; exec sleep 600"))
    client.start()
    assert next_event(client) == Died(-signal.SIGKILL)
    client.close()


READY = encode(Ready("m", 1, 8, "f", "d")).decode().strip()
FINISHED = Finished(FinishReason.END, 1, 0.1, 1, 0, 1)
SEEN = encode(Seen(1, Distribution((), 1.5))).decode().strip()


@posix
@pytest.mark.parametrize(
    "line",
    [
        SEEN.replace("1.5", "1" + "0" * 400),
        SEEN.replace("1.5", "1e999"),
        SEEN,  # to what asked for text
        "[" * 100_000,
        encode(Chunks(1, (), 2)).decode().strip(),  # of a third sample
        encode(Measured(9, 1)).decode().strip(),  # to what nobody asked
        encode(Ended(1, FINISHED)).decode() * 2,  # over twice
        encode(Stop(1)).decode().strip(),
    ],
)
def test_whatever_the_engine_says_its_end_is_told(tmp_path, line):
    (tmp_path / "said").write_text(f"{READY}\n{line}\n")
    program = f"read request; cat {tmp_path / 'said'}; exec sleep 600"
    client = EngineClient(python=script(tmp_path, program))
    client.start()
    client.generate(["Once"], LONG, samples=2)
    client.measure(["Once"])
    events = events_until(client, Died)
    assert isinstance(events[0], Ready)
    assert events[-1] == Died(-signal.SIGKILL)
    assert not any(isinstance(event, Failed) for event in events)
    client.close()
    assert "ProtocolError" in paths.engine_log().read_text()


@posix
def test_a_line_that_never_ends_fills_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("mgpt_tui.inference.process.child.LONGEST_EVENT", 1000)
    client = EngineClient(python=script(tmp_path, "exec cat /dev/zero"))
    client.start()
    assert next_event(client) == Died(-signal.SIGKILL)
    client.close()


@posix
def test_what_cannot_be_sent_is_told(tmp_path, monkeypatch):
    def broken(request):
        raise RecursionError

    monkeypatch.setattr("mgpt_tui.inference.process.child.encode", broken)
    client = EngineClient(python=script(tmp_path, "exec sleep 600"))
    client.start()
    client.generate(["Once"], LONG)
    assert next_event(client) == Died(-signal.SIGKILL)
    client.close()


@posix
def test_the_log_holds_this_run_with_its_restarts(tmp_path):
    paths.engine_log().parent.mkdir(parents=True)
    paths.engine_log().write_text("an older run\n")
    client = EngineClient(python=script(tmp_path, "echo trouble >&2; exit 4"))
    for _ in range(2):
        client.start()
        assert next_event(client) == Died(4)
    client.close()
    assert paths.engine_log().read_text() == "trouble\ntrouble\n"


@posix
def test_an_unwritable_log_stops_nothing(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("MGPT_STATE_DIR", str(blocked))
    client = EngineClient(python=script(tmp_path, "exit 4"))
    client.start()
    assert next_event(client) == Died(4)
    client.close()


PARENT = """
import sys
from mgpt_tui.inference.process.client import EngineClient
from mgpt_tui.inference.process.messages import Chunks
from mgpt_tui.inference.request import SamplingSettings

client = EngineClient(sys.argv[1])
client.start()
client.generate(["Once"], SamplingSettings(temperature=0, max_tokens=10**6))
while not isinstance(client.events.get(), Chunks):
    pass
assert "torch" not in sys.modules
print(client.pid, flush=True)
client.events.join()  # for ever
"""


@posix
def test_a_killed_app_leaves_no_engine(endless_checkpoint):
    command = [sys.executable, "-c", PARENT, str(endless_checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert runs(pid)
        parent.kill()
    gone(pid)


@posix
def test_a_module_in_the_current_folder_is_not_taken_for_the_engines(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    client = EngineClient("no-such-model")
    client.start()
    assert isinstance(next_event(client), Failed)
    client.close()


def test_the_client_is_engine_like():
    client: EngineLike = EngineClient()
    client.stop(1)  # before it is started: harmless
    assert isinstance(refused(client), Failed)
    client.close()
