"""The app in a terminal that goes, stands still, or is taken by others for a while."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress

import pytest
from textual.worker import WorkerCancelled

from mgpt_tui.stories.library import StoryLibrary

if sys.platform == "win32":
    pytest.skip("the driver is for Unix", allow_module_level=True)

from mgpt_tui.ui.terminal.writer import MOST_WAITING, Writer
from tests.real_terminal import Terminal
from tests.ui.conftest import Writer as Person
from tests.waiting import PATIENCE, until

STORY = "The cat on the ground. It was shiny."


def written(terminal: Terminal) -> None:
    """Wait for the app, and have a story written."""
    terminal.sees("ow does the story begin?")
    terminal.send("The cat\r")
    terminal.sees("shiny")


def kept() -> list[str]:
    """The texts of the stories that are kept."""
    library = StoryLibrary()
    return [library.open(entry.path)[0].text for entry in library.entries()]


@pytest.mark.parametrize("controlling", [False, True], ids=["end-of-file", "sighup"])
def test_a_terminal_that_goes_is_a_way_to_quit(controlling: bool) -> None:
    with Terminal.with_room(controlling=controlling) as terminal:
        written(terminal)
        terminal.close()
        terminal.ends()
    assert kept() == [STORY]


def test_a_signal_is_a_way_to_quit() -> None:
    with Terminal.with_room() as terminal:
        written(terminal)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.ends() == 0
    assert kept() == [STORY]


def test_a_terminal_that_takes_nothing_is_waited_for_until_it_is_time_to_leave() -> None:
    read, write = os.pipe()
    gone = threading.Event()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        writer = Writer(stream, gone.set)
        writer.start()
        many = threading.Thread(target=lambda: [writer.write("x" * 99_999) for _ in range(99)])
        many.start()
        until(lambda: writer._waiting.qsize() == MOST_WAITING, "pieces that wait")
        assert many.is_alive()
        writer.hurry()
        many.join(PATIENCE)
        assert not many.is_alive()
        assert not gone.is_set()
        os.close(read)
        assert gone.wait(PATIENCE)
        writer.stop()
    assert not writer._thread.is_alive()


def test_what_is_written_arrives_in_order() -> None:
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as stream:
        writer = Writer(stream, lambda: None)
        writer.start()
        for number in range(100):
            writer.write(f"{number} \u2500 ")
        writer.stop()
    assert os.read(read, 4096).decode() == "".join(f"{number} \u2500 " for number in range(100))
    os.close(read)


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP])
def test_everything_is_drawn_again_after_standing_still(number: signal.Signals) -> None:
    with Terminal.with_room() as terminal:
        written(terminal)
        terminal.process.send_signal(number)
        terminal.stops()
        terminal.forget()
        terminal.process.send_signal(signal.SIGCONT)
        terminal.takes_over()
        terminal.sees("storyteller", "The cat", "shiny", "─" * 20, "seed")
        terminal.send("A dog\r")
        terminal.sees("A dog on the ground. It was shiny.")
        terminal.send("\x11")
        assert terminal.ends() == 0
    assert kept() == [f"{STORY} A dog on the ground. It was shiny."]


def test_a_terminal_that_tells_no_size_is_taken_for_an_ordinary_one() -> None:
    with Terminal.with_room(size=(0, 0)) as terminal:
        written(terminal)
        terminal.send("\x11")
        assert terminal.ends() == 0


def test_a_failure_while_reading_is_told_in_the_exit_code() -> None:
    with Terminal.with_room("fail") as terminal:
        terminal.sees("ow does the story begin?")
        terminal.send("x")
        terminal.until(lambda: b"the parser failed" in terminal.drawn, "the failure")
        assert terminal.ends() == 1


async def test_nothing_reads_the_engine_once_the_app_was_left_while_it_started(
    make_app, engine
) -> None:
    app = make_app(engine)
    async with app.run_test() as pilot:
        await Person(app, pilot, engine).until(lambda: engine.starts == 1)
    app._wake()  # as where it was due when the app was left already
    for worker in list(app.workers):
        with suppress(WorkerCancelled):  # the one of before
            await asyncio.wait_for(worker.wait(), PATIENCE)
