"""A writing room with a scripted engine, and a person at it."""

from __future__ import annotations

import queue
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from textual._compositor import Compositor
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, TextArea

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.answers import Asked
from mgpt_tui.inference.process.messages import (
    Bridged,
    Chunks,
    Died,
    Ended,
    Event,
    Failed,
    Inspected,
    Measured,
    Ranked,
    Ready,
    Seen,
    Started,
    Told,
)
from mgpt_tui.inference.request import (
    Alternative,
    ContextPart,
    Distribution,
    Finished,
    FinishReason,
    Gap,
    Note,
    SamplingSettings,
    TextChunk,
    Until,
    Way,
)
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.ui.app import WritingRoom
from mgpt_tui.ui.notices import Notice
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.story_pane import StoryPane
from tests.ui.inside import told
from tests.ui.person import Person

READY = Ready("storyteller", 14_500_000, 256, "f" * 64, "int8 on cpu", (), "fp32 on cpu")
ALTERNATIVES = (
    Alternative(1, " under", 0.5, 0.6),
    Alternative(2, " on", 0.3, 0.4),
    Alternative(3, " [in]", 0.1, 0.0),
)
WORDS = (" on", " the", " ground", ".", " It", " was", " shiny", ".")


WAYS = (" She took it home.", " It fell down.", " Nobody [saw] it.")


def count(context: tuple[ContextPart, ...]) -> int:
    """How many tokens a story has, to an engine for which words are tokens."""
    parts = (part.text if isinstance(part, Note) else part for part in context)
    return 1 + sum(len(part.split()) if isinstance(part, str) else len(part) for part in parts)


