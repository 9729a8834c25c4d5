"""Aiming: so many words a story is to have, and that it has them now."""

from __future__ import annotations

from mgpt_tui.stories.story import Story

Aim = tuple[str, int]
"""When the story was begun, by which it is known, and its goal."""


class Aiming:
    """Notices when a story reaches its goal, once."""

    def __init__(self) -> None:
        self._short: Aim | None = None  # what was not reached when it was looked at last
        self._told: set[Aim] = set()

    def is_reached(self, story: Story) -> bool:
        """Whether the story has come to its goal since it was looked at, for the first time."""
        aim = story.created, story.goal
        if not story.goal or sum(story.words.values()) < story.goal:
            self._short = aim
            return False
        if self._short != aim or aim in self._told:
            return False
        self._told.add(aim)
        return True
