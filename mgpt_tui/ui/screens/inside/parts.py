"""The score of the token as a sum of what each part of the model added."""

from __future__ import annotations

import math
from dataclasses import replace

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, PartsView, View
from mgpt_tui.ui.screens.inside.sight import Place, Sight, Spot, said, signed
from mgpt_tui.ui.session.asking import Wanted


def ask(spot: Spot) -> Wanted:
    """What the logit, or the difference of two, is the sum of."""
    return Wanted(Asked(View.PARTS, spot.asked_number, rival=spot.chosen.rival))


def draw(answer: Answer, place: Place) -> list[Content]:
    """The largest parts, the others together, and the sum."""
    assert isinstance(answer, PartsView)
    parts, named = answer.parts, answer.parts.named
    lines = _compared(answer)
    room = max(1, place.rows - 3 - len(lines))
    shown, others = named[:room], named[room:]
    largest = abs(named[0][1])
    width = max(12, min(60, place.width - 22))
    lines += [_part(name, value, largest, width) for name, value in shown]
    if others:
        rest = sum(value for _, value in others)
        lines.append(_part(f"{len(others)} more", rest, max(largest, abs(rest)), width))
    lines.append(
        Content.assemble(
            (f"{'sum':<10}{parts.sum:+8.3f}", "bold"),
            f" = {_logit(answer)}, {parts.logit:+.3f}",
        )
    )
    lines.append(
        Content.styled(
            f"rounding {parts.rounding:+.1g}, at most {parts.bound:.1g} by its bound", "dim"
        )
    )
    return lines


def _compared(answer: PartsView) -> list[Content]:
    """Which two are compared, and how much likelier one was; of one alone, nothing."""
    if answer.minus is None:
        return []
    ratio = math.exp(min(100.0, abs(answer.parts.logit)))
    more = "likelier" if answer.parts.logit > 0 else "less likely"
    return [
        Content.assemble(
            "Why ",
            (said(answer.target.text), "bold $accent"),
            " and not ",
            (said(answer.minus.text), "bold $error"),
            f"? To the model it was {ratio:,.1f} times {more}.",
        )
    ]


def _logit(answer: PartsView) -> str:
    """What the sum is."""
    logit = f"the logit of {said(answer.target.text)}"
    return logit if answer.minus is None else f"{logit} less that of {said(answer.minus.text)}"


def _part(name: str, value: float, largest: float, width: int) -> Content:
    return Content.assemble(f"{name:<10}{value:+8.3f}  ", signed(value, largest, width))


SIGHT = Sight(
    digit="5",
    title="parts",
    line="Who voted for the word: what each head and MLP added. d: against another.",
    about="""\
The stream before the final norm is the sum of what every part added. With the norm's scale
frozen, each part c adds W_E[t] . (w_f * (c - mean c) / sigma) to the logit of token t (direct
logit attribution; Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021).
With d it is W_E[t] - W_E[u] for the likeliest other token u: the log of how many times likelier.

L2H3 is head 3 of layer 2, M4 the MLP of layer 4; rest is what biases and the norm add. In 8 bits
inputs are rounded, so what parts say and what came of them differ by `rounding`.

In gpt.py: every hook("added", ...), hook("gathered", ...), then final_norm and head.""",
    ask=ask,
    draw=draw,
    keys={"d": lambda _, chosen: replace(chosen, rival=not chosen.rival)},
)
