"""The last card is a game: guess the next word of a story, against the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input

from mgpt_tui.inference.inspection.answers import Guess, Stretch, SurpriseView
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.ui.screens.inside.sight import percent, said
from mgpt_tui.ui.screens.lessons.card import ALONE, Place, draw, drawn
from mgpt_tui.ui.screens.lessons.scoring import (
    SURE,
    Score,
    asked_for,
    chance,
    is_right,
    last_word,
    named,
    paid,
)
from mgpt_tui.ui.session.asking import SURPRISE, Asking, Wanted
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.widgets.plain import Plain

TITLE = "guess the next word"
WORDS = """\
A language model is judged by what it pays for the word that comes: -log2 of the chance that it
gave. Play against it: type the next word, and say how sure you are, c. If it comes, you pay
-log2 c bits, 1 for 50 %. If another comes, it has its part of the other 1 - c, which are shared
out as the model shares among the words that you did not name. So who is as sure as the model pays
the same, and boasting does not pay. The model pays for all tokens of the word, and for its end,
the chance that a blank follows. Fewest bits win."""
TO_DO = """\
one word of letters, ↑ ↓ for how sure you are, and enter. On an empty line you pay what the model
pays."""
SHOWN = 190
"""Characters of the story that are shown before the word."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a guess came out.

    Attributes:
        word: that came.
        guess: of the player's; "" where they left it to the model.
        sure: how sure of it they were.
        named: the model's chance of the guess; None where it came, or there was none.
        model, player: what they pay, in bits.
        likeliest: what the model would have begun the word with.
    """

    word: str
    guess: str
    sure: float
    named: float | None
    model: float
    player: float
    likeliest: Guess

    def lines(self) -> list[Content]:
        """In words."""
        first = f"{said(self.likeliest.text)}, {percent(self.likeliest.p).strip()}"
        told = f"{percent(chance(self.model)).strip()}, {self.model:.1f} bits"
        word = (self.word, "bold reverse")
        lines = [
            Content.assemble("It was ", word, f": for the model {told} (likeliest token {first}).")
        ]
        if not self.guess:
            return [*lines, Content(f"You left it to the model: {self.player:.1f} bits.")]
        how = "right"
        if self.named is not None:
            how = f"no (the model gave that {percent(self.named).strip()})"
        guess = f"You said {self.guess}, {self.sure:.0%} sure: {how}, {self.player:.1f} bits."
        return [*lines, Content(guess)]


class Game(Vertical):
    """Ten words of a story that neither the player nor the model has read.

    Args:
        session: with a model that is ready.
        number: how many games were played before, which decides story and words.
        over: called when a game is over.
    """

    def __init__(self, session: Session, number: int, over: Callable[[], None]) -> None:
        super().__init__(id="game")
        self._session, self._number, self._over = session, number, over
        self._sure = SURE.index(0.5)
        self._begin()

    def compose(self) -> ComposeResult:
        yield Plain(id="before")
        with Horizontal(id="guess"):
            yield Plain(id="sure")
            yield Input(id="word", compact=True, placeholder="your word")
        yield Plain(id="outcome")

    # What is played.

    def _begin(self) -> None:
        """Another story, the first one being that of the other cards."""
        stories = shipped_stories()
        self._text = stories[1 + self._number % (len(stories) - 1)]
        self._asking = Asking(self._session, self._text)
        self._words: list[tuple[Stretch, int, int]] = []
        self._score, self._at = Score(), 0
        self._guess: str | None = None  # that waits for what the model thinks of it
        self._outcome: Outcome | None = None
        self._told = ""  # what is wrong with what was typed

    @property
    def is_over(self) -> bool:
        """Whether all words are guessed."""
        return self._outcome is not None and self._score.words == len(self._words)

    def turn(self, by: int) -> None:
        """Be surer, or less so."""
        if self._outcome is None:
            self._sure = min(max(0, self._sure + by), len(SURE) - 1)
        self.show_session()

    @on(Input.Submitted)
    def enter(self, event: Input.Submitted) -> None:
        """Guess; or, once it is told, go to the next word."""
        event.stop()
        self._told = ""
        if self.is_over:
            self._number += 1
            self._over()
            self._begin()
        elif self._outcome is not None:
            self._outcome, self._at = None, self._at + 1
        elif self._words and self._guess is None:
            guess = named(event.value)
            if event.value.strip() and not guess:
                self._told = "Type one word, of letters."
            else:
                self._guess = guess
        self.show_session()

    def show_session(self) -> None:
        """Ask what is not known yet, and show what is."""
        told = self._asking.surprise()
        if told is not None and not self._words:
            self._words = asked_for(told, self._text, self._number)
        if told is not None and self._guess is not None:
            self._settle(told, self._guess)
        self._draw()

    def _settle(self, told: SurpriseView, guess: str) -> None:
        """Tell how a guess came out, if the model has said what it needs."""
        stretch, start, end = self._words[self._at]
        word, sure = self._text[start:end], SURE[self._sure]
        place = Place(text=told, number=stretch.first - 1)
        choice = self._asking.answer(draw(place, ALONE, count=1))
        if choice is None:
            return
        known: float | None = None
        player = stretch.bits
        if guess and not is_right(guess, word):
            answer = self._asking.answer(
                Wanted(SURPRISE.asked, context=(f"{self._text[:start].rstrip()} {guess}",))
            )
            if not isinstance(answer, SurpriseView):
                return
            known = last_word(answer)
        if guess:
            player = paid(sure, stretch.bits, known)
        self._guess = None
        likeliest = drawn(choice).stages[0].top[0]
        self._outcome = Outcome(word, guess, sure, known, stretch.bits, player, likeliest)
        self._score = self._score.with_word(player, stretch.bits)
        self.query_one("#word", Input).clear()

    # What is shown.

    def _draw(self) -> None:
        before, outcome = self.query_one("#before", Plain), self.query_one("#outcome", Plain)
        if not self._words:
            before.update(Content(self._asking.trouble or "the model reads…"))
            return
        before.update(self._story())
        way = f"{SURE[self._sure]:.0%} sure › "
        if self._outcome is not None:
            way = f"enter: {'another story' if self.is_over else 'next'} › "
        self.query_one("#sure", Plain).say(way)
        outcome.update(Content("\n").join(self._lines()))

    def _story(self) -> Content:
        """What stands before the word, and the word once it is told."""
        _, start, end = self._words[self._at]
        shown = self._text[:start].rstrip()
        if len(shown) > SHOWN:
            shown = "… " + shown[-SHOWN:].partition(" ")[2]
        word = self._text[start:end] if self._outcome else "____"
        return Content.assemble(f"{shown} ", (word, "bold reverse" if self._outcome else "bold"))

    def _lines(self) -> list[Content]:
        score, count = self._score, len(self._words)
        if self._outcome is None:
            waits = self._told or (self._asking.trouble if self._guess is not None else "")
            lines = [Content(waits or f"Word {self._at + 1} of {count}.")]
        else:
            lines = self._outcome.lines()
        if score.words:
            rest = _verdict(score) if self.is_over else f"{score.words} of {count} words."
            lines.append(
                Content.assemble(
                    f"{'In all' if self.is_over else 'So far'} you ",
                    (f"{score.player:.1f}", "bold"),
                    " bits, the model ",
                    (f"{score.model:.1f}", "bold"),
                    f". {rest}",
                )
            )
        return lines


def _verdict(score: Score) -> str:
    """Who has won."""
    ahead = round(score.model - score.player, 1)
    if ahead == 0:
        return "A draw."
    return f"{'You win' if ahead > 0 else 'The model wins'} by {abs(ahead):.1f}."
