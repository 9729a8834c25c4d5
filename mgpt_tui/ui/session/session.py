"""Writing together, without a screen: a writer, a story and an engine.

The screen calls the verbs (`submit`, `retry`, `stop`, ...), passes on the engine's events with
`handle`, and shows what is in the attributes. One generation runs at a time. Nothing here waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import groupby

from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import (
    Answered,
    Chunks,
    Died,
    Ended,
    Event,
    Failed,
    Ready,
    Seen,
    Started,
)
from mgpt_tui.inference.request import ContextPart, SamplingSettings, Until, noted
from mgpt_tui.stories.story import Maker, Story
from mgpt_tui.ui.notices import Notice
from mgpt_tui.ui.session.comparison import Comparison
from mgpt_tui.ui.session.generation import Passage, SideBySide
from mgpt_tui.ui.session.lengths import Lengths
from mgpt_tui.ui.session.meter import Meter
from mgpt_tui.ui.session.page import Page
from mgpt_tui.ui.session.questions import Question, Questions
from mgpt_tui.ui.session.supervisor import Phase, Supervisor
from mgpt_tui.ui.session.turning import Turning
from mgpt_tui.ui.session.wishing import Wishes

ALTERNATIVES = 12
"""How many other words are shown for a place."""


class Session:
    """A writer, a story and an engine.

    Args:
        engine: what generates; it is started by `wake`.
        settings: for the next generation; may be replaced at any time.
        clock: seconds, monotonic.

    Attributes:
        meter: numbers to show.
        comparison: continuations side by side that wait for a choice; None where there are none.
        questions: what is asked about the story beside writing.
        wishes: the words that are to come.
        muted: what of the model is muted from the next passage on, see
            `inspection.names.spell_muted`; "" for nothing.
    """

    def __init__(
        self,
        engine: EngineLike,
        settings: SamplingSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.meter = Meter(clock)
        self.comparison: Comparison | None = None
        self.muted = ""
        self._page = Page(engine, self.meter)
        self._supervisor = Supervisor(engine, clock)
        self.questions = Questions(engine, self._context)
        self.lengths = Lengths(engine, self._page, self.meter, self.questions)
        self.wishes = Wishes(engine, self._page, self.questions)
        self._turning = Turning(engine, self._page, self.meter, self.questions)

    @property
    def story(self) -> Story:
        """The story so far, the passage being written included."""
        return self._page.story

    @story.setter
    def story(self, story: Story) -> None:
        self._page.story = story

    # How the engine is.

    @property
    def phase(self) -> Phase:
        """How the engine is."""
        return self._supervisor.phase

    @property
    def model(self) -> Ready | None:
        """What the engine said when it was ready; None before."""
        return self._supervisor.model

    @property
    def trouble(self) -> str:
        """What keeps the engine down, in a line; "" where nothing does."""
        return self._supervisor.trouble

    @property
    def is_writing(self) -> bool:
        """Whether a generation runs."""
        return self._page.is_writing

    @property
    def is_waiting(self) -> bool:
        """Whether a generation begins as soon as the engine is ready."""
        return self._supervisor.is_waiting

    @property
    def is_busy(self) -> bool:
        """Whether there is something to stop."""
        return self.is_writing or self.is_waiting

    def wake(self) -> None:
        """Start the engine."""
        self._supervisor.wake()

    def switch(self, model: str | None) -> None:
        """Write with another model from now on; the story stays."""
        self.stop()
        self.muted = ""
        self.questions.lose()
        self._supervisor.switch(model)

    # What can be done.

    @property
    def can_undo(self) -> bool:
        """Whether undo changes anything."""
        return bool(self.story.past)

    @property
    def can_redo(self) -> bool:
        """Whether redo changes anything."""
        return bool(self.story.future) and not self.is_writing

    # What the writer does.

    def stop(self) -> None:
        """Stop what runs or waits; the text so far stays."""
        self._supervisor.forget()
        self._turning.forget()
        if self.is_writing:
            self._page.stop()
            self._written()

    def submit(self, line: str) -> None:
        """Add a line, if it holds anything, and let the model go on."""
        if not self.write(line) and self.is_busy:
            return
        self.go_on()

    def write(self, line: str) -> bool:
        """Stop, and add a line; False, and nothing is done, where it holds nothing."""
        if self.story.write(line) is self.story:
            return False
        self.stop()
        self.story, self.meter.reason = self.story.write(line), None
        return True

    def go_on(self, until: Until = Until.LENGTH) -> None:
        """Let the model go on, so far."""
        self.stop()
        self._supervisor.when_ready(lambda: self._turning.go_on(partial(self._go_on, until)))

    def retry(self) -> None:
        """Replace the model's last passage, or go on where the writer wrote last."""
        self.stop()
        if not self.story.spans:
            return
        until = Until(self.story.spans[-1].until)
        settings = self.wishes.again(self.settings)
        self._supervisor.when_ready(
            lambda: self._write(self.story.retry(settings, self.maker, until))
        )

    def compare(self, samples: int) -> None:
        """Have several continuations written side by side, for `keep` to choose from."""
        self.stop()
        self._supervisor.when_ready(lambda: self._turning.go_on(partial(self._compare, samples)))

    def keep(self, choice: int | None) -> list[Notice]:
        """Go on from one continuation, or from none; all stay as branches. Notices as `handle`."""
        self.stop()
        if self.comparison is None:
            return []
        is_kept = choice is not None and bool(self.comparison.columns[choice].text)
        story, self.comparison = self.comparison.kept(choice), None
        self.story, self.meter.reason = story, None
        self._page.written = story.nodes[story.here].span if is_kept else None
        return self._written()

    def choose(self, offset: int, text: str, token: int) -> None:
        """Put another word there, and let the model go on from it; one step of undo."""
        self.stop()
        self._go_on_from(self.story.choose(offset, text, token, self._supervisor.maker()))

    def put(self, offset: int, text: str) -> None:
        """Put a word of the writer's there, and let the model go on from it; one step of undo."""
        self.stop()
        self._go_on_from(self.story.put(offset, text))

    def retry_at(self, offset: int) -> None:
        """Let the model write what comes from a character on anew; the old stays as a branch."""
        self.stop()
        self._write(self.story.begin(self.settings, self.maker, offset=offset))

    def change(self, change: Callable[[Story], Story]) -> None:
        """Stop, and make another story of this one."""
        self.stop()
        self._go_to(change(self.story))

    def edit(self, text: str) -> None:
        """The story as the writer has changed it."""
        self.change(lambda story: story.edited(text))

    def move(self, step: int) -> None:
        """To the sibling before or after the passage that the writer stands at."""
        self.change(lambda story: story.sibling(step))

    def go(self, node: int) -> None:
        """To the end of a passage anywhere in the tree."""
        self.change(lambda story: story.go(node))

    def undo(self) -> None:
        """Stop, and go one step back."""
        self.change(Story.undo)

    def redo(self) -> None:
        """Go one step forward again."""
        self.change(Story.redo)

    def tell(self, story: Story) -> None:
        """Turn to another story."""
        self.stop()
        self.comparison = None
        self._page.turn()
        self._go_to(story)

    # What is asked about the story.

    def look(self, offset: int) -> Question[Seen]:
        """Stop, and ask what else could come at a character of the story."""
        self.stop()
        settings, note = self.settings, self.story.note
        return self.questions.ask(
            Seen,
            lambda context: self.engine.look(noted(note, context), settings, ALTERNATIVES),
            offset,
        )

    # What the engine says.

    def handle(self, events: Iterable[Event]) -> list[Notice]:
        """Take in events, in order; gives what the writer should be told."""
        notices: list[Notice] = []
        for kind, group in groupby(events, type):
            if kind is Chunks:
                self._page.add([event for event in group if isinstance(event, Chunks)])
            else:
                for event in group:
                    notices += self._take(event)
        if self.is_writing:
            self.meter.count()
        return notices

    def _take(self, event: Event) -> list[Notice]:
        """Take in one event that is no chunk: tell it to the part that it is for."""
        match event:
            case Ready():
                self.meter.use(event)
                if not self._supervisor.ready(event):
                    self.lengths.show()
            case Started() if self._page.is_of(event.id):
                return self._page.started(event)
            case Ended() if self._page.is_of(event.id):
                self._page.ended(event)
                return self._written()
            case Failed(id=None):
                self.questions.lose()
                return self._supervisor.down(_told(event))
            case Failed() if self._page.is_of(event.id):
                self._finish()
                return [_told(event)]
            case _ if isinstance(event, Answered | Failed):
                self.questions.take(event)
            case Died():
                waited = self.questions.lose()
                notices = self._supervisor.died(event, waited=waited)
                self._finish()
                return notices
        return []

    def _finish(self) -> None:
        """What runs has come to nothing more."""
        if self.is_writing:
            self._page.finish(None)
            self._written()

    def _written(self) -> list[Notice]:
        """What was written is over, if it is; gives what the writer should be told."""
        if self.is_writing:
            return []
        self.lengths.show()
        self.settings, notices = self.wishes.settle(self.settings)
        return notices

    # How it is done.

    def _write(self, begun: Story) -> None:
        """Have the passage written that `begun` has opened."""
        self._page.begin(Passage(self._fingerprints), begun)

    @property
    def maker(self) -> Maker:
        """What writes the next passage; there is a model."""
        return replace(self._supervisor.maker(self.muted), note=self.story.note)

    def _go_on(self, until: Until, story: Story) -> None:
        """Have a story go on, in one step of undo from the one that there is."""
        begun = story.begin(self.settings, self.maker, until)
        self._write(replace(begun, past=(*self.story.past, self.story.here)))

    def _go_on_from(self, changed: Story) -> None:
        """Have a changed story go on, in one step of undo from the one that there is."""
        before, self.story = self.story, changed
        begun = changed.begin(self.settings, self.maker)
        self._write(replace(begun, past=(*before.past, before.here)))

    def _compare(self, samples: int, story: Story) -> None:
        maker, settings = self.maker, self.settings
        self.comparison = Comparison(story, settings, maker, samples, back=self.story)
        columns = SideBySide(self._fingerprints, self.comparison, settings)
        self._page.begin(columns, story)

    @property
    def _fingerprints(self) -> tuple[str, ...]:
        """By which a story knows the model; none where there is no model."""
        return self.model.fingerprints if self.model is not None else ()

    def _context(self, end: int | None) -> tuple[ContextPart, ...] | None:
        """What the engine is to read of the story; None where it is not ready."""
        is_ready = self.phase is Phase.READY
        return self.story.context(self._fingerprints, end) if is_ready else None

    def _go_to(self, story: Story) -> None:
        self.story = story
        self.meter.reason = None
        self.lengths.show()


def _told(event: Failed) -> Notice:
    return Notice.of(UserError(event.message, event.remedy))
