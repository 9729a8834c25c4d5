"""Tokens in, scores of the next one out: what the engine asks of a model, however it is run.

All that passes is arrays of numpy, so that compiled code (`native`) needs no torch; what runs with
torch, on whatever device, lies in `in_torch/`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.inference.decoders.choosing import Choosing
from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.record import NAMES, Begin, Floats, Record
from mgpt_tui.model.config import GPTConfig

Tokens = NDArray[np.int64]
"""(B, T): of B sequences, T tokens each."""

Scores = NDArray[np.float32]
"""(B, V): for each of B sequences, a logit for every token of the vocabulary."""


class Cache(Protocol):
    """What a decoder remembers of the tokens that it has read; it alone knows in what form.

    Attributes:
        length: tokens held, of every sequence as many.
    """

    length: int

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens; costs nothing.

        Raises:
            ValueError: where fewer are held.
        """

    def rows(self, chosen: list[int]) -> Cache:
        """A copy with some of the sequences, each as often as it is chosen."""


Own = TypeVar("Own", bound=Cache)
"""A decoder's own kind of cache."""


class Decoder(Protocol[Own]):
    """What the engine asks of a model.

    Attributes:
        config: its shape.
        choosing: chooses among the scores that it gives.
    """

    config: GPTConfig
    choosing: Choosing

    def new_cache(self, rows: int) -> Own:
        """Room for `rows` sequences."""

    def read(self, tokens: Tokens, cache: Own) -> Scores:
        """Read on, and tell what may follow.

        Args:
            tokens: (B, T).
            cache: what the B sequences read before; it is extended by these T tokens.

        Returns:
            (B, V), after the last of them; an array of its own.
        """

    def take(self, tokens: Tokens, cache: Own) -> None:
        """`read`, where nobody asks for the scores: they cost as much as a third of a token."""


class FastDecoder(Decoder[Own], Protocol[Own]):
    """A decoder that was made to be fast, with weights of its own.

    Attributes:
        precision: of its weights, see `precisions`.
        threads: that it computes with on a CPU; may be changed at any time.
        made_by: what its arithmetic is of, in words: compiler or library, with the version.
    """

    precision: str
    threads: int
    made_by: str


class OpenDecoder(Decoder[Any], Protocol):
    """A decoder that can be looked into, and changed inside.

    Attributes:
        precision: in which it computes, see `precisions`.
    """

    @property
    def precision(self) -> str: ...

    def recorded(
        self,
        tokens: Sequence[int],
        want: Collection[str] = NAMES,
        logit_rows: Sequence[int] | None = None,
        cache: Any = None,
        begin: Begin | None = None,
    ) -> Record:
        """Read one sequence, and keep what was computed.

        Args:
            tokens: at least one.
            want: names of `record.NAMES`; nothing else is kept.
            logit_rows: of which tokens to compute logits, from 0 and ascending; of all where left
                out.
            cache: what it read before; it is extended by these tokens. Left out: nothing.
            begin: a stream to go on from, in place of the tokens' embeddings; edits before it are
                not made, what a record has before it is NaN, and what the cache has before it of
                these tokens is not to be read on from.

        Raises:
            UserError: where there is no room for the tokens in the model or for the record in
                memory, the model does not know a token, or has no such place to begin; nothing
                is computed then.
        """

    def edited(self, edits: Sequence[Edit]) -> OpenDecoder:
        """The same decoder with these edits, and no others, in whatever it reads.

        A cache holds what edits made of keys and values: read with it what was read with them.

        Raises:
            UserError: for an edit that the model has no place for.
        """

    def weight(self, name: str) -> Floats:
        """A weight as it is computed with; not to be written to.

        Args:
            name: as in `model/gpt.py`, "blocks.0.mlp.proj.weight"; "head.weight" is the head's,
                which need not be rounded as the embedding is.

        Raises:
            KeyError: where there is none, as of a bias that the model lacks.
        """
