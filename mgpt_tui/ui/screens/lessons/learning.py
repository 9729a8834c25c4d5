"""How the model came by its numbers: what it is asked in training, and what it pays."""

from __future__ import annotations

import math

from textual.content import Content

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.text import counted
from mgpt_tui.ui.screens.inside.sight import bar, bits, cells, percent, said
from mgpt_tui.ui.screens.lessons.card import ALONE, Card, Look, Place, Seen, draw, vocabulary


def _learning(place: Place) -> Look:
    many = vocabulary((yield draw(place, ALONE)))
    tokens = place.text.tokens
    even = math.log2(many)
    whole = place.text.whole.bits / len(tokens)
    read = -sum(token.logprob for token in tokens[: place.number]) * BITS / place.number
    width = max(8, place.width - 48)

    def line(name: str, amount: float, note: str) -> Content:
        return Content.assemble(
            f"{cells(name, 22)}{amount:6.2f} bits a token  ",
            (cells(bar(amount / even, width // 2), width // 2 + 1), "$accent"),
            (note, "dim"),
        )

    lines = [
        line("guessing evenly", even, f"log2 of {many:,}"),
        line("this model, this text", whole, f"as if one of {2**whole:,.1f}"),
        line("up to the cursor", read, counted(place.number, "token")),
        Content(f"Times ln 2, that is {whole / BITS:.3f} nats: the loss on this text."),
        Content(_next(place)),
        Content(_costliest(place)),
    ]
    return Seen(lines)


def _next(place: Place) -> str:
    came = place.next
    if came is None:
        return "The text is over: nothing to be asked any more."
    chance = percent(math.exp(came.logprob)).strip()
    return (
        f"After {place.word(place.number)} came {said(came.text)}, which had {chance}: "
        f"{bits(came.logprob)}."
    )


def _costliest(place: Place) -> str:
    most = sorted(place.text.tokens, key=lambda token: token.logprob)[:3]
    return "The most surprising: " + ", ".join(
        f"{said(each.text)} {bits(each.logprob)}" for each in most
    )


LEARNING = Card(
    title="learning",
    words="""\
Where do the weights come from? At first they are random (init_weights in gpt.py), and all tokens
about equally likely. In training the model is shown text, and asked at each token what chance p
it gave to the one that came. That costs -log2 p bits: 1 for a half, 2 for a quarter. The mean is
the loss (GPT.loss, with ln for log2). The loss's gradient says for each weight which way is less
loss, and the optimizer goes a small step there, thousands of times.""",
    to_do="""\
Walk: what surprises the model, what costs next to nothing? Nobody told it what a name is.
Knowing it made the loss smaller.""",
    look=_learning,
)
