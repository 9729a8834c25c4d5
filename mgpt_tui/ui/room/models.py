"""Models: which one writes, what two of them make of one beginning, and one that learns."""

from __future__ import annotations

import re

from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.messages import Told
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.learning.begun import under_way, unfinished
from mgpt_tui.model.registry import find_model, listed_as
from mgpt_tui.ui.learning.apprentice import Apprentice, Phase
from mgpt_tui.ui.room.desk import Desk
from mgpt_tui.ui.screens.learning.both import BothScreen
from mgpt_tui.ui.screens.learning.choosing import ChooseStoriesScreen, LearningDialog, ToLearn
from mgpt_tui.ui.screens.learning.growing import GrowingScreen, Next
from mgpt_tui.ui.screens.models import ModelsScreen, ToldByBoth, ToLearning
from mgpt_tui.ui.speeds import Speeds

TIMED = SamplingSettings(max_tokens=32, ignore_end=True, finish_sentence=False, seed=1)
"""What is written to see how fast the model is."""
BEGINNING = "Once upon a time"
LONGEST_BEGINNING = 200
SENTENCE = re.compile(r"[^.!?]*[.!?]+[\"')]*")


class Models:
    """The part of the room that knows the models.

    Args:
        apprentice: the model that learns.
    """

    def __init__(self, desk: Desk, apprentice: Apprentice) -> None:
        self._desk = desk
        self._session = desk.session
        self._apprentice = apprentice
        self._speeds = Speeds()
        self._timed = ""  # the model whose speed was asked for last

    @property
    def _in_use(self) -> str:
        model = self._session.model
        return model.model if model else self._desk.model_name

    # Which one writes.

    def action_models(self, name: str = "") -> None:
        if name:
            self._switch(name)
            return
        screen = ModelsScreen(self._in_use, self._speeds, self._line)
        self._timed = ""
        self._time(screen)
        self._desk.ask(screen, self._chosen)

    def _time(self, screen: ModelsScreen) -> None:
        """Find out how fast the model is that writes, unless it is at it or that is known."""
        model, session = self._session.model, self._session
        if model is None or session.is_busy or self._timed == model.model:
            return
        self._timed = model.model
        listed = listed_as(model.model)
        if self._speeds.is_measured(listed):
            return

        def timed(told: Told) -> None:
            rate = told.finished.tokens_per_second
            self._speeds.measured(listed, model.parameters, rate)
            screen.measured()

        session.questions.ask(Told, lambda _: session.engine.tell((), TIMED), 0, timed)

    def _chosen(self, answer: str | ToldByBoth | ToLearning | None) -> None:
        try:
            match answer:
                case str():
                    self._switch(answer)
                case ToldByBoth():
                    self.action_both(answer.model)
                case ToLearning():
                    self.action_learn()
        except UserError as error:  # it is gone by now, or another one learns
            self._desk.complain(error)

    def _switch(self, name: str) -> None:
        """Write with another model from now on; the story stays.

        Raises:
            UserError: where there is no such model.
        """
        entry = find_model(name)
        self._desk.model_name = entry.name
        self._session.switch(name)
        self._desk.say(f"{entry.name} writes from now on.")
        self._desk.show()

    # Two of them.

    def action_both(self, name: str) -> None:
        """Raises: UserError where there is no such model."""
        self._told_by((self._in_use, find_model(name).name))

    def _told_by(self, models: tuple[str, str]) -> None:
        if self._desk.is_ready():
            self._session.stop()
            self._desk.ask(BothScreen(self._session, models, self._beginning))

    @property
    def _beginning(self) -> str:
        """The first sentence of the story, where there is one."""
        found = SENTENCE.match(self._session.story.text.replace("\n", " ").strip())
        return found[0] if found and len(found[0]) <= LONGEST_BEGINNING else BEGINNING

    # One that learns.

    @property
    def _line(self) -> str:
        """How it is with the model that learns, here or elsewhere."""
        if self._apprentice.phase not in (Phase.IDLE, Phase.RECKONING):
            return self._apprentice.line
        left = unfinished()
        return f"{left[0].name} has stopped learning" if left else ""

    def action_learn(self) -> None:
        if self._apprentice.phase in (Phase.IDLE, Phase.RECKONING):
            elsewhere, left = under_way(), unfinished()
            if elsewhere is not None:
                raise UserError(
                    f"{elsewhere} is learning already, begun elsewhere.",
                    "Wait for it, or stop it there.",
                )
            if not left:
                self._choose_stories()
                return
            self._apprentice.take_up(left[0])
        self._show_growing()

    def _choose_stories(self) -> None:
        self._apprentice.leave()
        library = self._desk.library
        self._desk.ask(ChooseStoriesScreen(self._apprentice, library, self._in_use), self._begin)

    def _begin(self, answer: ToLearn | None) -> None:
        if answer is not None:
            self._apprentice.begin(answer.name, answer.arguments)
            self._show_growing()

    def _show_growing(self) -> None:
        self._desk.ask(GrowingScreen(self._apprentice, self._in_use), self._after_growing)

    def _after_growing(self, answer: Next | None) -> None:
        apprentice = self._apprentice
        learnt = apprentice.learnt
        if answer is Next.ANOTHER:
            self._choose_stories()
        elif answer is Next.WRITE and learnt is not None:
            self._chosen(learnt.model)
        elif answer is Next.BOTH and learnt is not None:
            before = apprentice.planned.model if apprentice.planned is not None else self._in_use
            self._told_by((before, learnt.model))

    def hear(self) -> None:
        """Take in what the model that learns has said, and show it."""
        front = self._desk.front
        if isinstance(front, ModelsScreen):
            self._time(front)  # the model that writes may have come after the list
        if not self._apprentice.is_busy:
            return
        heard, notices = self._apprentice.hear()
        if not heard:
            return
        self._desk.tell(notices)
        self._desk.show_learning(self._apprentice.line)
        if isinstance(front, LearningDialog):
            front.show_learning()
        elif isinstance(front, ModelsScreen):
            front.show_learning(self._line)
