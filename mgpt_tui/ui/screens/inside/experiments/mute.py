"""Parts of the model switched off, and what that does to every token of the story."""

from __future__ import annotations

from dataclasses import replace

from textual.content import Content

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Answer, Asked, View
from mgpt_tui.inference.inspection.asked import Guess
from mgpt_tui.inference.inspection.experiments import CostsView, MuteView, Shape
from mgpt_tui.inference.inspection.names import parse_parts, spell_muted
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.ui.screens.inside.experiments.again import ask_again, draw_again
from mgpt_tui.ui.screens.inside.experiments.changes import LEGEND, bars_of, more
from mgpt_tui.ui.screens.inside.experiments.parts_map import draw_map, muted_by, step, toggled
from mgpt_tui.ui.screens.inside.sight import (
    Bars,
    Chosen,
    Field,
    Place,
    Sight,
    Slow,
    Spot,
    bits,
    cells,
    said,
)
from mgpt_tui.ui.session.asking import Wanted
from mgpt_tui.ui.session.session import Session

COUNT = 8
"""Guesses before and after."""
SHORT, LONG = 8, 14
"""Cells of a guess's word, at least and at most."""
SHARE = 5
"""Cells of its chance."""
BESIDE, GAP = 2 * (SHORT + SHARE) + 3, 1
"""Cells that the guesses need beside the map, and between the two."""
AROUND = 6
"""Lines above and below the map."""


def ask(spot: Spot) -> Wanted:
    """The story without what is muted, and what could come at the cursor."""
    muted, mean = ",".join(spot.chosen.muted), spot.chosen.mean
    return Wanted(Asked(View.MUTE, spot.asked_number, count=COUNT, mute=muted, mean=mean))


def ask_slowly(spot: Spot) -> Wanted | None:
    """The passage once more, or what each head costs, once that is wanted."""
    if spot.chosen.again:
        return ask_again(spot)
    return Wanted(Asked(View.COSTS, mean=spot.chosen.mean)) if spot.chosen.costs else None


def bars(answer: Answer, place: Place) -> Bars:
    """By how many bits each token is more surprising."""
    return bars_of(_added(_told(answer), place))


