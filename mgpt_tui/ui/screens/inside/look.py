"""What is looked at, and what is known of it by now; the screen shows it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from mgpt_tui.inference.inspection.answers import Answer, SurpriseView
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.ui.screens.inside import surprise
from mgpt_tui.ui.screens.inside.sight import Bars, Chosen, Place, Sight, Slow
from mgpt_tui.ui.session.asking import Asking, Sofar, Wanted
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase

WAITS = Sofar(is_open=True, trouble="This comes once the model has written.")
"""What takes long, before it is asked."""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, to what was asked, and where."""

    answer: Answer
    wanted: Wanted
    at: Place


class Look:
    """A look upon the story of a session.

    Args:
        session: with a model that is ready.
        sight: the view to begin with.
        offset: a character of the token to begin at; the end where left out.

    Attributes:
        sight: the view.
        chosen: in the views.
        number: of the token, from 1; one more than there are for what could come next.
        text: all tokens of the story; None until they are known.
        story: that `text` is about.
        told: the view's last answer, be it to an earlier question; None until there is one.
        trouble: why there is none, in a line; "" where that is not so.
        room: rows and cells that the view has.
    """

    def __init__(self, session: Session, sight: Sight, offset: int | None = None) -> None:
        self.sight = sight
        self.chosen = Chosen()
        self.number = 1  # another one, once it is known
        self._offset = offset
        self._steps = list[int]()  # from there, until then
        self.text: SurpriseView | None = None
        self.story = session.story
        self.told: Told | None = None
        self.trouble = ""
        self.room = 6, 30
        self._session = session
        self._asking = Asking(session)
        self._slow: Wanted | None = None  # what was asked last that takes long
        self._slowly = Sofar()

    @property
    def is_told(self) -> bool:
        """Whether nothing more is on its way."""
        waits = self._asking.is_waiting or self._slowly.is_open
        return self.told is not None and not waits

    # What is chosen.

    def go(self, number: int) -> None:
        """Look at another token, or at the one nearest to that, once they are known."""
        if self.text is not None:
            self.number = min(max(1, number), len(self.text.tokens) + 1)

    def step(self, by: int) -> None:
        """Go on by so many tokens; before they are known, once they are."""
        if self.text is None:
            self._steps.append(by)
        else:
            self.go(self.number + by)

    def use(self, sight: Sight) -> None:
        """Choose a view; what another one is told bit by bit ends."""
        if sight is not self.sight:
            self.sight, self.told, self._slowly = sight, None, Sofar()
            self.leave()

    def leave(self) -> None:
        """Stop what would still be told bit by bit."""
        self._asking.stop_all()

    def press(self, key: str) -> bool:
        """A key of the view's own; whether it changed anything."""
        slow = self.sight.slow
        if slow is not None and key in slow.keys and self.text is not None:
            self._begin_or_stop(slow, key)
        elif self.told is not None and key in self.sight.acts:
            self.sight.acts[key](self._session, self.place)
        elif self.told is not None and key in self.sight.keys:
            self.chosen = self.sight.keys[key](self.told.answer, self.chosen)
        else:
            return False
        return True

    def _begin_or_stop(self, slow: Slow, key: str) -> None:
        before, waits = slow.ask(self.place), self._slowly is WAITS
        self.chosen = slow.keys[key](self.place)
        wanted = slow.ask(self.place)
        if waits and wanted == before:
            self.chosen = slow.take_back(self.chosen)
        elif wanted is not None and not (wanted == before and self._asking.stop(wanted)):
            self._asking.begin(wanted)

    # What is known.

    def update(self) -> None:
        """Ask what is not known yet and take in what is; where the story grew, follow it."""
        if self._session.phase is Phase.READY:
            self._ask()
        elif self._session.phase is Phase.DOWN:
            self.trouble = self._session.trouble

    def _ask(self) -> None:
        self._follow()
        text = self._asking.surprise()
        if text is None:
            self.trouble = self._asking.trouble
            return
        self._take(text)
        wanted = self.sight.ask(self.place)
        if isinstance(wanted, str):
            self.trouble, self.told = wanted, None
        else:
            answer = self._asking.answer(wanted)
            self.trouble = self._asking.trouble
            if answer is not None:
                self.told = Told(answer, wanted, self.place)
        self._ask_slowly()

    def _follow(self) -> None:
        """Ask of a story that grew, and of another model, anew."""
        asking, session = self._asking, self._session
        is_other = session.model != asking.model
        if is_other or (session.story.text != asking.story.text and not asking.is_waiting):
            asking.stop_all()
            self._asking = Asking(session)
        if is_other:
            self.told, self.chosen = None, Chosen()

    def _ask_slowly(self) -> None:
        """What takes long waits until the model has written, and ends for another."""
        wanted = self.sight.slow.ask(self.place) if self.sight.slow else None
        if self._slow is not None and wanted != self._slow:
            self._asking.let_go(self._slow)
        self._slow = wanted
        if wanted is None:
            self._slowly = Sofar()
        elif self._session.is_busy:
            self._slowly = WAITS
        else:
            self._slowly = self._asking.sofar(wanted)

    def _take(self, told: SurpriseView) -> None:
        at_end = self.text is None or self.number > len(self.text.tokens)
        self.text, self.story = told, self._asking.story
        offset, self._offset = self._offset, None
        if offset is not None:
            ends = [token.end for token in told.tokens]
            self.go(bisect_right(ends, offset) + 1)
        else:
            self.go(len(told.tokens) + 1 if at_end else self.number)
        while self._steps:
            self.step(self._steps.pop(0))

    @property
    def place(self) -> Place:
        """Where one looks; the text is known. See `shown` for where the answer is to be drawn."""
        assert self.text is not None
        model = self._session.model
        rows, width = self.room
        return Place(
            text=self.text,
            number=self.number,
            chosen=self.chosen,
            story=self.story,
            settings=self._session.settings,
            fingerprints=model.fingerprints if model is not None else (),
            muted=self._session.muted,
            model=model.model if model is not None else "",
            answer=self.told.answer if self.told else None,
            is_stale=False,
            slowly=self._slowly,
            rows=rows,
            width=width,
        )

    @property
    def shown(self) -> Place:
        """The place that the last answer is about, be it an earlier one; the text is known.

        What changes nothing in that answer, such as a cursor, is as it is chosen now.
        """
        now, told = self.place, self.told
        if told is None or (told.at.text is now.text and self.sight.ask(now) == told.wanted):
            return now
        at = replace(told.at, chosen=now.chosen)
        return replace(
            at if self.sight.ask(at) == told.wanted else told.at,
            is_stale=True,
            slowly=now.slowly,
            rows=now.rows,
            width=now.width,
        )

    @property
    def bars(self) -> Bars:
        """Of the view, or those of all views; the text is known."""
        if self.sight.bars is not None and self.told is not None:
            return self.sight.bars(self.told.answer, self.shown)
        assert self.text is not None
        return surprise.of_text(self.text)

    @property
    def window_start(self) -> int:
        """The first token that the model saw; 0 stands before the story."""
        model = self._session.model
        if model is None:
            return 0
        return replace(GPTConfig(), block_size=model.block_size).window_start(self.number)
