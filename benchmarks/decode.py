"""Decoding speed: ours against Hugging Face's `generate` and llama.cpp, on the same weights.

    python benchmarks/decode.py [--rounds 3] [--tokens 250] [--long 100000] [--score FILE]

Two models of one shape (6 layers, 384 wide, context 256): random weights with GPT-2's vocabulary
("full"), and the embedded storyteller with its trimmed one ("trimmed"). All sides sample with
temperature 0.8 and top-k 50 and never end: one story of `--tokens` tokens, eight side by side,
and the first token after a prompt of 200 ("prefill"). Ours runs as `--precision auto` chooses,
Hugging Face's in fp32, llama.cpp in f16, q8_0 and q4_0 with as many threads as there are cores;
llama.cpp is left out where it is not installed (`pip install -e ".[peers]"`). The ratios name
each of its forms and, figure by figure, the best of them. Each side runs in a process of its own,
in turn. Of ours, also the milliseconds that it takes to read a whole window with all that is
computed recorded ("record_ms").

"Beside a busy loop": ours as chosen and with one thread, while another process keeps a core busy.

From a cold process ("cold"): how long `mgpt-tui generate` takes to its first token, beside the
import of torch alone and llama.cpp's Python binding with the storyteller in q8_0. With `--long`,
one story of so many tokens, whose first 10,000 are compared with its last 10,000, in speed and in
memory. With `--score`, the bits per byte of the stories in a file, read by the embedded storyteller
token by token, in every precision.

One JSON line on standard output: medians, ratios, peak memory of each process in bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from decode_parts import VOCABULARIES, further, sides
from decode_parts.cold import cold
from decode_parts.material import memory
from decode_parts.sides import COMPARED, Measure, compared
from llama_cpp_peer import FORMS, gguf_file, is_installed

UNDER_LOAD = ("ours", "one_thread")
COLD_FORM = "q8_0"


def peers() -> dict[str, Measure]:
    """Who is measured beside ours."""
    forms = {f"llama_cpp_{form}": partial(sides.llama_cpp, form=form) for form in FORMS}
    return {"hugging_face": sides.hugging_face} | (forms if is_installed() else {})


def measured(what: str, *arguments: str) -> dict[str, Any]:
    """What a child process measures."""
    if what == "long":
        return further.long(int(arguments[0]))
    if what == "score":
        return further.score(arguments[0])
    if what == "gguf":
        return {"file": str(gguf_file(*arguments))}
    vocabulary, tokens = arguments
    measure = {"ours": sides.ours, "one_thread": sides.one_thread, **peers()}[what]
    return measure(vocabulary, int(tokens)) | {"peak_memory_bytes": memory()[1]}


class Children:
    """Measurements, each in a process of its own.

    Args:
        home: of all of them, so that what `auto` chooses is measured once.
    """

    def __init__(self, home: Path) -> None:
        self.environment = os.environ | {
            "MGPT_DATA_DIR": str(home),
            "MGPT_CACHE_DIR": str(home),
            "TRANSFORMERS_VERBOSITY": "error",
        }

    def __call__(self, *arguments: str) -> dict[str, Any]:
        """One measurement."""
        done = subprocess.run(
            [sys.executable, __file__, "--child", *arguments],
            check=True,
            stdout=subprocess.PIPE,
            env=self.environment,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        print(f"{' '.join(arguments)}: {result}", file=sys.stderr, flush=True)
        return result

    def in_turn(self, who: tuple[str, ...], rounds: int, *arguments: str) -> dict[str, Any]:
        """The medians of every side over so many rounds."""
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in who}
        for _ in range(rounds):
            for side, results in found.items():
                results.append(self(side, *arguments))
        return {side: medians(results) for side, results in found.items()}


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of every number; what is no number is as in the first round."""
    return {
        name: round(statistics.median(result[name] for result in rounds), 1)
        if name not in ("precision", "threads")
        else value
        for name, value in rounds[0].items()
    }


@contextmanager
def busy_loop() -> Iterator[None]:
    """Another process that never waits for anything."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def under_load(child: Children, rounds: int, vocabulary: str, tokens: str) -> dict[str, Any]:
    """Ours beside a busy loop: as chosen before, and with one thread."""
    with busy_loop():
        table = child.in_turn(UNDER_LOAD, rounds, vocabulary, tokens)
    auto, one = (table[side] for side in UNDER_LOAD)
    ratios = {name: round(auto[name] / one[name], 2) for name in COMPARED}
    return {"auto": auto, "one_thread": one, "auto_to_one_thread": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--long", type=int, default=0, help="tokens of the long story; 0: none")
    parser.add_argument("--score", metavar="FILE", help="stories to score in every precision")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if 0 < given.long < further.STRETCH:
        parser.error(f"give --long {further.STRETCH} or more")
    if given.child:
        print(json.dumps(measured(*given.child)))
        return
    report: dict[str, Any] = {"tokens": given.tokens, "rounds": given.rounds}
    who, tokens = ("ours", *peers()), str(given.tokens)
    with tempfile.TemporaryDirectory() as temporary:
        child = Children(Path(temporary))
        files = {
            (vocabulary, form): Path(child("gguf", vocabulary, form)["file"])
            for vocabulary in VOCABULARIES
            for form in FORMS
            if is_installed()
        }
        for vocabulary in VOCABULARIES:
            table = child.in_turn(who, given.rounds, vocabulary, tokens)
            beside = under_load(child, given.rounds, vocabulary, tokens)
            report[vocabulary] = compared(table) | {"beside_a_busy_loop": beside}
        file = files.get(("trimmed", COLD_FORM))
        report["cold"] = cold(given.rounds, child.environment, file)
        if given.long:
            report["long"] = child("long", str(given.long))
        if given.score:
            report["score"] = child("score", given.score)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
