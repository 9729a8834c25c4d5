"""What is made of what was taken: the MLP and its neurons, and the stream that all add to."""

from __future__ import annotations

from textual.content import Content

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Asked, LensView, NeuronsView, Station, View
from mgpt_tui.inference.inspection.experiments import MuteView
from mgpt_tui.ui.screens.inside.sight import cells, percent, said, signed
from mgpt_tui.ui.screens.lessons.card import Card, Look, Place, Seen
from mgpt_tui.ui.session.asking import Wanted

COUNT = 5
"""Neurons of a layer that can be chosen."""


def _neurons(place: Place) -> Look:
    told = yield Wanted(Asked(View.NEURONS, place.asked, count=COUNT))
    assert isinstance(told, NeuronsView)
    layers = max(neuron.layer for neuron in told.strongest)
    layer = place.part % layers + 1
    own = [neuron for neuron in told.strongest if neuron.layer == layer]
    at = min(-place.dial, len(own) - 1)
    chosen = own[at]
    name = f"N{chosen.layer}.{chosen.neuron}"
    muted = yield Wanted(Asked(View.MUTE, place.asked, mute=name))
    assert isinstance(muted, MuteView)
    word = said(told.target.text)
    largest = max(abs(neuron.towards) for neuron in own)
    lines = [
        Content.styled(
            f"  {cells(f'layer {layer}', 10)}at {cells(place.word(place.number), 14)}"
            f"adds to the logit of {word}",
            "bold",
        )
    ]
    for neuron in own[: max(1, place.rows - 2)]:
        mark = "›" if neuron is chosen else " "
        lines.append(
            Content.assemble(
                (f"{mark} N{neuron.layer}.{neuron.neuron:<8}", "bold" if mark == "›" else ""),
                f"{neuron.activation:+10.2f}{neuron.towards:+13.3f}  ",
                signed(neuron.towards, largest, 24),
            )
        )
    return Seen([*lines, _without(place, name, muted)])


def _without(place: Place, name: str, muted: MuteView) -> Content:
    """What the text would be like, were the neuron silent."""
    change = f"all the text {abs(muted.bits):.2f} bits {'more' if muted.bits > 0 else 'less'}"
    if place.next is None:
        return Content(f"Without {name}: {change}.")
    before, after = -place.next.logprob * BITS, -muted.logprobs[place.number] * BITS
    word = said(place.next.text)
    return Content(f"Without {name}: {word} {before:.2f} → {after:.2f} bits; {change}.")


def _stream(place: Place) -> Look:
    told = yield Wanted(Asked(View.LENS, place.asked, count=3))
    assert isinstance(told, LensView)
    name, half = said(told.target.text), place.width // 2
    came = "what came" if place.next else "the likeliest"
    start, *rest = told.stations
    layers = list(zip(rest[::2], rest[1::2], strict=True))
    room = max(1, place.rows - 2)
    first = max(0, min(-place.dial, len(layers) - room))
    head = f"{name} ({came}): its chance, and the guesses, after"
    return Seen(
        [
            Content.assemble((head, "bold")),
            Content.assemble(_station("embedding", start, told.target.token, place.width)),
            *(
                Content.assemble(
                    _station(attention.station, attention, told.target.token, half),
                    _station(mlp.station, mlp, told.target.token, place.width - half),
                )
                for attention, mlp in layers[first : first + room]
            ),
        ]
    )


def _station(name: str, station: Station, target: int, width: int) -> Content:
    """The chance of the target at one place on the way, and what is likelier there."""
    named = 10 if name == "embedding" else 3
    left = width - named - 10
    each = max(6, min(13, left // max(1, len(station.top))))
    guesses = [
        (
            cells(said(guess.text), each - 1) + " ",
            "bold $accent" if guess.token == target else "dim",
        )
        for guess in station.top[: max(1, left // each)]
    ]
    shown = Content.assemble(f"{name:<{named}}{percent(station.p)}  ", *guesses)
    return Content.assemble(shown, " " * max(0, width - shown.cell_length))


NEURONS = Card(
    title="the MLP",
    words="""\
After its attention each layer has an MLP, which works on every token by itself. One matrix (fc)
makes four times as many numbers of the vector: the neurons. GELU lets pass what is well above 0,
and of what is below at most 0.17. A second matrix (proj) has a column for each neuron, and all
columns, each times its neuron's number, are added up: class MLP in gpt.py. Two thirds of a
layer's weights lie here. A few neurons stand for what has a name, most for a mixture.""",
    to_do="""\
Walk: who fires where? tab: the next layer. ↑ ↓ choose a neuron, and the whole text is read
again without it: what did it cost?""",
    look=_neurons,
    dials=lambda place: range(1 - COUNT, 1),
)
STREAM = Card(
    title="the stream",
    words="""\
Attention and MLP replace nothing: each reads a normed copy of the token's vector and adds to it,
x = x + added (Block in gpt.py). What so flows through the layers is the residual stream. It
begins as the embedding, and at its end the next token is read from it. One can read it before, by
the same final norm and head: the logit lens (nostalgebraist, 2020). Early on it says little to
us, since it was not trained to be read there.""",
    to_do="""\
Walk. A1 is behind the attention of layer 1, M1 behind its MLP: where does the word that
came come up? Where late, where never?""",
    look=_stream,
    dials=lambda place: range(-1000, 1),
)
