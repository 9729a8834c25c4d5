"""A story far beyond the window, and how well each precision reads."""

from __future__ import annotations

import time
from typing import Any

from decode_parts.material import checkpoint_of, memory

STRETCH = 10_000


def long(tokens: int) -> dict[str, Any]:
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


def score(path: str) -> dict[str, float]:
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
