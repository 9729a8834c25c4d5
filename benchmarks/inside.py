"""Looking inside: how long each question takes through the engine's process, as the app asks it.

    python benchmarks/inside.py [--rounds 5]

The embedded storyteller, and a story that fills its window (256 tokens). "open" asks how
surprising each token was and for a first view, of a text never seen before. "step" asks one view
about another token of it, "mute" for all bits without a head; both ask each time what was not
asked before. "costs" takes every head out, one after the other; "trace" restores the stream of a
story of 60 tokens everywhere, another word having been put for its third.

The peer is Hugging Face's GPT-2 in fp32 with the same weights, in a process of its own and in
turn: one pass that gives attention and hidden states (for "open"), one with a head muted by a hook
before its projection (for "mute"), and all 36 of them (for "costs"). It has no pipe to go through.

One JSON line on standard output: medians in milliseconds, and the peer's by ours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

WINDOW, TRACED = 256, 60
VIEWS = ("attention", "lens", "parts", "neurons")
PLACES = (20, 60, 100, 140, 180, 220, 250)
PATIENCE = 120.0


def milliseconds(work: Callable[..., object], *arguments: object) -> float:
    """How long that takes."""
    began = time.perf_counter()
    work(*arguments)
    return 1000 * (time.perf_counter() - began)


def stories() -> Iterator[str]:
    """Texts that fill the window to its last token, each with another beginning."""
    from mgpt_tui.inference.shipped import shipped_stories

    tokenizer = _tokenizer()
    for number in itertools.count(1):
        tokens = tokenizer.encode(f"Story {number}. " + " ".join(shipped_stories()))
        yield tokenizer.decode(tokens[: WINDOW - 1])


def _tokenizer() -> Any:
    from mgpt_tui.model.contents import read_contents
    from mgpt_tui.model.registry import find_model

    return read_contents(find_model().path).tokenizer


def measure_ours(rounds: int) -> dict[str, Any]:
    """Our engine's process."""
    from mgpt_tui.inference.inspection.answers import Asked, View
    from mgpt_tui.inference.process.client import EngineClient
    from mgpt_tui.inference.process.messages import Failed, Inspected, Ready

    client = EngineClient()
    client.start()
    ready = client.events.get(timeout=PATIENCE)
    assert isinstance(ready, Ready), ready

    def ask(text: str | tuple[int, ...], asked: Asked) -> Any:
        id = client.inspect((text,), asked)
        while True:
            event = client.events.get(timeout=PATIENCE)
            assert not isinstance(event, Failed), event
            if isinstance(event, Inspected) and event.id == id and not event.more:
                return event.answer

    def look(text: str) -> None:
        ask(text, Asked(View.SURPRISE))
        ask(text, Asked(View.ATTENTION, WINDOW - 1))

    texts = stories()
    look(next(texts))
    taken: dict[str, list[float]] = {name: [] for name in ("open", "step", "mute", "costs")}
    for _ in range(rounds):
        text = next(texts)
        taken["open"].append(milliseconds(look, text))
        for place in PLACES:
            for view in VIEWS:
                taken["step"].append(milliseconds(ask, text, Asked(View(view), place)))
        for layer in range(1, 7):
            asked = Asked(View.MUTE, None, mute=f"L{layer}H{layer}")
            taken["mute"].append(milliseconds(ask, text, asked))
        taken["costs"].append(milliseconds(ask, text, Asked(View.COSTS)))
    tokenizer = _tokenizer()
    traced = [tuple(tokenizer.encode(next(texts)))[:TRACED] for _ in range(rounds)]
    taken["trace"] = [
        milliseconds(ask, text, Asked(View.TRACE, TRACED, instead=((*text[:2], 300, *text[3:]),)))
        for text in traced
    ]
    client.close()
    found = {f"{name}_ms": round(statistics.median(times), 1) for name, times in taken.items()}
    return found | {"decoding": ready.decoding}


def measure_hugging_face(rounds: int) -> dict[str, Any]:
    """One pass that gives all, one without a head, and 36 of them."""
    import torch
    from peers import hugging_face

    from mgpt_tui.model.checkpoint import gpt_of
    from mgpt_tui.model.contents import read_contents
    from mgpt_tui.model.registry import find_model

    contents = read_contents(find_model().path)
    model = hugging_face(gpt_of(contents.info.config, contents.weights)).eval()
    model.set_attn_implementation("eager")
    size = model.config.n_embd // model.config.n_head
    tokenizer = contents.tokenizer
    tokens = torch.tensor([[tokenizer.end_token, *tokenizer.encode(next(stories()))]])[:, :WINDOW]

    def look() -> None:
        model(tokens, output_attentions=True, output_hidden_states=True)

    def without(layer: int, head: int) -> None:
        def mute(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
            heads = given[0].clone()
            heads[..., head * size : (head + 1) * size] = 0
            return (heads, *given[1:])

        hook = model.transformer.h[layer].attn.c_proj.register_forward_pre_hook(mute)
        torch.log_softmax(model(tokens).logits, -1)
        hook.remove()

    def costs() -> None:
        for layer in range(model.config.n_layer):
            for head in range(model.config.n_head):
                without(layer, head)

    works = {"open": look, "mute": lambda: without(1, 1), "costs": costs}
    with torch.inference_mode():
        look()
        return {
            f"{name}_ms": round(statistics.median(milliseconds(work) for _ in range(rounds)), 1)
            for name, work in works.items()
        }


SIDES = {"ours": measure_ours, "hugging_face": measure_hugging_face}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](arguments.rounds)))
        return
    report: dict[str, Any] = {"rounds": arguments.rounds}
    for side in SIDES:
        command = [sys.executable, __file__, "--rounds", str(arguments.rounds), "--side", side]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        report[side] = json.loads(done.stdout.splitlines()[-1])
    report["hugging_face_by_ours"] = {
        name.removesuffix("_ms"): round(taken / report["ours"][name], 2)
        for name, taken in report["hugging_face"].items()
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
