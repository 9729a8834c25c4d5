"""How well a model predicts held-out stories as it is run for writing, in whatever precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgpt_tui.inference.decoders.decoder import Decoder
from training.evaluation.held_out import ScoredStory, batches, scores
from training.metrics import Score


def score_decoded(
    decoder: Decoder[Any], end_token: int, stories: Sequence[ScoredStory]
) -> list[Score]:
    """`scoring.score_each` by a decoder, which reads token by token, as when it writes.

    Raises:
        UserError: as whatever decodes raises.
    """
    sums = np.zeros(len(stories))
    for batch in batches(stories, end_token, decoder.config):
        cache, of_rows = decoder.new_cache(len(batch.inputs)), np.array(batch.stories)
        for at in range(batch.inputs.shape[1]):
            logits = decoder.read(batch.inputs[:, at : at + 1], cache)  # (B, V)
            rows = np.flatnonzero(batch.counted[:, at])
            kept = logits[rows].astype(np.float64)  # (n, V)
            largest = kept.max(axis=1)
            total = largest + np.log(np.exp(kept - largest[:, None]).sum(axis=1))
            losses = total - kept[np.arange(len(rows)), batch.targets[rows, at]]
            np.add.at(sums, of_rows[rows], losses)
    return scores(stories, sums.tolist())
