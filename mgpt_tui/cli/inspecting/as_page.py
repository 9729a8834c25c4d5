"""A page on which the text can be pointed at: surprise, alternatives, attention, layers.

It needs nothing but itself: style, script and numbers are in it, and it may load nothing else.
"""

from __future__ import annotations

import base64
import html
import json
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from mgpt_tui.cli.inspecting.subject import Subject
from mgpt_tui.files import atomic_write
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Station
from mgpt_tui.inference.inspection.attention import weights_of
from mgpt_tui.inference.inspection.lens import station_names
from mgpt_tui.inference.inspector import Inspector
from mgpt_tui.paths import assets_dir
from mgpt_tui.text import clean_text

MOST_WEIGHTS = 12_000_000
"""Of attention that a page keeps, a byte each; a telephone has to hold it, too."""


def write_page(subject: Subject, path: Path, title: str) -> None:
    """Write the page, whole or not at all.

    Raises:
        UserError: where it cannot be written.
    """
    template = Template((assets_dir() / "inside.html").read_text(encoding="utf-8"))
    content = json.dumps(_numbers(subject), separators=(",", ":"))
    for sign in "<>&":  # so that no text of a story ends the script, or begins one
        content = content.replace(sign, f"\\u{ord(sign):04x}")
    atomic_write(path, template.substitute(title=html.escape(title), data=content))


def _numbers(subject: Subject) -> dict[str, Any]:
    """All that the page shows; choice n is of token n, and the last of what could come next."""
    inspector, tokens = subject.inspector(), subject.tokens
    view, config = inspector.surprise(tokens), inspector.weights.config
    entropies = [*(scored.entropy for scored in view.tokens), view.entropy]
    choices = [
        _choice(inspector, subject, number) | {"entropy": round(entropies[number - 1] * BITS, 3)}
        for number in range(1, len(tokens) + 1)
    ]
    offset = 0
    for number, choice in enumerate(choices, 1):
        choice["offset"] = offset
        offset += config.n_layer * config.n_head * (number - choice["start"])
    without = subject.muted(inspector) if subject.mute else None
    return {
        "chosen": subject.number,
        "muted": ", ".join(map(str, subject.mute)),
        "without": None if without is None else [round(-x * BITS, 3) for x in without.tolist()],
        "about": f"{subject.model} in {subject.precision}: {view.whole.bits:.1f} bits for "
        f"{len(view.tokens)} tokens, {view.whole.bits_per_character:.3f} a character",
        "layers": config.n_layer,
        "heads": config.n_head,
        "stations": station_names(config.n_layer),
        "tokens": [
            {
                "id": scored.token,
                "text": text,
                "bits": round(-scored.logprob * BITS, 3),
                "rank": scored.rank,
            }
            for scored, text in zip(view.tokens, _texts(inspector, tokens), strict=True)
        ],
        "choices": choices,
        "attention": _attention(inspector, tokens) if offset <= MOST_WEIGHTS else None,
    }


def _texts(inspector: Inspector, tokens: list[int]) -> list[str]:
    """What each token adds to the text; a character of several tokens stands at its last."""
    view = inspector.surprise(tokens)
    text = clean_text(inspector.tokenizer.decode(tokens[1:]))
    ends = [0, *(scored.end for scored in view.tokens)]
    return [text[start:end] for start, end in pairwise(ends)]


def _choice(inspector: Inspector, subject: Subject, number: int) -> dict[str, Any]:
    tokens = subject.tokens
    token = number if number < len(tokens) else None
    lens = inspector.lens(tokens, token, count=max(subject.top, 1))
    stations, last = lens.stations, lens.stations[-1]
    return {
        "start": inspector.weights.config.window_start(number),
        "target": lens.target.token,
        "text": lens.target.text,
        "top": [[guess.token, guess.text, _short(guess.p)] for guess in last.top],
        "lens": [_station(station) for station in stations],
    }


def _station(station: Station) -> list[Any]:
    return [station.top[0].text, _short(station.p), station.rank]


def _short(p: float) -> float:
    """A chance in four digits, which is more than anybody sees."""
    return float(f"{p:.4g}")


def _attention(inspector: Inspector, tokens: list[int]) -> str:
    """All weights, by token, layer, head and token seen, as bytes of which 255 is 1, in base64."""
    reading = inspector.read(tokens)
    rows = (
        np.rint(weights_of(reading.window(number), number) * 255).astype(np.uint8).tobytes()
        for number in range(1, len(tokens) + 1)
    )
    return base64.b64encode(b"".join(rows)).decode("ascii")
