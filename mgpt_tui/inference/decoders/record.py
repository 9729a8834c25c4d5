"""What a decoder computed on its way to the scores, as arrays: the ground of looking inside.

The names and numbers are those of `model.gpt.Hook`; decode.c fills the same arrays. Torch has no
part in this, so neither has who looks at what compiled code computed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mgpt_tui.errors import UserError
from mgpt_tui.memory import OutOfMemory, memory_left
from mgpt_tui.model.config import GPTConfig

Floats = npt.NDArray[np.floating[Any]]
"""fp32, but for a model in fp64."""

NAMES = (
    *("stream", "mean", "rstd", "keys", "values"),
    *("attention", "gathered", "neurons", "added", "logits"),
)
"""All that can be recorded."""


def _nothing() -> Floats:
    return np.empty(0, np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """What was computed for `tokens`, in the letters of `model/gpt.py`; S is start + T.

    What was not asked for has the shape (0,). Everything is as it was used: of an edit, what came
    of it.

    Attributes:
        tokens: that were read, T of them.
        start: how many were read before.
        logit_rows: of which of them there are logits, R of them, from 0.
        stream: (2 n_layer + 1, T, C), the residual stream: the embedding sum, then what each part
            (attention, MLP, attention ...) left behind.
        mean, rstd: (2 n_layer + 1, T), of the norm that reads stream 0, 1 ...: mean, and one by
            the standard deviation.
        keys, values: (n_layer, T, H, D); in native bfloat16 as the cache has them.
        attention: (n_layer, H, T, S), how much each query takes of each value; each row sums to 1,
            what comes later is 0.
        gathered: (n_layer, T, H, D), what each head took, before the projection.
        neurons: (n_layer, T, F), after GELU.
        added: (2 n_layer, T, C), what each part added: stream[n + 1] = stream[n] + added[n].
        logits: (R, V).
    """

    tokens: tuple[int, ...]
    start: int
    logit_rows: tuple[int, ...]
    stream: Floats = field(default_factory=_nothing)
    mean: Floats = field(default_factory=_nothing)
    rstd: Floats = field(default_factory=_nothing)
    keys: Floats = field(default_factory=_nothing)
    values: Floats = field(default_factory=_nothing)
    attention: Floats = field(default_factory=_nothing)
    gathered: Floats = field(default_factory=_nothing)
    neurons: Floats = field(default_factory=_nothing)
    added: Floats = field(default_factory=_nothing)
    logits: Floats = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, eq=False)
class Begin:
    """The residual stream at a station, to be read on from: nothing before it is computed.

    Attributes:
        station: from 0, the embedding sum, to 2 n_layer.
        stream: (T, C).
    """

    station: int
    stream: Floats


def shapes(
    config: GPTConfig, n_tokens: int, start: int, n_logits: int
) -> dict[str, tuple[int, ...]]:
    """The shape of every array of a record, by name."""
    L, T, S = config.n_layer, n_tokens, start + n_tokens
    H, D, C = config.n_head, config.head_size, config.n_embd
    return {
        "stream": (2 * L + 1, T, C),
        "mean": (2 * L + 1, T),
        "rstd": (2 * L + 1, T),
        "keys": (L, T, H, D),
        "values": (L, T, H, D),
        "attention": (L, H, T, S),
        "gathered": (L, T, H, D),
        "neurons": (L, T, config.neurons),
        "added": (2 * L, T, C),
        "logits": (n_logits, config.vocab_size),
    }


def record_bytes(
    config: GPTConfig,
    n_tokens: int,
    want: Collection[str] = NAMES,
    start: int = 0,
    n_logits: int | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> int:
    """How much memory a record takes.

    Args:
        config: shape of the model.
        n_tokens: that are read.
        want: names of `NAMES`.
        start: tokens that were read before.
        n_logits: rows of logits; all where left out.
        dtype: of the numbers.
    """
    whole = shapes(config, n_tokens, start, n_tokens if n_logits is None else n_logits)
    return sum(math.prod(whole[name]) for name in want) * np.dtype(dtype).itemsize


def new_record(
    config: GPTConfig,
    tokens: Sequence[int],
    want: Collection[str] = NAMES,
    start: int = 0,
    logit_rows: Sequence[int] | None = None,
    dtype: npt.DTypeLike = np.float32,
    begin: Begin | None = None,
) -> Record:
    """A record to be filled.

    Args:
        config: shape of the model.
        tokens: that are to be read, at least one.
        want: names of `NAMES`.
        start: how many were read before.
        logit_rows: of which of them logits are wanted, from 0 and ascending; all where left out.
        dtype: of the numbers.
        begin: with what is read; what there is before it will be NaN.

    Raises:
        UserError: where the model does not know such tokens or has no room for them, memory has
            none for the record, or there is no such place to begin.
        ValueError: for rows that there are not, or a name that there is not.
    """
    unknown = set(want) - set(NAMES)
    if unknown:
        raise ValueError(f"a record has no {', '.join(sorted(unknown))}")
    T = len(tokens)
    _check_tokens(config, tokens, start)
    rows = tuple(range(T)) if logit_rows is None else tuple(logit_rows)
    if list(rows) != sorted(set(rows) & set(range(T))):
        raise ValueError(f"rows {rows} are not ascending ones of {T}")
    rows = rows if "logits" in want else ()
    size = record_bytes(config, T, want, start, len(rows), dtype)
    left = memory_left()
    if left is not None and size > left:
        raise too_large(T, size)
    if begin is not None:
        _check_begin(config, T, begin)
    whole = shapes(config, T, start, len(rows))
    try:
        arrays: dict[str, Any] = {name: np.empty(whole[name], dtype) for name in want}
        for array in arrays.values() if begin is not None else ():
            array.fill(np.nan)
    except (MemoryError, ValueError):  # more than there are addresses
        raise too_large(T, size) from None
    return Record(tokens=tuple(tokens), start=start, logit_rows=rows, **arrays)


def too_large(n_tokens: int, size: int) -> OutOfMemory:
    """The error that a record of so many bytes is."""
    return OutOfMemory(
        f"To record what the model computes for {n_tokens} tokens takes {size / 1e6:,.0f} MB: "
        "look at fewer of them, or at less of each."
    )


def _check_tokens(config: GPTConfig, tokens: Sequence[int], start: int) -> None:
    if not tokens:
        raise UserError("There is no token to look at.", "Write something first.")
    if start + len(tokens) > config.block_size:
        raise UserError(
            f"The model cannot see {start + len(tokens)} tokens at once.",
            f"Look at {config.block_size} of them at most.",
        )
    for token in (min(tokens), max(tokens)):
        if not 0 <= token < config.vocab_size:
            raise UserError(
                f"Token {token} is none of the model's {config.vocab_size}.",
                "Take the model that the text was written with, or one of its vocabulary.",
            )


def _check_begin(config: GPTConfig, n_tokens: int, begin: Begin) -> None:
    if not 0 <= begin.station <= 2 * config.n_layer:
        raise UserError(
            f"The model has no station {begin.station}.",
            f"Name one from 0 to {2 * config.n_layer}.",
        )
    shape = (n_tokens, config.n_embd)
    if begin.stream.shape != shape:
        raise UserError(
            f"A stream of shape {begin.stream.shape} cannot be that of {n_tokens} tokens.",
            f"Give one of shape {shape}.",
        )
