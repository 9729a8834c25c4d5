"""A model that learns the writer's stories: chosen, watched, stopped, dropped, and compared."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from mgpt_tui import paths
from mgpt_tui.inference.process.messages import Told
from mgpt_tui.learning import begun
from mgpt_tui.learning.begun import Begun
from mgpt_tui.learning.child import Over
from mgpt_tui.learning.events import (
    Doing,
    Dropped,
    Event,
    Learnt,
    Planned,
    Recited,
    Refused,
    Scored,
    Stepped,
    Stopped,
)
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.screens.learning.both import BothScreen
from mgpt_tui.ui.screens.learning.choosing import ChooseStoriesScreen
from mgpt_tui.ui.screens.learning.growing import GrowingScreen
from mgpt_tui.ui.screens.models import ModelsScreen
from tests.ui.conftest import FakeEngine, Writer

TOLD = "This will take about 0:02:00 (1 s a step), 1.2 GB of memory, 524 MB of disk."
PLANNED = Planned(
    *("mine", "storyteller", 2, 1, 18, 900, 120, 20.0, 120.0),
    *(10**9, 10**10, 5 * 10**8, 10**11, TOLD),
)
LEARNT = Learnt("mine", 80, 1.5, 0.7, 3, (Recited("The [fox] had a", 24, "the red kite"),))
LONG = "Once upon a time there was a fox."


@dataclass
class Child:
    """A process that says what a test has it say."""

    arguments: Sequence[str]
    events: queue.SimpleQueue[Event | Over] = field(default_factory=queue.SimpleQueue)
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True

    def say(self, *events: Event | Over) -> None:
        for event in events:
            self.events.put(event)


class Children:
    """Those that the app has begun."""

    def __init__(self, writer: Writer) -> None:
        self.all: list[Child] = []
        self.writer = writer
        writer.app.apprentice.start = self.begin

    def begin(self, arguments: Sequence[str]) -> Child:
        self.all.append(Child(arguments))
        return self.all[-1]

    async def next(self, count: int) -> Child:
        await self.writer.until(lambda: len(self.all) == count)
        return self.all[-1]


@pytest.fixture
def three() -> None:
    """Three stories in the library."""
    for name in ("The fox", "The [hen]", "The sea"):
        StoryLibrary().add(Story().write(f"{name} was red. {LONG}"), name)


async def begin(writer: Writer, children: Children) -> Child:
    """Have all three learnt; gives the process that learns."""
    await writer.command("/learn")
    await writer.on(ChooseStoriesScreen)
    await writer.sees("3 of 3 stories")
    await writer.press("enter")
    (await children.next(1)).say(PLANNED, Over(0))
    await writer.sees("Enter begins")
    await writer.press("enter")
    await writer.on(GrowingScreen)
    child = await children.next(2)
    child.say(Doing("reading the stories"), PLANNED, Scored(0, 1.5, False, ""))
    return child


async def test_stories_are_chosen_and_what_it_takes_is_told_first(
    open_room, engine, size, three
) -> None:
    async with open_room(engine, size) as writer:
        children = Children(writer)
        await writer.command("/learn")
        await writer.on(ChooseStoriesScreen)
        await writer.sees("3 of 3 stories, 36 words")
        await writer.sees("The [hen]")
        await writer.press("space")
        await writer.sees("2 of 3 stories")
        await writer.press("a")
        await writer.sees("3 of 3 stories")
        await writer.press("a")
        await writer.sees("0 of 3 stories")
        await writer.press("enter")
        await writer.sees("✗ No story is taken")
        assert not children.all
        await writer.press("space", "down", "space", "enter")
        await writer.sees("Finding out what it takes")
        first = await children.next(1)
        assert first.arguments[:3] == ["--dry-run", "--name=mine", "--model=storyteller"]
        files = [argument for argument in first.arguments if argument.endswith(".json")]
        assert len(files) == 2
        await writer.press("space")
        assert first.stopped, "of other stories it is to be found out anew"
        await writer.press("space", "enter")
        second = await children.next(2)
        second.say(PLANNED, Over(0))
        await writer.sees("0:02:00")
        await writer.press("shift+tab", "ctrl+u", "f", "o", "x", "enter")
        third = await children.next(3)
        assert "--name=fox" in third.arguments, "another name, another question"
        third.say(PLANNED, Over(0))
        await writer.sees("Enter begins")
        await writer.press("enter")
        await writer.on(GrowingScreen)
        fourth = await children.next(4)
        assert fourth.arguments[0] == "--name=fox"
        assert "--dry-run" not in fourth.arguments


async def test_what_is_too_little_is_refused_with_the_reason(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        await writer.command("/learn")
        await writer.sees("3 of 3 stories")
        await writer.press("enter")
        reason = Refused("3 stories are too little.", "Some 450 words would be enough: 414 more.")
        (await children.next(1)).say(reason, Over(2))
        await writer.sees("✗ 3 stories are too little.")
        await writer.sees("414 more")
        await writer.press("enter")
        await children.next(2)
        await writer.press("escape")
        assert writer.app.screen is writer.room


async def test_a_name_that_would_leave_the_folder_is_refused(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        await writer.command("/learn")
        await writer.sees("3 of 3 stories")
        await writer.press("shift+tab")
        await writer.answer("../mine")
        await writer.sees("✗ A run cannot be named")
        assert not children.all


async def test_it_grows_while_the_writer_writes(
    open_room, engine, size, three, tiny_checkpoint
) -> None:
    async with open_room(engine, size) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        await writer.sees("storyteller learns 2 of your stories, and becomes mine")
        child.say(Stepped(12, 120, 2.345, 108.0), Scored(12, 1.1, True, "The fox [was] red"))
        await writer.sees("step 12 of 120")
        await writer.sees("0:01:48 left")
        await writer.sees("1.50 → 1.10")
        await writer.sees("It writes by now: The fox [was] red")
        await writer.press("escape")
        await writer.tell("Mia")
        assert writer.text.startswith("Mia"), "it is written on meanwhile"
        await writer.press("f8")
        await writer.on(ModelsScreen)
        await writer.sees("mine learns, step 12 of 120")
        child.say(Stepped(13, 120, 2.3, 100.0))
        await writer.sees("mine learns, step 13 of 120")
        await writer.press("f3")
        await writer.on(GrowingScreen)
        child.say(LEARNT, Over(0))
        await writer.sees("take 0.700 now")
        await writer.sees("by heart")
        await writer.sees("The [fox] had a… (24 words)")
        await writer.press("b")
        await writer.on(BothScreen)
        (own, other) = engine.told[-2:]
        assert own[0] == other[0] and own[1] == other[1], "one beginning, one seed"
        assert (own[2], other[2]) == ("", "mine")
        await writer.sees("as it tells")
        await writer.sees("as mine tells")
        await writer.press("enter")
        await writer.until(lambda: len(engine.told) >= 4)
        assert engine.told[-1][1].seed != other[1].seed
        await writer.press("escape")
        await writer.command("/learn")
        await writer.on(GrowingScreen)
        await writer.press("w")
        await writer.until(lambda: "no model 'mine'" in writer.toasts)
        shutil.copytree(tiny_checkpoint, paths.runs_dir() / "mine")
        await writer.command("/learn")
        await writer.on(GrowingScreen)
        await writer.press("w")
        await writer.until(lambda: engine.models == ["mine"])


async def test_it_is_stopped_and_goes_on(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        Begun(name="mine", model="x", stories=2, words=9, passes=2, learning_rate=0.1).write()
        child.say(Stepped(12, 120, 2.3, 100.0))
        await writer.sees("step 12 of 120")
        await writer.press("s")
        await writer.sees("finishes its step")
        assert child.stopped
        child.say(Stopped("mine", 13, 15), Over(143))
        await writer.sees("mine has stopped")
        await writer.press("g")
        again = await children.next(3)
        assert again.arguments == ["--name=mine", "--resume"]
        again.say(Over(-9))
        await writer.sees("✗ Learning ended unexpectedly (exit code -9)")
        await writer.press("d")
        await writer.sees("d again drops it")
        await writer.press("escape", "d", "d")
        dropping = await children.next(4)
        assert dropping.arguments == ["--name=mine", "--drop"]
        dropping.say(Dropped("mine"), Over(0))
        await writer.until(lambda: writer.app.screen is writer.room)
        assert "mine had learnt is gone" in writer.toasts


async def test_it_is_stopped_and_dropped_at_once(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        Begun(name="mine", model="x", stories=2, words=9, passes=2, learning_rate=0.1).write()
        await writer.press("d", "d")
        assert child.stopped
        child.say(Stopped("mine", 13, 15), Over(143))
        dropping = await children.next(3)
        assert dropping.arguments == ["--name=mine", "--drop"]


async def test_what_had_come_to_nothing_is_nothing(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        await writer.press("s")
        child.say(Over(143))
        await writer.until(lambda: writer.app.screen is writer.room)


async def test_what_could_not_be_saved_at_its_stop_is_told(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        Begun(name="mine", model="x", stories=2, words=9, passes=2, learning_rate=0.1).write()
        await writer.press("s")
        child.say(Refused("Step 13 was not saved: the disk is full.", "Free some space."), Over(2))
        await writer.sees("✗ Step 13 was not saved")
        assert "Step 13 was not saved" in writer.toasts
        await writer.press("g")
        assert (await children.next(3)).arguments == ["--name=mine", "--resume"]


async def test_of_what_was_refused_nothing_is_left_to_go_on_with(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        child.say(Refused("There is not enough room.", "Free some space."), Over(2))
        await writer.sees("✗ There is not enough room.")
        await writer.sees("n another one · esc leaves")
        await writer.press("g", "d", "d", "n")
        await writer.on(ChooseStoriesScreen)
        assert len(children.all) == 2


async def test_what_was_left_is_offered_again(open_room, engine, three) -> None:
    left = Begun(name="old", model="x", stories=2, words=9, passes=2, learning_rate=0.1, before=1.5)
    left.write()
    async with open_room(engine) as writer:
        children = Children(writer)
        await writer.press("f8")
        await writer.sees("old has stopped learning")
        await writer.press("f3")
        await writer.on(GrowingScreen)
        await writer.sees("old has stopped")
        await writer.press("n")
        await writer.on(ChooseStoriesScreen)
        await writer.press("escape")
        await writer.command("/learn")
        await writer.press("g")
        assert (await children.next(1)).arguments == ["--name=old", "--resume"]


async def test_one_that_learns_elsewhere_is_told(open_room, engine, three) -> None:
    with begun.alone("other"):
        async with open_room(engine) as writer:
            await writer.command("/learn")
            await writer.until(lambda: "other is learning already" in writer.toasts)


async def test_leaving_the_app_stops_it(open_room, engine, three) -> None:
    async with open_room(engine) as writer:
        child = await begin(writer, Children(writer))
    writer.app.finish()
    assert child.stopped and writer.app.learns_no_further == "mine"


async def test_the_model_that_writes_is_not_dropped(
    open_room, engine, three, tiny_checkpoint
) -> None:
    async with open_room(engine) as writer:
        children = Children(writer)
        child = await begin(writer, children)
        child.say(LEARNT, Over(0))
        await writer.sees("take 0.700 now")
        shutil.copytree(tiny_checkpoint, paths.runs_dir() / "mine")
        await writer.press("w")
        await writer.until(lambda: (model := writer.app.session.model) and model.model == "mine")
        await writer.command("/learn")
        await writer.on(GrowingScreen)
        await writer.press("d")
        await writer.sees("mine writes now")
        assert len(children.all) == 2


async def test_a_model_that_comes_after_the_list_is_timed_all_the_same(open_room) -> None:
    engine = FakeEngine(automatic=False)
    async with open_room(engine) as writer:
        await writer.press("f8")
        await writer.sees("mgpt-tui import roneneldan/TinyStories-33M")
        assert not engine.told
        engine.be_ready()
        await writer.until(lambda: engine.told)
        engine.say(Told(-20_001, "It tells", engine.finished(30)))
        await writer.sees("600")


async def test_a_list_that_was_left_is_not_told_a_speed(open_room) -> None:
    engine = FakeEngine(automatic=False)
    async with open_room(engine) as writer:
        engine.be_ready()
        await writer.press("f8")
        await writer.sees("mgpt-tui import roneneldan/TinyStories-33M")
        await writer.until(lambda: engine.told)
        front = writer.app.screen
        await front.remove()  # as Textual does before it closes the room
        assert writer.app.screen is front
        engine.say(Told(-20_001, "It tells", engine.finished(30)))
        await writer.until(lambda: writer.is_heard)


async def test_another_model_tells_beside_from_the_list(open_room, engine, tmp_path) -> None:
    async with open_room(engine) as writer:
        await writer.press("f8")
        await writer.sees("600")
        await writer.sees("mgpt-tui import roneneldan/TinyStories-33M")
        await writer.press("f6")
        await writer.sees("✗ storyteller writes now")
        await writer.press("escape")
        await writer.command("/both nothing")
        await writer.until(lambda: "no model 'nothing'" in writer.toasts)
