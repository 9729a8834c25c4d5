"""The lessons: a card a screen, bound to the story that is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input

from mgpt_tui.inference.inspection.answers import SurpriseView
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.ui.screens.dialog import WALK, LiveDialog
from mgpt_tui.ui.screens.inside.surprise import of_text
from mgpt_tui.ui.screens.inside.walk import Walk
from mgpt_tui.ui.screens.lessons import choosing, game, learning, looking, thinking, tokens
from mgpt_tui.ui.screens.lessons.card import Place, Seen, flowing, seen
from mgpt_tui.ui.screens.lessons.game import Game
from mgpt_tui.ui.session.asking import Asking
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.roomy import Roomy

CARDS = (
    tokens.TOKENS,
    tokens.EMBEDDINGS,
    looking.ATTENTION,
    looking.MASK,
    looking.HEADS,
    thinking.NEURONS,
    thinking.STREAM,
    choosing.SOFTMAX,
    choosing.CHOOSING,
    learning.LEARNING,
)
"""In their order; the game comes behind them."""

COUNT = len(CARDS) + 1
BEGIN_AT = 8
"""The token that the cursor is on at first."""

LEAST = 6
"""Rows of numbers, even where the screen has fewer."""


@dataclass(slots=True)
class Bookmark:
    """Where a learner was, for as long as the app runs.

    Attributes:
        card: from 1.
        games: how many were played.
    """

    card: int = 1
    games: int = 0


class Numbers(Roomy, Plain):
    """What a card shows."""


@dataclass(slots=True)
class Turned:
    """What a learner has turned: the part is the same for all cards, each dial a card's own."""

    part: int = 0
    tries: int = 0
    dials: dict[int, int] = field(default_factory=dict)


