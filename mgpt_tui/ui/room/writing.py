"""Writing: sending lines, and having the model go on."""

from __future__ import annotations

from dataclasses import replace

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import Until
from mgpt_tui.settings_fields import OFF
from mgpt_tui.stories.formats import MOST_WORDS
from mgpt_tui.text import counted
from mgpt_tui.ui.keys import KEY
from mgpt_tui.ui.room.desk import Desk


class Writing:
    """The part of the room where the story grows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._session = desk.session

    def sent(self, line: str) -> None:
        """The writer sent a line: add it and let the model go on."""
        self._session.submit(line)
        self._desk.show_end()

    def action_go_on(self, until: str) -> None:
        self._desk.write_typed()
        self._session.go_on(Until(until))
        self._desk.show_end()

    def action_stop(self) -> None:
        self._session.stop()
        self._desk.pacing.catch_up()
        self._desk.show()

    def action_retry(self) -> None:
        session = self._session
        last = session.story.spans[-1] if session.story.spans else None
        if session.settings.seed is not None and last and last.settings == session.settings:
            self._desk.say("A seed is set, so the model writes the same again.")
        session.retry()
        self._desk.show_end()

    def action_aim(self, words: str = "") -> None:
        session, goal = self._session, self._session.story.goal
        if not words:
            self._desk.prompt.begin(KEY["goal"], str(goal) if goal else "")
            return
        is_number = words.isdecimal() and len(words) <= len(str(MOST_WORDS))
        wanted = 0 if words.casefold() == OFF else int(words) if is_number else -1
        if not 0 <= wanted <= MOST_WORDS:
            raise UserError(f"{words} is no number of words.", "Give one such as 500, or off.")
        session.story = replace(session.story, goal=wanted)
        self._desk.say(f"The goal is {counted(wanted, 'word')}." if wanted else "There is no goal.")
        self._desk.show_status()

    # What the model is to keep in mind.

    def action_remember(self, note: str = "") -> None:
        desk = self._desk
        if not note:
            desk.prompt.begin(KEY["remember"], self._session.story.note)
        elif note.casefold() == OFF:
            if desk.is_possible(KEY["forget"]):
                self.action_forget()
            else:
                desk.refuse(KEY["forget"])
        elif desk.is_ready():
            kept = "The note stays in the model's view from the next passage on."
            self._session.lengths.remember(note, lambda trouble: desk.say(trouble or kept))

    def action_forget(self) -> None:
        gone = "The note is gone from the next passage on."
        self._session.lengths.remember("", lambda _: self._desk.say(gone))
        self._desk.show()
