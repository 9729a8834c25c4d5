"""Decoding on a GPU by CUDA graphs: a token is one launch instead of a hundred.

The arithmetic of a token takes a GPU less time than the calls that ask for it take the CPU. A
graph records them once and asks for all of them in one call; so everything stays where it is in
memory, and attention goes over the whole window, with what is not read yet masked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from mgpt_tui.inference.decoders.in_torch.packed import PackedDecoder
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.kv_cache import KVCache


def recorded(work: Callable[[], None], state: Sequence[Tensor] = ()) -> Callable[[], None]:
    """`work` as a CUDA graph, to be called any number of times; nothing has been done by then.

    Args:
        work: reads and writes tensors that stay alive and in place, and decides nothing on the CPU.
        state: what it reads and then changes; the trials before the record leave it as it is.
    """
    kept = [tensor.clone() for tensor in state]
    others = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    others.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(others):
        for _ in range(2):  # what is done once only, as libraries do, is no part of the graph
            work()
            for tensor, before in zip(state, kept, strict=True):
                tensor.copy_(before)
    torch.cuda.current_stream().wait_stream(others)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


class TokenStep:
    """One more token of each sequence of a cache.

    Args:
        decoder: that reads it.
        cache: whose memory it works on, wherever its length stands.
        record: as a CUDA graph; else each call computes anew.

    Attributes:
        tokens: int64 (B,), what is read; to be written before a call.
        position: int64 (1,), how many tokens were read before.
        logits: fp32 (B, V), after a call.
    """

    def __init__(self, decoder: PackedDecoder, cache: KVCache, record: bool) -> None:
        rows, device = cache.keys_values.shape[2], decoder.device
        self.tokens = torch.zeros(rows, dtype=torch.int64, device=device)
        self.position = torch.full((1,), cache.length, dtype=torch.int64, device=device)
        self.logits = torch.zeros(rows, decoder.config.vocab_size, device=device)
        self._decoder, self._keys_values = decoder, cache.keys_values
        self._run: Callable[[], None] | None = None
        self._record = record

    def __call__(self) -> None:
        """Read `tokens` at `position`."""
        if self._run is None:
            self._run = recorded(self._compute) if self._record else self._compute
        self._run()

    @torch.inference_mode()
    def _compute(self) -> None:
        logits = self._decoder.step(self.tokens, self.position, self._keys_values)
        self.logits.copy_(logits)


class GraphDecoder(PackedDecoder):
    """A `PackedDecoder` that reads single tokens by graphs, one for each cache.

    Args:
        model: on a CUDA device.
        precision: as for `PackedDecoder`.
        record: False computes the same without graphs, as a CPU can.
    """

    def __init__(self, model: GPT, precision: str, record: bool = True) -> None:
        super().__init__(model, precision)
        self._record = record
        self._steps: WeakKeyDictionary[KVCache, TokenStep] = WeakKeyDictionary()

    @torch.inference_mode()
    def logits(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """See `PackedDecoder`."""
        if tokens.shape[1] > 1:
            return super().logits(tokens, cache)
        step = self._steps.get(cache)
        if step is None:
            step = self._steps[cache] = TokenStep(self, cache, self._record)
        step.tokens.copy_(tokens[:, 0], non_blocking=True)
        step.position.fill_(cache.length)
        step()
        cache.advance(1)
        return step.logits.clone()