@dataclass
class FakeEngine:
    """Says what a test tells it to, through the queue that a real client fills.

    Attributes:
        automatic: whether `start` makes it ready and `generate` writes `words` to the end.
        words: one token each.
        said, heard: how many events it has sent, and how many the app has shown.
    """

    automatic: bool = True
    words: tuple[str, ...] = WORDS
    events: queue.Queue[Event] = field(default_factory=queue.Queue)
    said: int = 0
    heard: int = 0
    starts: int = 0
    closed: bool = False
    asked: list[tuple[tuple[ContextPart, ...], SamplingSettings]] = field(default_factory=list)
    untils: list[Until] = field(default_factory=list)
    samples: int = 1
    muted: str = ""
    looked: list[tuple[ContextPart, ...]] = field(default_factory=list)
    measured: list[tuple[ContextPart, ...]] = field(default_factory=list)
    ranked: list[tuple[tuple[ContextPart, ...], tuple[str, ...]]] = field(default_factory=list)
    bridged: list[tuple[Gap, SamplingSettings, str]] = field(default_factory=list)
    inspected: list[tuple[tuple[ContextPart, ...], Asked]] = field(default_factory=list)
    told: list[tuple[tuple[ContextPart, ...], SamplingSettings, str]] = field(default_factory=list)
    spelled: dict[int, str] = field(default_factory=dict)
    models: list[str | None] = field(default_factory=list)
    stopped: list[int] = field(default_factory=list)
    read: int = 0

    def anew(self) -> None:
        """Be there for another app: who reads for the last one goes on for a moment, and would
        take what is said to this one.
        """
        self.events, self.said, self.heard, self.starts = queue.Queue(), 0, 0, 0

    def start(self) -> None:
        self.starts += 1
        if self.automatic:
            self.be_ready()

    def generate(
        self,
        context: tuple[ContextPart, ...],
        settings: SamplingSettings,
        until: Until = Until.LENGTH,
        samples: int = 1,
        muted: str = "",
    ) -> int:
        self.asked.append((context, settings))
        self.muted = muted
        self.untils.append(until)
        self.samples = samples
        self.read = count(context)
        if self.automatic:
            self.begin()
            for sample in range(samples):
                mark = (f" [{sample}]",) if samples > 1 else ()
                self.write(*mark, *self.words, sample=sample)
                self.end(sample=sample)
        return len(self.asked)

    def look(self, context: tuple[ContextPart, ...], settings: SamplingSettings, count: int) -> int:
        self.looked.append(context)
        id = -len(self.looked)
        if self.automatic:
            self.say(Seen(id, Distribution(ALTERNATIVES[:count], 1.5)))
        return id

    def measure(self, context: tuple[ContextPart, ...]) -> int:
        self.measured.append(context)
        id = -1000 - len(self.measured)
        if self.automatic:
            self.say(Measured(id, count(context)))
        return id

    def rank(self, context: tuple[ContextPart, ...], candidates: Sequence[str]) -> int:
        self.ranked.append((context, tuple(candidates)))
        id = -50_000 - len(self.ranked)
        if self.automatic:
            self.say(Ranked(id, tuple(-1.0 - at for at in range(len(candidates)))))
        return id

    def tell(
        self, context: tuple[ContextPart, ...], settings: SamplingSettings, model: str = ""
    ) -> int:
        self.told.append((context, settings, model))
        id = -20_000 - len(self.told)
        if self.automatic:
            self.say(Told(id, f" as {model or 'it'} tells", self.finished(settings.max_tokens)))
        return id

    def bridge(self, gap: Gap, settings: SamplingSettings, samples: int, muted: str = "") -> int:
        self.bridged.append((gap, settings, muted))
        id = -80_000 - len(self.bridged)
        if self.automatic:
            self.find(1, more=True)
            self.find(len(WAYS))
        return id

    def inspect(self, context: tuple[ContextPart, ...], asked: Asked) -> int:
        self.inspected.append((context, asked))
        id = -100_000 - len(self.inspected)
        if self.automatic:
            self.answer(len(self.inspected) - 1)
        return id

    def switch(self, model: str | None) -> None:
        self.models.append(model)
        if self.automatic:
            self.say(replace(READY, model=model or "storyteller", fingerprint="e" * 64))

    def stop(self, id: int) -> None:
        self.stopped.append(id)

    def close(self) -> None:
        self.closed = True

    # What a test says on the engine's behalf.

    @property
    def id(self) -> int:
        return len(self.asked)

    @property
    def seed(self) -> int:
        seed = self.asked[-1][1].seed
        return 100 + self.id if seed is None else seed

    def say(self, *events: Event) -> None:
        self.said += len(events)
        for event in events:
            self.events.put(event)

    def be_ready(self) -> None:
        self.say(READY)

    def answer(self, at: int) -> None:
        """Answer the question about the story that was asked as the nth, from 0."""
        self.say(Inspected(-100_001 - at, told(*self.inspected[at], self.spelled)))

    def find(self, ways: int, *, more: bool = False) -> None:
        """Tell of so many of the ways that were asked for last."""
        gap, settings, _ = self.bridged[-1]
        seed = settings.seed or 0
        found = tuple(
            Way((TextChunk(text, (2000 + at,)),), settings, seed + at, 9.5 - 10 * at)
            for at, text in enumerate(WAYS[:ways])
        )
        now = 4.25 if gap.now else 0.0
        self.say(Bridged(-80_000 - len(self.bridged), found, now, ways, more))

    def begin(self, window_start: int = 0) -> None:
        self.say(Started(self.id, self.read, window_start, self.seed))
        self.written = 0

    def write(self, *words: str, sample: int = 0) -> None:
        for word in words:
            self.written += 1
            self.spelled[1000 + self.written] = word
            self.say(Chunks(self.id, (TextChunk(word, (1000 + self.written,)),), sample))

    def end(self, reason: FinishReason = FinishReason.LENGTH, sample: int = 0) -> None:
        total = self.read + self.written
        finished = Finished(reason, self.written, 0.5, self.seed + sample, 0, total)
        self.say(Ended(self.id, finished, sample))

    def finished(self, tokens: int) -> Finished:
        """An end after so many tokens, 600 of them a second."""
        return Finished(FinishReason.LENGTH, tokens, tokens / 600, 1, 0, tokens + 1)

    def die(self, exit_code: int = -11) -> None:
        self.say(Died(exit_code))

    def fail(self, id: int | None) -> None:
        self.say(Failed(id, "The model cannot be [read].", "Train *another*."))