class LessonsScreen(LiveDialog[None]):
    """Ten cards and a game.

    Args:
        session: with a model that is ready.
        bookmark: where to begin; it is kept up to date.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "close", show=False),
        Binding("pagedown", "card(1)", show=False, priority=True),
        Binding("pageup", "card(-1)", show=False, priority=True),
        Binding("n", "card(1)", show=False),
        Binding("p", "card(-1)", show=False),
        Binding("r,space", "again", show=False),
        *(Binding(str(number % 10), f"go({number})", show=False) for number in range(1, COUNT)),
        *WALK,
        Binding("up", "dial(1)", show=False, priority=True),
        Binding("down", "dial(-1)", show=False, priority=True),
        Binding("tab", "part(1)", show=False, priority=True),
        Binding("shift+tab", "part(-1)", show=False, priority=True),
    ]
    OF_CARDS = ("step", "part", "again")
    """Actions whose keys the game's field needs for itself."""

    def __init__(self, session: Session, bookmark: Bookmark) -> None:
        super().__init__()
        self._session, self._bookmark = session, bookmark
        self._is_ours = not session.story.text
        self._story = shipped_stories()[0] if self._is_ours else session.story.text
        self._asking = Asking(session, self._story if self._is_ours else "")
        self._text: SurpriseView | None = None
        self._number = BEGIN_AT
        self._turned = Turned()
        self._seen: Seen | None = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="lessons", classes="box whole"):
            yield Walk(id="lesson-story")
            with VerticalScroll(id="lesson", can_focus=False):
                yield Plain(id="lesson-words")
                yield Numbers(id="lesson-numbers")
                yield Game(self._session, self._bookmark.games, self._game_over)
                yield Plain(id="lesson-to-do", classes="help")

    def on_mount(self) -> None:
        self._turn_to(self._bookmark.card)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_session)

    @on(Numbers.Resized)
    def room_changed(self) -> None:
        """Other words leave another room for the numbers."""
        self.show_session()

    # What is pressed.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the game, letters and arrows are the field's."""
        return not (self._is_game and action in self.OF_CARDS)

    def action_card(self, by: int) -> None:
        """Turn to the next card, or to the one before."""
        self._turn_to(min(max(1, self._bookmark.card + by), COUNT))

    def action_go(self, number: int) -> None:
        """Turn to a card."""
        self._turn_to(number)

    def action_step(self, by: int) -> None:
        """Go to the token before or after."""
        self._number += by
        self._within()
        self.show_session()

    @on(Walk.Pointed)
    def point(self, message: Walk.Pointed) -> None:
        """Go to the token that was clicked."""
        self._number = message.number
        self._within()
        self.show_session()

    def action_part(self, by: int) -> None:
        """Choose the next head or layer."""
        self._turned.part += by
        self.show_session()

    def action_dial(self, by: int) -> None:
        """Turn what the card lets one turn."""
        if self._is_game:
            self.query_one(Game).turn(by)
            return
        place = self._place()
        if place is not None:
            dials = CARDS[self._bookmark.card - 1].dials(place)
            self._turned.dials[self._bookmark.card] = min(max(dials[0], place.dial + by), dials[-1])
        self.show_session()

    def action_again(self) -> None:
        """Draw once more."""
        self._turned.tries += 1
        self.show_session()

    def _game_over(self) -> None:
        self._bookmark.games += 1

    # What is shown.

    @property
    def _is_game(self) -> bool:
        return self._bookmark.card == COUNT

    def _turn_to(self, card: int) -> None:
        self._bookmark.card, self._seen = card, None
        is_game = self._is_game
        title = game.TITLE if is_game else CARDS[card - 1].title
        ours = " · a story that comes along" if self._is_ours and not is_game else ""
        box = self.query_one("#lessons")
        box.border_title = Content(f" {card} of {COUNT} · {title}{ours} ")
        box.border_subtitle = (
            "page up, page down: cards · esc leaves"
            if is_game
            else "n next · p back · 0–9 cards · ←→ walk · esc leaves"
        )
        for widget in (Walk, Numbers):
            self.query_one(widget).display = not is_game
        self.query_one(Game).display = is_game
        words, to_do = (game.WORDS, game.TO_DO)
        if not is_game:
            words, to_do = CARDS[card - 1].words, CARDS[card - 1].to_do
        self.query_one("#lesson-words", Plain).say(flowing(words))
        self.query_one("#lesson-to-do", Plain).say(f"To do: {flowing(to_do)}")
        self.query_one("#lesson").scroll_home(animate=False)
        self.query_one(Input if is_game else Walk).focus()
        self.show_session()

    def show_session(self) -> None:
        """Ask what is not known yet, and show what is."""
        if not self.is_open:
            return
        if self._session.phase is Phase.DOWN:
            self._trouble = self._session.trouble
        elif self._session.phase is Phase.READY and self._is_game:
            self.query_one(Game).show_session()
        elif self._session.phase is Phase.READY:
            self._look()
        self._draw()

    def _look(self) -> None:
        if self._text is None:
            self._text = self._asking.surprise()
            self._within()
        place = self._place()
        if place is not None:
            look = CARDS[self._bookmark.card - 1].look(place)
            self._seen = seen(look, self._asking.answer) or self._seen
        self._trouble = self._asking.trouble

    def _place(self) -> Place | None:
        """Where one is; None while the model has not read the story."""
        if self._text is None or self._is_game:
            return None
        size = self.query_one(Numbers).size
        return Place(
            text=self._text,
            number=self._number,
            part=self._turned.part,
            dial=self._turned.dials.get(self._bookmark.card, 0),
            tries=self._turned.tries,
            settings=self._session.settings,
            rows=max(LEAST, size.height),
            width=max(40, size.width),
        )

    def _within(self) -> None:
        if self._text is not None:
            self._number = min(max(1, self._number), len(self._text.tokens))

    def _draw(self) -> None:
        numbers = self.query_one(Numbers)
        if self._trouble or self._seen is None:
            numbers.update(Content(self._trouble or "the model looks…"))
        else:
            numbers.update(Content("\n").join(self._seen.lines))
        if self._text is not None:
            ends = [token.end for token in self._text.tokens]
            bars = (self._seen.bars if self._seen else None) or of_text(self._text)
            self.query_one(Walk).show(self._story, ends, self._number, bars, 0)
