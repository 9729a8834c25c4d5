"""The client with real engine processes: streaming, stopping, crashing, closing."""

import copy
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.inference.client import EngineClient, EngineLike
from mgpt_tui.inference.decoder import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.messages import Chunks, Died, Ended, Failed, Ready, Seen, Started
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.model.checkpoint import load_checkpoint, save_checkpoint

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and shell scripts")
LONG = SamplingSettings(temperature=0, max_tokens=10**6)
PATIENCE = 60.0


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


def until(client, *kinds):
    """All events up to the first one of `kinds`."""
    deadline = time.monotonic() + PATIENCE
    events = [next_event(client)]
    while not isinstance(events[-1], kinds):
        assert time.monotonic() < deadline, events[-1]
        events.append(next_event(client))
    return events


def is_gone(pid):
    """Whether no such process runs any more, after a while."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and " Z " in Path(f"/proc/{pid}/stat").read_text():
            return True  # dead, and only its parent has not looked yet
        time.sleep(0.02)
    return False


def script(tmp_path, text):
    """A program to be taken for the Python that runs the engine."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_client_streams_what_the_engine_writes(running, endless_checkpoint):
    checkpoint = load_checkpoint(endless_checkpoint)
    sampling = SamplingSettings(max_tokens=50, seed=4)
    id = running.generate(["The fox", (70, 71)], sampling)
    started, *chunks, ended = until(running, Ended, Failed)
    generation = Engine(PlainDecoder(checkpoint.model), checkpoint.tokenizer).stream(
        ["The fox", (70, 71)], sampling
    )
    assert started == Started(id, generation.context_tokens, 0, 4)
    assert [chunk for event in chunks for chunk in event.chunks] == list(generation)
    assert isinstance(ended, Ended)
    assert ended.finished.reason == generation.finished.reason


def test_stopping_keeps_what_was_written_and_the_engine_goes_on(running):
    id = running.generate(["Once"], LONG)
    until(running, Chunks)
    running.stop(id)
    *chunks, ended = until(running, Ended)
    assert ended.finished.reason is FinishReason.CANCELLED
    assert ended.finished.tokens >= 1 + len(chunks)
    running.stop(id)  # too late, and harmless
    again = running.generate(["Once"], SamplingSettings(max_tokens=3))
    assert until(running, Ended)[-1].id == again > id


def test_a_bad_request_fails_alone(running):
    id = running.generate([(999_999,)], LONG)
    failed = next_event(running)
    assert isinstance(failed, Failed)
    assert failed.id == id
    running.generate(["Once"], SamplingSettings(max_tokens=3))
    assert isinstance(until(running, Ended, Failed)[-1], Ended)


def test_samples_looks_and_measures_are_answered(running):
    id = running.generate(["Once"], SamplingSettings(max_tokens=5, seed=1), samples=2)
    look = running.look(["Once"], LONG, 3)
    events = until(running, Seen, Failed)
    assert {event.sample for event in events if isinstance(event, Ended)} == {0, 1}
    assert {event.id for event in events[:-1]} == {id}
    assert events[-1].id == look
    assert len(events[-1].alternatives) == 3
    assert running.measure(["Once"]) == next_event(running).id


