"""The readable model as a decoder: it can be looked into, and changed inside."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from mgpt_tui.inference.decoders.choosing import IN_NUMPY, Choosing
from mgpt_tui.inference.decoders.decoder import Scores, Tokens
from mgpt_tui.inference.decoders.edits import Edit, placed
from mgpt_tui.inference.decoders.in_torch.hooks import LookingHook
from mgpt_tui.inference.decoders.places import Place
from mgpt_tui.inference.decoders.record import NAMES, Begin, Floats, Record, new_record
from mgpt_tui.model.gpt import GPT, untouched
from mgpt_tui.model.kv_cache import KVCache


class PlainDecoder:
    """A GPT as it is written, in its own precision and on its own device."""

    def __init__(self, model: GPT) -> None:
        self.config = model.config
        self.model = model.eval()
        self._edits: list[tuple[Place, Edit]] = []

    @property
    def precision(self) -> str:
        """See `OpenDecoder`."""
        dtype = self.model.token_embedding.weight.dtype
        return f"{'bf' if dtype is torch.bfloat16 else 'fp'}{8 * dtype.itemsize}"

    choosing: Choosing = IN_NUMPY

    def new_cache(self, rows: int) -> KVCache:
        """See `Decoder`."""
        weight = self.model.token_embedding.weight
        return KVCache(self.config, rows, weight.device, weight.dtype)

    @torch.inference_mode()
    def read(self, tokens: Tokens, cache: KVCache) -> Scores:
        """See `Decoder`."""
        logits = self.model.head(self._hidden(tokens, cache)[:, -1])
        scores: Scores = logits.float().numpy(force=True)
        return scores

    @torch.inference_mode()
    def take(self, tokens: Tokens, cache: KVCache) -> None:
        """See `Decoder`."""
        self._hidden(tokens, cache)

    @torch.inference_mode()
    def recorded(
        self,
        tokens: Sequence[int],
        want: Collection[str] = NAMES,
        logit_rows: Sequence[int] | None = None,
        cache: KVCache | None = None,
        begin: Begin | None = None,
    ) -> Record:
        """See `OpenDecoder`; a model in fp64 is recorded so."""
        start = 0 if cache is None else cache.length
        whole = self.model.token_embedding.weight.dtype == torch.float64
        dtype = np.float64 if whole else np.float32
        record = new_record(self.config, tokens, want, start, logit_rows, dtype, begin)
        hook = LookingHook(self._edits, start, record, begin)
        read = torch.tensor([list(tokens)], device=self.model.token_embedding.weight.device)
        hidden = self.model.hidden(read, cache, hook)  # (1, T, C)
        if record.logit_rows:
            logits = self.model.head(hidden[0, list(record.logit_rows)])
            torch.from_numpy(record.logits).copy_(logits)
        return record

    def edited(self, edits: Sequence[Edit]) -> PlainDecoder:
        """See `OpenDecoder`."""
        decoder = PlainDecoder(self.model)
        decoder._edits = placed(edits, self.config)
        return decoder

    def weight(self, name: str) -> Floats:
        """See `OpenDecoder`."""
        if name == "head.weight":
            weight = self.model.head_weight
        else:
            weight = dict(self.model.named_parameters())[name]
        found: Floats = weight.numpy(force=True)
        return found

    def _hidden(self, tokens: Tokens, cache: KVCache) -> Tensor:
        """What the head reads: (B, T, C)."""
        hook = LookingHook(self._edits, cache.length) if self._edits else untouched
        read = torch.from_numpy(tokens).to(cache.keys_values.device)
        return self.model.hidden(read, cache, hook)
