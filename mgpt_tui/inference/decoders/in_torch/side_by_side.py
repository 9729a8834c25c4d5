"""Many texts of one beginning, written side by side where their scores are.

`Engine.together` brings all scores to the CPU, which draws one text's token after another: more
time than a GPU takes to read a token of 64 texts. Here the device draws, and reads on, and the
CPU only asks for the next. The tokens are the same as the engine's but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch
from torch import Tensor

from mgpt_tui.inference.decoders.in_torch.graphs import TokenStep, recorded
from mgpt_tui.inference.decoders.in_torch.packed import PackedDecoder
from mgpt_tui.inference.sampling import uniforms


def draw(logits: Tensor, numbers: Tensor, temperature: float, top_k: int) -> Tensor:
    """What `sampling.filtered` and its `token` draw, for all rows at once.

    Args:
        logits: fp32 (B, V).
        numbers: float64 (B,), in [0, 1): what decides.
        temperature: above 0.
        top_k: exactly so many tokens may come; of equal ones those with the lower ids.

    Returns:
        int64 (B,).
    """
    least = torch.topk(logits, top_k, sorted=True).values[:, -1:]  # (B, 1)
    above, equal = logits > least, logits == least  # (B, V)
    left = top_k - above.sum(1, keepdim=True)
    kept = above | (equal & (equal.cumsum(1) <= left))
    below = (logits - logits.amax(1, keepdim=True)).double() / temperature
    shares = below.exp().masked_fill(~kept, 0.0).cumsum(1)  # (B, V)
    wanted = numbers[:, None] * shares[:, -1:]
    places = torch.searchsorted(shares, wanted, right=True)[:, 0]
    # Rounding may carry it beyond the last token with a share of its own.
    last = torch.searchsorted(shares, shares[:, -1:].contiguous())[:, 0]
    return torch.minimum(places, last)


class Writers:
    """Writes texts side by side.

    Args:
        decoder: the model as it runs.
        rows: how many texts.
        temperature, top_k: see `draw`.
        record: as a CUDA graph.
    """

    def __init__(
        self, decoder: PackedDecoder, rows: int, temperature: float, top_k: int, record: bool
    ) -> None:
        self._decoder = decoder
        self._cache = decoder.new_cache(rows)
        self._step = TokenStep(decoder, self._cache, record=False)
        self._settings = temperature, min(top_k, decoder.config.vocab_size)
        self._number = torch.zeros(1, dtype=torch.int64, device=decoder.device)
        self._uniforms = torch.zeros(1, rows, dtype=torch.float64, device=decoder.device)
        self._record = record

    @torch.inference_mode()
    def write(self, beginning: Sequence[int], seeds: Sequence[int], count: int) -> Tensor:
        """`count` tokens after `beginning` for each seed; a text that has ended goes on.

        Args:
            beginning: at least one token.
            seeds: one a row.

        Returns:
            int64 (rows, count), on the CPU.
        """
        device, rows, length = self._decoder.device, len(seeds), len(beginning)
        drawn = [list(islice(uniforms(seed), count)) for seed in seeds]
        self._uniforms = torch.tensor(drawn, dtype=torch.float64).T.contiguous().to(device)
        self._number.zero_()
        story = torch.zeros(rows, length + count, dtype=torch.int64, device=device)
        story[:, :length] = torch.tensor(beginning, device=device)
        step = self._step
        go_on: Callable[[], None] = partial(self._go_on, story, length)
        begin, is_recorded = -1, not self._record
        for end in range(length, length + count):
            start = self._decoder.config.window_start(end)
            if start != begin:  # the window moves: it is read anew
                begin = start
                self._cache.reset()
                step.logits.copy_(self._decoder.logits(story[:, start:end], self._cache))
                step.position.fill_(self._cache.length)
                self._take(story, length)
                continue
            if not is_recorded:
                go_on = recorded(go_on, [step.tokens, step.position, self._number])
                is_recorded = True
            go_on()
        return story[:, length:].cpu()

    def _go_on(self, story: Tensor, length: int) -> None:
        """Read the token that was drawn last, and draw the next."""
        self._step()
        self._step.position.add_(1)
        self._take(story, length)

    def _take(self, story: Tensor, length: int) -> None:
        """Draw from the scores, and write down what came."""
        numbers = self._uniforms.index_select(0, self._number)[0]
        self._step.tokens.copy_(draw(self._step.logits, numbers, *self._settings))
        story.index_copy_(1, self._number + length, self._step.tokens[:, None])
        self._number.add_(1)