def draw(answer: Answer, place: Place) -> list[Content]:
    """What is muted and what that costs, the map, the guesses, and the part under the cursor."""
    told, costs = _told(answer), _costs(place)
    rows = min(max(COUNT, told.shape.layers) + 1, max(3, place.rows - AROUND))
    foot = [_progress(place), Content.styled(_keys(place), "dim"), Content.styled(LEGEND, "dim")]
    if place.chosen.again:
        return [_whole(told, place), *draw_again(place, place.rows - 1 - len(foot)), *foot]
    parts = draw_map(told.shape, place.chosen, costs, rows, max(20, place.width - BESIDE - GAP))
    width = max(map(len, map(str, parts))) + GAP
    guesses = _guesses(told, max(SHORT, min(LONG, (place.width - width - 3) // 2 - SHARE)))[:rows]
    beside = [
        Content.assemble(
            parts[at] if at < len(parts) else "",
            " " * (width if at >= len(parts) else width - len(str(parts[at]))),
            guesses[at] if at < len(guesses) else "",
        )
        for at in range(max(len(parts), min(rows, len(guesses))))
    ]
    return [
        _whole(told, place),
        _of_token(told, place),
        *beside,
        _of_part(place, costs),
        *foot,
    ]


def _told(answer: Answer) -> MuteView:
    assert isinstance(answer, MuteView)
    return answer


def _added(told: MuteView, place: Place) -> list[float]:
    tokens = zip(place.text.tokens, told.logprobs, strict=False)  # while it writes one is behind
    return [(token.logprob - without) * BITS for token, without in tokens]


def _whole(told: MuteView, place: Place) -> Content:
    if not told.parts:
        return Content.styled("Nothing is muted: the model as it is.", "bold")
    by = "its mean" if place.chosen.mean else "zero"
    tail = f": {more(told.bits)} over the story, by {by}"
    names = f"without {', '.join(told.parts)}"
    if len(names) > (room := max(12, place.width - len(tail))):
        names = names[: room - 1] + "…"
    return Content.styled(names + tail, "bold")


def _of_token(told: MuteView, place: Place) -> Content:
    token, at = place.token, place.number - 1
    if token is None or at >= len(told.logprobs):
        return Content.styled("what could come next, before and without:", "dim")
    without = told.logprobs[at]
    change = more((token.logprob - without) * BITS)
    return Content(f"this token: {bits(token.logprob)} before, {bits(without)} without ({change})")


def _guesses(told: MuteView, word: int) -> list[Content]:
    """The likeliest before and without, side by side; a mark says what became of each."""
    places = {guess.token: at for at, guess in enumerate(told.before)}
    lines = [Content.styled(f"{cells('before %', word + SHARE)}   without %", "dim")]
    pairs = zip(told.before, told.top, strict=False)
    for at, (before, after) in enumerate(pairs):
        was = places.get(after.token)
        mark = "+" if was is None else "↑" if at < was else "↓" if at > was else " "
        style = "bold" if mark.strip() else ""
        lines.append(
            Content.assemble(
                _guess(before, word), "  ", (mark, "bold $accent"), (_guess(after, word), style)
            )
        )
    return lines


def _guess(guess: Guess, word: int) -> str:
    return f"{cells(said(guess.text), word)}{100 * guess.p:{SHARE}.1f}"


def _costs(place: Place) -> dict[str, float]:
    told = place.slowly.answer
    return {cost.part: cost.bits for cost in told.costs} if isinstance(told, CostsView) else {}


def _of_part(place: Place, costs: dict[str, float]) -> Content:
    part = place.chosen.part
    kind = "an MLP" if part.startswith("M") else "a head"
    state = ", muted" if muted_by(part, place.chosen.muted) else ""
    cost = f"; muted alone it costs the story {more(costs[part])}" if part in costs else ""
    return Content.assemble((part, "bold reverse"), f" {kind}{state}{cost}")


def _progress(place: Place) -> Content:
    """How far the costs are."""
    slowly, told = place.slowly, place.slowly.answer
    if place.chosen.again:
        state = "the model writes… · w stops" if slowly.is_open else "w: the map again"
        return Content.styled(state, "dim")
    if slowly.trouble:
        return Content(slowly.trouble)
    if not isinstance(told, CostsView):
        if slowly.is_open:
            return Content("the model begins with the first head… · x stops")
        return Content.styled("x: what each head costs, muted alone · w: the passage again", "dim")
    known = f"{len(told.costs)} of {told.total} heads"
    if slowly.is_open:
        return Content(f"bits that each costs, muted alone: {known} · x stops")
    if len(told.costs) < told.total:
        return Content(f"bits that each costs: stopped after {known} · x begins anew")
    dearest = max(told.costs, key=lambda cost: cost.bits)
    return Content(f"bits that each costs, muted alone; the most {dearest.part}")


def _keys(place: Place) -> str:
    by = "zero" if place.chosen.mean else "the mean"
    room = "whole" if place.muted and place.muted == _spelled(place.chosen) else "so"
    return f"tab: a part · m mutes it · p: by name · z: by {by} · g: write {room}"


def _spelled(chosen: Chosen) -> str:
    return spell_muted(chosen.muted, mean=chosen.mean)


def write_so(session: Session, place: Place) -> None:
    """Let the room write without what is muted, or with the whole model again."""
    muted = _spelled(place.chosen)
    session.muted = "" if muted == session.muted else muted


def _begin(place: Place) -> str:
    return ", ".join(place.chosen.muted)


def _take(typed: str, place: Place) -> Chosen:
    """Raises: UserError where something is no name of a part of this model."""
    if not isinstance(place.answer, MuteView):
        raise UserError("The model has not said what parts it has.", "Wait a moment.")
    parts = parse_parts(typed, _config(place.answer.shape)) if typed.strip(", \t\n") else ()
    return replace(place.chosen, muted=tuple(map(str, parts)))


def _config(shape: Shape) -> GPTConfig:
    """With as many layers, heads and neurons, for names to be held against."""
    return replace(
        GPTConfig(),
        n_layer=shape.layers,
        n_head=shape.heads,
        n_embd=shape.heads,
        mlp_width=shape.neurons,
    )


SIGHT = Sight(
    digit="7",
    title="mute",
    line="What the model would say without some of its parts, and what each is worth.",
    about="""\
A muted part adds nothing (zero), or what it adds on the mean over a dozen stories, which is fairer:
zero is nothing that later parts are used to (Wang et al., "Interpretability in the Wild", 2022).
A change is -log2 p(token) without the parts, less the same with them. Heads are muted before the
output projection; behind it they are mixed.

A head costs what the whole story gains in bits without it alone. One that costs nothing may still
do something: others can stand in for it (McGrath et al., "The Hydra Effect", 2023).

In gpt.py: what a Hook returns for "gathered", "added" or "neurons" is used.""",
    ask=ask,
    draw=draw,
    bars=bars,
    keys={
        "tab": step(1),
        "shift+tab": step(-1),
        "m": toggled,
        "z": lambda _, chosen: replace(chosen, mean=not chosen.mean),
    },
    fields={"p": Field("mute, as L2H3 A2 M4 L2 N4.77:", _begin, _take)},
    slow=Slow(
        {
            "x": lambda place: replace(place.chosen, costs=True, again=False),
            "w": lambda place: replace(place.chosen, again=not place.chosen.again),
        },
        lambda chosen: replace(chosen, costs=False, again=False),
        ask_slowly,
    ),
    acts={"g": write_so},
)
