"""Decoding on a device: whether it is right, and how fast it is."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import hugging_face

from gpu_parts.job import Job, Skipped, apart, tidy, wait, within
from gpu_parts.material import shape, tokenizer
from mgpt_tui.inference.decoders.in_torch.graphs import GraphDecoder
from mgpt_tui.inference.decoders.in_torch.packed import PackedDecoder
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.in_torch.side_by_side import Writers
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.checkpoint import save_checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.registry import find_model

TEMPERATURE, TOP_K = 0.8, 50


def run(job: Job) -> None:
    """See `Part`."""
    job.check("cached against uncached", cached)
    job.check("side by side against the engine", same_texts)
    job.check("as it is chosen", as_chosen)
    job.check("one, eager", partial(_one, decoder=PackedDecoder))
    job.check("one", partial(_one, decoder=_graph_decoder))
    job.check("one, fp32", partial(_one, decoder=_graph_decoder, precision="fp32"))
    job.check("side by side", side_by_side)
    job.check("side by side, engine", engine_together)
    for rows in (1, _rows(job)):
        for compiled in (False, True):
            word = "compiled" if compiled else "eager"
            job.check(f"Hugging Face, {rows}, {word}", partial(peer, rows=rows, compiled=compiled))


def _rows(job: Job) -> int:
    return 64 if job.on_gpu else 4


def _length(job: Job) -> int:
    return 250 if job.on_gpu else 25


@cache
def _model(on_gpu: bool, device: torch.device) -> GPT:
    """The embedded storyteller; on a CPU a tiny one."""
    if on_gpu:
        from mgpt_tui.model.checkpoint import load_checkpoint

        return load_checkpoint(find_model().path, device).model
    job = Job("", device, 1, 0, None, find_model().path, find_model().path)
    return GPT(shape(job, "storyteller"), torch.Generator().manual_seed(0)).eval()


def _graph_decoder(model: GPT, precision: str) -> GraphDecoder:
    return GraphDecoder(model, precision, record=model.token_embedding.weight.is_cuda)


def cached(job: Job) -> dict[str, Any]:
    """Token by token with a cache against all at once without, on CPU and device."""
    model, found = _model(job.on_gpu, job.device), {}
    length = model.config.block_size
    words = torch.randint(
        model.config.vocab_size, (2, length), generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        expected = model(words.to(job.device)).float()
    decoders = {"plain": PlainDecoder(model)}
    for precision in ("fp32", "bf16"):
        decoders[f"packed, {precision}"] = PackedDecoder(model, precision)
        decoders[f"graphs, {precision}"] = _graph_decoder(model, precision)
    for name, decoder in decoders.items():
        decoded = decoder.new_cache(2)
        start = decoder.read(words.numpy()[:, : length // 2], decoded)
        rest = words.numpy()[:, length // 2 :, None].swapaxes(0, 1)
        told = np.stack([start, *(decoder.read(tokens, decoded) for tokens in rest)], 1)
        bound = 0.03 if "bf16" in name else 1e-3
        known = expected[:, length // 2 - 1 :].cpu()
        found[name] = within(apart(torch.from_numpy(told), known), bound)
    return found


def same_texts(job: Job) -> dict[str, Any]:
    """What is drawn on the device is what the engine draws, beyond the window, too (fp32)."""
    model = _model(job.on_gpu, job.device)
    words, count = tokenizer("storyteller", job.on_gpu), 2 * model.config.block_size
    settings = _settings(count)
    start, rows = [words.end_token], 4
    decoder = _graph_decoder(model, "fp32")
    own = Writers(decoder, rows, TEMPERATURE, TOP_K, job.on_gpu).write(start, range(rows), count)
    engine, same = Engine(decoder, words), []
    for seed in range(rows):
        expected = list(engine.tokens(start, settings, seed))
        # A text of the engine ends with its end token.
        pairs = zip(own[seed].tolist(), expected, strict=False)
        same.append(
            next((at for at, (a, b) in enumerate(pairs) if a != b), len(expected)) / len(expected)
        )
    # Another rounding may move the border between two tokens, and all after it.
    assert sum(share == 1 for share in same) >= rows - 2, f"only the shares {same} are the same"
    return {"same share of each": [round(share, 3) for share in same]}


def as_chosen(job: Job) -> dict[str, Any]:
    """What `generate` would run on the device: a checkpoint loaded, its precision chosen."""
    words = tokenizer("storyteller", job.on_gpu)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        save_checkpoint(folder, _model(job.on_gpu, job.device), words, {})
        loaded = load_engine(folder, device=str(job.device))
    settings = _settings(2 * loaded.engine.config.block_size, ignore_end=True)
    first, again = (list(loaded.engine.tokens([words.end_token], settings, 1)) for _ in range(2))
    assert first == again, "one seed wrote two texts"
    return {"decoding": loaded.decoding, "tokens": len(first)}


def _settings(count: int, **changes: Any) -> SamplingSettings:
    return SamplingSettings(
        **{
            "temperature": TEMPERATURE,
            "top_k": TOP_K,
            "max_tokens": count,
            "finish_sentence": False,
        }
        | changes
    )


def _rate(job: Job, tokens: int, work: Callable[[], Any]) -> dict[str, Any]:
    """Tokens a second, the best of three."""
    times = []
    for _ in range(4 if job.on_gpu else 2):  # the first makes ready
        began = time.perf_counter()
        work()
        wait(job.device)
        times.append(time.perf_counter() - began)
    return {"tokens_per_second": round(tokens / min(times[1:])), "first": round(times[0], 3)}


def _one(
    job: Job, decoder: Callable[..., PackedDecoder], precision: str = "bf16"
) -> dict[str, Any]:
    """One text by the engine, which draws on the CPU."""
    words, count = tokenizer("storyteller", job.on_gpu), _length(job)
    engine = Engine(decoder(_model(job.on_gpu, job.device), precision), words)
    settings = _settings(count, ignore_end=True)
    return _rate(job, count, lambda: list(engine.tokens([words.end_token], settings, 1)))


def side_by_side(job: Job) -> dict[str, Any]:
    """Many texts, drawn on the device."""
    rows, count = _rows(job), _length(job)
    decoder = PackedDecoder(_model(job.on_gpu, job.device), "bf16")
    writers = Writers(decoder, rows, TEMPERATURE, TOP_K, job.on_gpu)
    start = [decoder.config.vocab_size - 1]
    return _rate(job, rows * count, lambda: writers.write(start, range(rows), count)) | {
        "rows": rows
    }


def engine_together(job: Job) -> dict[str, Any]:
    """The same by the engine, text for text, with all that it can do besides."""
    rows, count = _rows(job), _length(job)
    words = tokenizer("storyteller", job.on_gpu)
    engine = Engine(_graph_decoder(_model(job.on_gpu, job.device), "bf16"), words)
    settings = _settings(count, ignore_end=True, seed=1)

    def work() -> None:
        for text in engine.together([], settings, rows):
            list(text)

    return _rate(job, rows * count, work) | {"rows": rows}


def peer(job: Job, rows: int, compiled: bool) -> dict[str, Any]:
    """Hugging Face's `generate` in bf16: with its own cache, or compiled with a static one."""
    if not job.has_time(50 if compiled else 8):
        raise Skipped("no time left")
    count = _length(job)
    model = hugging_face(_model(job.on_gpu, job.device)).to(job.device, torch.bfloat16).eval()
    start = torch.full((rows, 1), model.config.vocab_size - 1, device=job.device)
    options: dict[str, Any] = {"cache_implementation": "static"} if compiled else {}

    def work() -> None:
        made = model.generate(
            start, attention_mask=torch.ones_like(start), min_new_tokens=count,
            max_new_tokens=count, do_sample=True, temperature=TEMPERATURE, top_k=TOP_K,
            pad_token_id=0, **options,
        )  # fmt: skip
        assert made.shape == (rows, count + 1)

    work()  # what is compiled is recorded by the second call
    figures = _rate(job, rows * count, work)
    tidy(job.device)
    return figures | {"rows": rows}
