"""Decoding speed: ours against Hugging Face's `generate` and llama.cpp, on the same weights.

    python benchmarks/decode.py [--rounds 3] [--tokens 250] [--long 100000] [--score FILE]

Two models of one shape (6 layers, 384 wide, context 256): random weights with GPT-2's vocabulary
("full"), and the embedded storyteller with its trimmed one ("trimmed"). All sides sample with
temperature 0.8 and top-k 50 and never end: one story of `--tokens` tokens, eight side by side,
and the first token after a prompt of 200 ("prefill"). Ours runs as `--precision auto` chooses,
Hugging Face's in fp32, llama.cpp in f16 with as many threads as there are cores; llama.cpp is
left out where it is not installed (`pip install -e ".[peers]"`). Each side runs in a process of
its own, in turn. Of ours, also the milliseconds that it takes to read a whole window with all that
is computed recorded ("record_ms").

From a cold process: how long `mgpt-tui generate` takes to its first token, beside the import of
torch alone. With `--long`, one story of so many tokens, whose first 10,000 are compared with its
last 10,000, in speed and in memory. With `--score`, the bits per byte of the stories in a file,
read by the embedded storyteller token by token, in every precision.

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
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TEMPERATURE, TOP_K = 0.8, 50
PROMPT = 200
TOGETHER = 8
STRETCH = 10_000
ROWS = (1, TOGETHER)
VOCABULARIES = ("full", "trimmed")


def checkpoint_of(vocabulary: str) -> Any:
    """The weights and the tokenizer of that name; numpy alone, as in use."""
    from dataclasses import replace

    import numpy as np

    from mgpt_tui.model.config import SHAPES
    from mgpt_tui.model.contents import Contents, read_contents
    from mgpt_tui.model.registry import find_model
    from mgpt_tui.model.tokenizer import Tokenizer
    from mgpt_tui.model.weights import Weights, shapes

    embedded = read_contents(find_model().path)
    if vocabulary == "trimmed":
        return embedded
    drawn = np.random.default_rng(1)
    weights = {
        name: drawn.normal(0, 0.02, size).astype(np.float32)
        if len(size) == 2
        else np.ones(size, np.float32)
        for name, size in shapes(SHAPES["small"]).items()
    }
    info = replace(embedded.info, config=SHAPES["small"])
    return Contents(info, Weights(weights), Tokenizer.gpt2())


def model_of(vocabulary: str) -> Any:
    """The same as a model of torch."""
    from mgpt_tui.model.checkpoint import gpt_of

    checkpoint = checkpoint_of(vocabulary)
    return gpt_of(checkpoint.info.config, checkpoint.weights)


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    """How long that takes, in the middle of three times."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure_ours(vocabulary: str, tokens: int) -> dict[str, Any]:
    """Our engine, as the app and `generate` run it."""
    from dataclasses import replace

    from mgpt_tui.inference.loading import engine_of
    from mgpt_tui.inference.request import SamplingSettings

    loaded = engine_of(checkpoint_of(vocabulary))
    engine = loaded.engine
    settings = SamplingSettings(
        temperature=TEMPERATURE,
        top_k=TOP_K,
        max_tokens=tokens,
        seed=1,
        ignore_end=True,
        finish_sentence=False,
    )
    prompt = tuple(range(300, 300 + PROMPT))

    def one(seed: int, n_best: int | None = None) -> None:
        list(engine.steps([engine.tokenizer.end_token], settings, seed, n_best))

    def eight(seed: int) -> None:
        for generation in engine.together([], replace(settings, seed=seed), TOGETHER):
            list(generation)

    def first(seed: int) -> None:
        next(engine.steps([seed, *prompt], settings, 1))  # another beginning: nothing is cached

    window = [seed % loaded.info.config.vocab_size for seed in range(0, 256 * 37, 37)]

    one(0), eight(0), first(0)
    starts = iter(range(1, 6))
    return {
        "one": tokens / seconds(lambda: one(1)),
        "one with chances": tokens / seconds(lambda: one(1, 5)),
        "eight": TOGETHER * tokens / seconds(lambda: eight(2)),
        "prefill": (PROMPT + 1) / seconds(lambda: first(next(starts)), 5),
        "record_ms": 1000 * seconds(lambda: loaded.open_decoder.recorded(window), 5),
        "precision": loaded.tuning.precision,
        "threads": loaded.tuning.threads,
    }


