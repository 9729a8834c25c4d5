"""Who takes part: each writes one story, eight side by side, and reads a prompt; tokens/s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from decode_parts import PROMPT, TEMPERATURE, TOGETHER, TOP_K
from decode_parts.material import checkpoint_of, seconds

Measure = Callable[[str, int], dict[str, Any]]
"""Given a vocabulary and how many tokens to write."""

COMPARED = ("one", "eight", "prefill")
"""What every side does."""


def ours(vocabulary: str, tokens: int, threads: int | None = None) -> dict[str, Any]:
    """Our engine, as the app and `generate` run it; with so many threads, if it is said."""
    from mgpt_tui.inference.loading import engine_of
    from mgpt_tui.inference.request import DecodingSettings, SamplingSettings

    loaded = engine_of(checkpoint_of(vocabulary), DecodingSettings(threads=threads))
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


def one_thread(vocabulary: str, tokens: int) -> dict[str, Any]:
    """Our engine, with one thread."""
    return ours(vocabulary, tokens, threads=1)


def hugging_face(vocabulary: str, tokens: int) -> dict[str, Any]:
    """`GPT2LMHeadModel.generate` in fp32, with its KV cache."""
    import peers
    import torch

    from mgpt_tui.model.checkpoint import gpt_of

    checkpoint = checkpoint_of(vocabulary)
    model = peers.hugging_face(gpt_of(checkpoint.info.config, checkpoint.weights)).eval()
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


def llama_cpp(vocabulary: str, tokens: int, form: str) -> dict[str, Any]:
    """llama.cpp with matrices in that form, through its C interface and with its own samplers."""
    from llama_cpp_peer import LlamaCpp, gguf_file

    from mgpt_tui.cores import cores

    path = gguf_file(vocabulary, form)
    one, eight = (LlamaCpp(path, cores(), rows, TEMPERATURE, TOP_K) for rows in (1, TOGETHER))
    prompt = range(300, 300 + PROMPT + 1)
    one.write(0, 20), eight.write(0, 20), one.read(prompt)
    return {
        "one": tokens / seconds(lambda: one.write(0, tokens)),
        "eight": TOGETHER * tokens / seconds(lambda: eight.write(0, tokens)),
        "prefill": len(prompt) / seconds(lambda: one.read(prompt), 5),
    }


def compared(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The table with our ratios to every peer, and to the fastest form of llama.cpp at each."""
    mine = table["ours"]
    peers = {side: found for side, found in table.items() if side != "ours"}
    forms = [found for side, found in peers.items() if side.startswith("llama_cpp")]
    if forms:
        best = {name: max(found[name] for found in forms) for name in COMPARED}
        peers["best_of_llama_cpp"] = best
    ratios = {
        side: {name: round(mine[name] / found[name], 2) for name in COMPARED}
        for side, found in peers.items()
    }
    eight_to_one = {side: round(found["eight"] / found["one"], 2) for side, found in table.items()}
    return table | {"ratios": ratios, "eight_to_one": eight_to_one}
