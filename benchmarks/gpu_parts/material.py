"""Models and texts to work with: real shapes on a GPU, tiny ones on a CPU."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gpu_parts.job import Job
from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import Tokenizer
from training.data.prepared import Prepared, read_prepared

TINY: dict[str, Any] = {"n_layer": 1, "n_head": 2, "n_embd": 32, "block_size": 32}
TOKENS = {"cuda": 4_000_000, "cpu": 20_000}
"""Of made-up text."""


@cache
def tokenizer(model: str, on_gpu: bool) -> Tokenizer:
    """Of a preset: GPT-2's for `small`, the trimmed one for `storyteller`; tiny ones on a CPU."""
    if not on_gpu:  # 514 is no multiple of 64
        return Tokenizer.gpt2().trimmed({}, 514 if model == "small" else 320)
    if model == "small":
        return Tokenizer.gpt2()
    from mgpt_tui.model.checkpoint import load_checkpoint

    return load_checkpoint(find_model().path).tokenizer


def shape(job: Job, model: str, dropout: float = 0.0) -> GPTConfig:
    """Of a preset, with the vocabulary of `tokenizer`."""
    entries = tokenizer(model, job.on_gpu).vocab_size
    config = replace(SHAPES[model], vocab_size=entries, dropout=dropout)
    return config if job.on_gpu else replace(config, **TINY)


def settings(job: Job, model: str, **changes: Any) -> dict[str, Any]:
    """Of a run with that shape, that never evaluates."""
    tiny = {} if job.on_gpu else TINY | {"batch_size": 4}
    return (
        {"preset": model, "device": job.device.type, "dropout": 0.0, "warmup_steps": 0}
        | {"eval_every": 10**9, "max_steps": 10**9, "decay_share": 0.0, "sample_tokens": 0}
        | tiny
        | changes
    )


def made_up(job: Job, model: str) -> Prepared:
    """Prepared tokens, as frequent as words are (Zipf), in stories of about 200."""
    folder = job.scratch / f"data-{model}"
    if (folder / "meta.json").exists():
        return read_prepared(folder)
    words, random = tokenizer(model, job.on_gpu), np.random.default_rng(1)
    count = TOKENS[job.device.type]
    shares = 1 / np.arange(1, words.end_token + 1)
    drawn = random.choice(words.end_token, count, p=shares / shares.sum())
    drawn[::200] = words.end_token
    return write_prepared(
        folder, words, {"train": drawn, "val": drawn[: count // 50 // 200 * 200 + 1]}
    )


def write_prepared(folder: Path, words: Tokenizer, splits: dict[str, Any]) -> Prepared:
    """A folder as `mgpt-tui prepare` makes it, of token ids that are at hand."""
    folder.mkdir(parents=True)
    words.save(folder / "tokenizer.tiktoken")
    counts = {}
    for split, tokens in splits.items():
        tokens = np.asarray(tokens, "<u2")
        tokens.tofile(folder / f"{split}.bin")
        ends = int((tokens == words.end_token).sum())
        text = sum(
            len(words.token_bytes(token)) * int(n) for token, n in enumerate(np.bincount(tokens))
        )
        counts[split] = {"stories": ends - 1, "tokens": len(tokens), "bytes": text}
    files = {}
    for name in ("train.bin", "val.bin", "tokenizer.tiktoken"):
        content = (folder / name).read_bytes()
        files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    meta = {
        "format": 1,
        "sources": ["made up"],
        "dropped": 0,
        "splits": counts,
        "files": files,
        "tokenizer": {"pattern": words.pattern},
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    return read_prepared(folder)