def measure_hugging_face(vocabulary: str, tokens: int) -> dict[str, Any]:
    """`GPT2LMHeadModel.generate` in fp32, with its KV cache."""
    import torch
    from peers import hugging_face

    model = hugging_face(model_of(vocabulary)).eval()
    options = {
        "do_sample": True, "temperature": TEMPERATURE, "top_k": TOP_K, "pad_token_id": 0,
    }  # fmt: skip
    start = torch.tensor([[model.config.vocab_size - 1]])
    prompt = torch.arange(300, 300 + PROMPT + 1)[None]

    def write(context: Any, length: int, rows: int = 1) -> None:
        made = model.generate(
            context, attention_mask=torch.ones_like(context), max_new_tokens=length,
            min_new_tokens=length, num_return_sequences=rows, **options,
        )  # fmt: skip
        assert made.shape == (rows, context.shape[1] + length)

    write(start, 20)
    return {
        "one": tokens / seconds(lambda: write(start, tokens)),
        "eight": TOGETHER * tokens / seconds(lambda: write(start, tokens, TOGETHER)),
        "prefill": prompt.shape[1] / seconds(lambda: write(prompt, 1), 5),
    }


def measure_llama_cpp(vocabulary: str, tokens: int) -> dict[str, Any]:
    """llama.cpp with matrices in f16, through its C interface and with its own samplers."""
    from llama_cpp_peer import LlamaCpp, write_gguf

    from mgpt_tui.cores import cores

    model = model_of(vocabulary)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_gguf(model, path)
        one, eight = (LlamaCpp(path, cores(), rows, TEMPERATURE, TOP_K) for rows in ROWS)
    prompt = range(300, 300 + PROMPT + 1)
    one.write(0, 20), eight.write(0, 20), one.read(prompt)
    return {
        "one": tokens / seconds(lambda: one.write(0, tokens)),
        "eight": TOGETHER * tokens / seconds(lambda: eight.write(0, tokens)),
        "prefill": len(prompt) / seconds(lambda: one.read(prompt), 5),
    }


def sides() -> dict[str, Callable[[str, int], dict[str, Any]]]:
    """Who takes part."""
    from llama_cpp_peer import is_installed

    sides = {"ours": measure_ours, "hugging_face": measure_hugging_face}
    return sides | ({"llama_cpp": measure_llama_cpp} if is_installed() else {})


def measure_long(tokens: int) -> dict[str, Any]:
    """One story far beyond the window: its beginning against its end."""
    from mgpt_tui.inference.loading import engine_of
    from mgpt_tui.inference.request import SamplingSettings

    engine = engine_of(checkpoint_of("trimmed")).engine
    settings = SamplingSettings(max_tokens=tokens, seed=1, ignore_end=True, finish_sentence=False)
    stretches, used, began = [], [], time.perf_counter()
    for number, _ in enumerate(engine.stream(["Once"], settings), 1):
        if number % STRETCH == 0:
            now = time.perf_counter()
            stretches.append(STRETCH / (now - began))
            used.append(memory()[0])
            began = now
    return {
        "tokens": tokens,
        "first": stretches[0],
        "last": stretches[-1],
        "ratio": stretches[-1] / stretches[0],
        "memory_growth_bytes": used[-1] - used[0],
    }


def measure_score(path: str) -> dict[str, float]:
    """Bits per byte of the stories in a file by each precision, each token read by itself."""
    import numpy as np

    from mgpt_tui.inference.decoders.precisions import decoder_in, is_available, precisions_of
    from mgpt_tui.inference.engine import Engine
    from training.evaluation.held_out import stories_to_score
    from training.metrics import Score

    checkpoint = checkpoint_of("trimmed")
    tokenizer = checkpoint.tokenizer
    stories = stories_to_score(path, tokenizer)
    scores = {}
    for precision in precisions_of("cpu"):
        if not is_available(precision, "cpu"):
            continue
        decoder = decoder_in(precision, checkpoint.info.config, checkpoint.weights)
        engine = Engine(decoder, tokenizer)
        loss, count = 0.0, 0
        for story in stories:
            told = [tokenizer.end_token]
            for token in [*story.tokens, tokenizer.end_token]:
                logits = engine.next_logits(told).astype(np.float64)
                loss += np.logaddexp.reduce(logits) - logits[token]
                told.append(token)
            count += len(told) - 1
        scores[precision] = Score(loss / count, count, sum(story.bytes for story in stories))
    return {precision: score.bits_per_byte for precision, score in scores.items()}