@posix
def test_a_death_with_samples_is_told_once(endless_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.start()
    id = client.generate(["Once"], LONG, samples=3)
    behind = client.look(["Once"], LONG, 3)
    until(client, Chunks)
    os.kill(client.pid, signal.SIGKILL)
    *_, waiting, died = until(client, Died)
    assert died == Died(-signal.SIGKILL, id)
    assert isinstance(waiting, Failed) and waiting.id == behind
    client.close()


def test_another_model_takes_the_place_of_this_one(endless_checkpoint, tiny_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.start()
    first = client.generate(["Once"], LONG)
    until(client, Chunks)
    old = client.pid
    began = time.monotonic()
    client.switch(str(tiny_checkpoint))
    assert time.monotonic() - began < 0.4
    second = client.generate(["Once"], SamplingSettings(max_tokens=3))
    events = until(client, Ended)
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.id == first
    (ready,) = [event for event in events if isinstance(event, Ready)]
    assert ready.model == str(tiny_checkpoint)
    assert events[-1].id == second
    assert old != client.pid
    client.switch("no-such-model")
    failed = until(client, Failed)[-1]
    assert failed.id is None and "no-such-model" in failed.message
    client.close()
    assert not any(isinstance(event, Died) for event in drained(client))
    assert os.name != "posix" or is_gone(old)


def test_what_the_old_model_said_last_is_not_taken_for_the_new_one(endless_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.events.put(Ready("old", 1, 1, "f", "on paper"))
    client.start()
    client.events.put(Failed(None, "The old one cannot start.", ""))
    client.events.put(Failed(7, "A request of the old one.", ""))
    client.switch("no-such-model")
    answer, failed = until(client, Failed) + until(client, Failed)
    assert answer.id == 7
    assert failed.id is None and "no-such-model" in failed.message
    client.close()


def test_a_started_client_is_not_started_twice(running):
    pid = running.pid
    running.start()
    assert running.pid == pid


@posix
def test_ctrl_c_in_the_terminal_is_none_of_the_engines_business(running):
    assert os.getsid(running.pid) != os.getsid(0)
    os.kill(running.pid, signal.SIGINT)
    running.generate(["Once"], SamplingSettings(max_tokens=3))
    assert isinstance(until(running, Ended, Died)[-1], Ended)


@posix
def test_a_crash_in_mid_generation_is_told_and_mended(endless_checkpoint):
    client = EngineClient(str(endless_checkpoint))
    client.start()
    first = client.generate(["Once"], LONG)  # at once: it waits for the model
    behind = client.generate(["Twice"], LONG)
    events = until(client, Chunks)
    assert [type(event) for event in events] == [Ready, Started, Chunks]
    dead = client.pid
    os.kill(dead, signal.SIGKILL)
    *_, waiting, died = until(client, Died)
    assert died == Died(-signal.SIGKILL, first)
    assert isinstance(waiting, Failed)
    assert waiting.id == behind
    assert client.pid is None
    assert isinstance(refused(client), Failed)

    client.start()
    third = client.generate(["Once"], LONG)
    assert third > behind
    assert until(client, Chunks)[-1].id == third
    pid = client.pid
    assert pid != dead
    began = time.monotonic()
    client.close()  # in mid-generation
    assert time.monotonic() - began < 1.5
    assert is_gone(pid)
    assert client.pid is None
    assert not any(isinstance(event, Died) for event in drained(client))
    client.close()  # twice is once
    assert no_engine_threads()


def refused(client):
    id = client.generate(["Once"], LONG)
    event = next_event(client)
    assert event.id == id
    return event


def drained(client):
    while not client.events.empty():
        yield client.events.get()


def no_engine_threads():
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        # The shared engine of this module has two threads of its own.
        if sum(thread.name.startswith("engine-") for thread in threading.enumerate()) <= 2:
            return True
        time.sleep(0.02)
    return False


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
    began = time.monotonic()
    client.start()
    for _ in range(5):
        client.generate(["word " * 100_000], LONG)  # far more than a pipe holds
    assert time.monotonic() - began < 2
    pid = client.pid
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 2
    assert is_gone(pid)


@posix
def test_an_engine_that_talks_nonsense_is_ended(tmp_path):
    client = EngineClient(python=script(tmp_path, "echo Hello; exec sleep 600"))
    client.start()
    assert next_event(client) == Died(-signal.SIGKILL, None)
    client.close()


@posix
def test_the_log_holds_this_run_with_its_restarts(tmp_path):
    paths.engine_log().parent.mkdir(parents=True)
    paths.engine_log().write_text("an older run\n")
    client = EngineClient(python=script(tmp_path, "echo trouble >&2; exit 4"))
    for _ in range(2):
        client.start()
        assert next_event(client) == Died(4, None)
    client.close()
    assert paths.engine_log().read_text() == "trouble\ntrouble\n"


@posix
def test_an_unwritable_log_stops_nothing(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("MGPT_STATE_DIR", str(blocked))
    client = EngineClient(python=script(tmp_path, "exit 4"))
    client.start()
    assert next_event(client) == Died(4, None)
    client.close()


PARENT = """
import sys
from mgpt_tui.inference.client import EngineClient
from mgpt_tui.inference.messages import Chunks
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
        assert not is_gone_now(pid)
        parent.kill()
    assert is_gone(pid)


def is_gone_now(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


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