class Writer(Person[WritingRoom]):
    """A person at the app."""

    def __init__(self, app: WritingRoom, pilot: Pilot[None], engine: FakeEngine) -> None:
        super().__init__(app, pilot)
        self.engine = engine

    @property
    def room(self) -> MainScreen:
        return self.app.room

    @property
    def text(self) -> str:
        return self.app.session.story.text

    @property
    def prompt(self) -> Prompt:
        return self.room.query_one(Prompt)

    @property
    def shown(self) -> str:
        """The story as the pane shows it."""
        return self.room.query_one(StoryPane).text

    @property
    def is_heard(self) -> bool:
        """Whether all that the engine said is shown; its queue is empty some time before."""
        return self.engine.heard == self.engine.said

    @property
    def moves(self) -> bool:
        return not self.is_heard or super().moves

    async def settle(self, rounds: int = 3) -> None:
        """Let all widgets take in what was sent, and what the engine said to it."""
        await super().settle(rounds)
        if not self.is_heard:
            await self._while(lambda: not self.is_heard and self.app.is_running)
            await super().settle(rounds)

    @property
    def toasts(self) -> str:
        """What the writer is told."""
        notice = self.room.desk.notice_line.notice
        return notice.text if notice else ""

    async def send(self, line: str) -> None:
        """Put a line into the prompt and press enter."""
        await self.paste(line)
        await self.until(lambda: self.prompt.text)
        await self.press("enter")

    async def command(self, line: str) -> None:
        """Type a command and press enter."""
        await self.type(line)
        await self.press("enter")

    async def answer(self, text: str) -> None:
        """Replace what stands in a dialog's field and press enter."""
        await self.press("ctrl+u")
        await self.paste(text)
        await self.press("enter")

    async def tell(self, line: str) -> None:
        """Send a line and wait until the engine has answered it."""
        asked = len(self.engine.asked)
        await self.send(line)
        await self.until(lambda: len(self.engine.asked) > asked and not self.app.session.is_busy)

    async def look_by_hand(self, beginning: str) -> None:
        """Tell a story of one more word, and look inside, before an engine that has to be told.

        It has told how surprising each token was, and nothing else yet.
        """
        await self.begin(beginning, " on")
        self.engine.end()
        await self.until(lambda: not self.app.session.is_busy)
        await self.press("f9")
        await self.on(InsideScreen)
        await self.until(lambda: self.engine.inspected)
        self.engine.answer(0)

    async def begin(self, line: str, *words: str, window_start: int = 0) -> None:
        """Send a line to an engine that says what the test makes it say: it begins to answer."""
        self.engine.be_ready()
        await self.send(line)
        await self.until(lambda: self.engine.asked)
        self.engine.begin(window_start)
        self.engine.write(*words)

    async def on(self, screen: type[Screen[Any]]) -> None:
        """Wait until a screen is the one in front."""
        await self.until(lambda: isinstance(self.app.screen, screen))


OpenRoom = Callable[..., AbstractAsyncContextManager[Writer]]


@pytest.fixture(autouse=True)
def colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal that runs the tests has no say in what they see."""
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture(autouse=True)
def steady_cursors(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cursor blinks.

    Textual (8.2) goes on showing a line that it has drawn with a cursor blinked off, even to a
    field that is told not to blink.
    """
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda _: None)
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)


@pytest.fixture(autouse=True)
def painted_for_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen is painted when a test looks at it, which takes a third of the time.

    No driver without a terminal shows what Textual (8.2) paints for it in between.
    """
    paint = Compositor.render_update

    def render_update(
        self: Compositor, full: bool = False, screen_stack: Any = None, simplify: bool = False
    ) -> Any:
        if full:  # for a picture
            return paint(self, full, screen_stack, simplify)
        self._dirty_regions.clear()
        return None

    monkeypatch.setattr(Compositor, "render_update", render_update)


@pytest.fixture
def engine() -> FakeEngine:
    """An engine that is ready at once and writes `WORDS` when asked."""
    return FakeEngine()


@pytest.fixture
def manual() -> FakeEngine:
    """An engine that says only what the test makes it say."""
    return FakeEngine(automatic=False)


@pytest.fixture(params=[(80, 24), (160, 48)], ids=["80x24", "160x48"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """The two sizes at which everything must work."""
    return request.param


@pytest.fixture
def make_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakeEngine], WritingRoom]]:
    """Makes the app with an engine, as a test's own; lets go of its story in the end."""
    apps: list[WritingRoom] = []

    def app(engine: FakeEngine) -> WritingRoom:
        engine.anew()
        made = WritingRoom(engine, "storyteller", library=StoryLibrary())
        handle = made.session.handle

        def heard(events: Iterable[Event]) -> list[Notice]:
            taken = list(events)
            engine.heard += len(taken)
            return handle(taken)

        monkeypatch.setattr(made.session, "handle", heard)
        apps.append(made)
        return made

    yield app
    for each in apps:
        with suppress(UserError):
            each.room.keeper.close(each.session.story)


@pytest.fixture
def open_room(make_app: Callable[[FakeEngine], WritingRoom]) -> OpenRoom:
    """Opens the app with an engine; leaving the block quits it."""

    @asynccontextmanager
    async def room(engine: FakeEngine, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Writer]:
        app = make_app(engine)
        async with app.run_test(size=size, notifications=True) as pilot:
            writer = Writer(app, pilot, engine)
            await writer.until(lambda: engine.starts == 1)
            yield writer

    return room