def memory() -> tuple[int, int]:
    """Bytes of memory that this process uses now, and the most that it used."""
    import torch

    from training.step.machine import memory_used

    now, most = memory_used(torch.device("cpu"))
    assert now is not None and most is not None, "this system does not tell"
    return now, most


def child(*arguments: str, home: Path) -> dict[str, Any]:
    """One measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        env=environment(home),
    )
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"{' '.join(arguments)}: {result}", file=sys.stderr, flush=True)
    return result


def environment(home: Path) -> dict[str, str]:
    """A home of its own: what `auto` chooses is measured once, before the clock runs."""
    return os.environ | {
        "MGPT_DATA_DIR": str(home),
        "MGPT_CACHE_DIR": str(home),
        "TRANSFORMERS_VERBOSITY": "error",
    }


def to_first_output(command: list[str], home: Path) -> float:
    """Seconds from the start of a process to the first byte that it prints."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(home)) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        took = time.perf_counter() - began
        process.stdout.read()
    return took


def cold(rounds: int, home: Path) -> dict[str, float]:
    """To the first token of `mgpt-tui generate`, and to the end of `import torch`."""
    # Without a prompt, the first byte is the first token's.
    ours = [sys.executable, "-m", "mgpt_tui", "generate", "--prompt", "", "--max-tokens", "3"]
    torch = [sys.executable, "-c", "import torch; print(1)"]
    times: dict[str, list[float]] = {"first_token": [], "torch": []}
    for _ in range(rounds + 1):  # the first round warms the disk's cache
        times["torch"].append(to_first_output(torch, home))
        times["first_token"].append(to_first_output([*ours, "--seed", "1"], home))
    medians = {name: statistics.median(took[1:]) for name, took in times.items()}
    return medians | {"beyond_torch": medians["first_token"] - medians["torch"]}


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of every number; what is no number is as in the first round."""
    return {
        name: round(statistics.median(result[name] for result in rounds), 1)
        if name not in ("precision", "threads")
        else value
        for name, value in rounds[0].items()
    }


def compared(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The table with our ratios to every peer."""
    ours = table["ours"]
    ratios = {
        side: {name: round(ours[name] / peer[name], 2) for name in ("one", "eight", "prefill")}
        for side, peer in table.items()
        if side != "ours"
    }
    eight_to_one = {side: round(found["eight"] / found["one"], 2) for side, found in table.items()}
    return table | {"ratios": ratios, "eight_to_one": eight_to_one}


def measured(what: str, *arguments: str) -> dict[str, Any]:
    """What a child process measures."""
    if what == "long":
        return measure_long(int(arguments[0]))
    if what == "score":
        return measure_score(arguments[0])
    vocabulary, tokens = arguments
    return sides()[what](vocabulary, int(tokens)) | {"peak_memory_bytes": memory()[1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=250)
    parser.add_argument("--long", type=int, default=0, help="tokens of the long story; 0: none")
    parser.add_argument("--score", metavar="FILE", help="stories to score in every precision")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if 0 < given.long < STRETCH:
        parser.error(f"give --long {STRETCH} or more")
    if given.child:
        print(json.dumps(measured(*given.child)))
        return
    report: dict[str, Any] = {"tokens": given.tokens, "rounds": given.rounds}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        for vocabulary in VOCABULARIES:
            found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides()}
            for _ in range(given.rounds):
                for side, rounds in found.items():
                    rounds.append(child(side, vocabulary, str(given.tokens), home=home))
            report[vocabulary] = compared({side: medians(rounds) for side, rounds in found.items()})
        report["cold"] = {name: round(took, 3) for name, took in cold(given.rounds, home).items()}
        if given.long:
            report["long"] = child("long", str(given.long), home=home)
        if given.score:
            report["score"] = child("score", given.score, home=home)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
