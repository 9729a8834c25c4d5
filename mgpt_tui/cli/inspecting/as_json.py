"""One object with all numbers, for programs and papers.

Log-probabilities and entropies are in nats; tokens of the text, layers, heads and neurons are
counted from 1, `<|endoftext|>` in front being token 0.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mgpt_tui.cli.inspecting.subject import NEURONS, Subject
from mgpt_tui.inference.inspection.answers import Guess, LensView, Parts, Said
from mgpt_tui.inference.inspection.attention import carried, weights_of
from mgpt_tui.inference.inspector import Inspector


def report(subject: Subject) -> dict[str, Any]:
    """The object, of plain values."""
    tokenizer = subject.loaded.engine.tokenizer
    inspector = subject.inspector(lambda token: tokenizer.decode([token]))
    tokens, number = subject.tokens, subject.token
    window = inspector.read(tokens).window(subject.number)
    lens = inspector.lens(tokens, number, subject.target, subject.top)
    parts = inspector.parts(tokens, number, subject.target)
    attention = inspector.attention(tokens, number)
    neurons = inspector.neurons(tokens, number, subject.target, count=NEURONS)
    found = {
        "model": subject.model,
        "fingerprint": subject.loaded.info.fingerprint,
        "precision": subject.precision,
        "window_start": subject.window_start,
        "tokens": _tokens(inspector, tokens),
        "token": number,
        "attention": weights_of(window, subject.number).tolist(),
        "carried": carried(window, subject.number, inspector.weights).tolist(),
        "heads": [[asdict(head.shares) for head in of_layer] for of_layer in attention.heads],
        "lens": _lens(lens),
        "parts": _parts(parts.target, parts.parts),
        "neurons": [asdict(neuron) for neuron in neurons.strongest],
    }
    if subject.mute:
        found["muted"] = {"logprobs": subject.muted(inspector).tolist()}
    return found


def _tokens(inspector: Inspector, tokens: list[int]) -> list[dict[str, Any]]:
    return [
        {
            "id": scored.token,
            "text": scored.text,
            "logprob": scored.logprob,
            "rank": scored.rank,
            "entropy": scored.entropy,
        }
        for scored in inspector.surprise(tokens).tokens
    ]


def _lens(view: LensView) -> list[dict[str, Any]]:
    return [
        {
            "station": station.station,
            "top": [_guess(guess) for guess in station.top],
            "p": station.p,
            "rank": station.rank,
        }
        for station in view.stations
    ]


def _guess(guess: Guess) -> dict[str, Any]:
    return {"id": guess.token, "text": guess.text, "p": guess.p}


def _parts(target: Said, parts: Parts) -> dict[str, Any]:
    return {
        "target": {"id": target.token, "text": target.text},
        "logit": parts.logit,
        "embedding": parts.embedding,
        "heads": parts.heads,
        "mlps": parts.mlps,
        "rest": parts.rest,
        "rounding": parts.rounding,
        "sum": parts.sum,
    }
