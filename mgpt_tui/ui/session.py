"""Writing together, without a screen: what the writer can do.

The screen calls the verbs (`submit`, `retry`, `stop`, ...), passes on the engine's events with
`handle`, and shows what is in the attributes.
"""

from __future__ import annotations

from dataclasses import replace

from mgpt_tui.inference.request import Until
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.conversation import Conversation

ALTERNATIVES = 12
"""How many other words are shown for a place."""


class Session(Conversation):
    """A writer, a story and an engine; see `Conversation` for the attributes."""

    # What can be done.

    @property
    def can_retry(self) -> bool:
        """Whether the model wrote last."""
        return self.story.ends_with_model

    @property
    def can_undo(self) -> bool:
        """Whether undo changes anything."""
        return bool(self.story.past)

    @property
    def can_redo(self) -> bool:
        """Whether redo changes anything."""
        return bool(self.story.future) and not self.is_writing

    @property
    def can_move(self) -> bool:
        """Whether the passage that the writer stands at has siblings."""
        return len(self.story.siblings) > 1

    # What the writer does.

    def submit(self, line: str) -> None:
        """Add a line, if it holds anything, and let the model go on."""
        written = self.story.write(line)
        if written is self.story and self.is_busy:
            return
        self.stop()
        written = self.story.write(line)
        if written is not self.story:
            self.story, self.meter.reason = written, None
        self.go_on()

    def go_on(self, until: Until = Until.LENGTH) -> None:
        """Let the model go on, so far."""
        self.stop()

        self._request(lambda: self._write(self.story.begin(self.settings, self._maker(), until)))

    def retry(self) -> None:
        """Replace the model's last passage, or go on where the writer wrote last."""
        self.stop()
        if not self.story.spans:
            return
        until = Until(self.story.spans[-1].until)
        self._request(lambda: self._write(self.story.retry(self.settings, self._maker(), until)))

    def compare(self, samples: int) -> None:
        """Have several continuations written side by side, for `keep` to choose from."""
        self.stop()
        self._request(lambda: self._compare(samples))

    def keep(self, choice: int | None) -> None:
        """Go on from one of the continuations, or from none; all of them stay as branches."""
        self.stop()
        if self.comparison is not None:
            story, self.comparison = self.comparison.kept(choice), None
            self._go_to(story)

    def look(self, offset: int) -> None:
        """Ask what else could come at a character of the story; the answer goes to `seen`."""
        self.stop()
        self.seen = None
        if self.model is not None:
            context = self.story.context(self.model.fingerprint, offset)
            self._look = self.engine.look(context, self.settings, ALTERNATIVES)

    def choose(self, offset: int, text: str, token: int) -> None:
        """Put another word there, and let the model go on from it; one step of undo."""
        self.stop()
        before, maker = self.story, self._maker()
        chosen = before.choose(offset, text, token, maker)
        begun = chosen.begin(self.settings, maker)
        self.story = chosen
        self._write(replace(begun, past=(*before.past, before.here)))

    def edit(self, text: str) -> None:
        """The story as the writer has changed it."""
        self.stop()
        self._go_to(self.story.edited(text))

    def move(self, step: int) -> None:
        """To the sibling before or after the passage that the writer stands at."""
        self.stop()
        self._go_to(self.story.sibling(step))

    def go(self, node: int) -> None:
        """To the end of a passage anywhere in the tree."""
        self.stop()
        self._go_to(self.story.go(node))

    def undo(self) -> None:
        """Stop, and go one step back."""
        self.stop()
        self._go_to(self.story.undo())

    def redo(self) -> None:
        """Go one step forward again."""
        self.stop()
        self._go_to(self.story.redo())

    def tell(self, story: Story) -> None:
        """Turn to another story."""
        self.stop()
        self.comparison = None
        self.meter.begin()
        self._told_window = False
        self._go_to(story)

    def _go_to(self, story: Story) -> None:
        self.story = story
        self.meter.reason = None
        self._show_length()
