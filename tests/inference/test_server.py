"""The engine process from the inside: requests in, events out, whatever goes wrong."""

import subprocess
import sys

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoder import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.messages import (
    Chunk,
    Ended,
    Failed,
    Generate,
    ProtocolError,
    Ready,
    Started,
    Stop,
    decode,
    encode,
)
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.inference.server import Server

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


def test_a_generation_is_started_streamed_and_ended(server, events, engine):
    server.take(encode(Generate(7, ("The fox",), SAMPLING)))
    server.answer_next(engine)
    started, *chunks, ended = events
    assert started == Started(id=7, context_tokens=8, window_start=0, seed=3)
    assert [chunk.chunk for chunk in chunks] == list(engine.stream(["The fox"], SAMPLING))
    assert all(isinstance(chunk, Chunk) and chunk.id == 7 for chunk in chunks)
    assert isinstance(ended, Ended)
    assert ended.finished.tokens == sum(len(chunk.chunk.tokens) for chunk in chunks)


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


NOISY = """
import os, sys
from mgpt_tui.errors import UserError
from mgpt_tui.inference import server

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
    process.wait(timeout=30)  # while its input is still open, whose end would end it with 0
    rest, noise = process.communicate(timeout=30)
    assert first == Failed(None, "No model today.", "Come back tomorrow.")
    assert rest == b""
    assert noise.splitlines() == [b"stray", b"stray from a child"]
    assert process.returncode == 2


def test_a_broken_app_ends_the_process():
    process = subprocess.run(
        [sys.executable, "-m", "mgpt_tui.inference.server", "--model", "x"],
        input=b"hello\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert process.returncode in (2, 3)  # whichever is noticed first, the name or the line
