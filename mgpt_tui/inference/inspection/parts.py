"""The logit of a token as a sum: what embedding, heads and MLPs each add to it.

The residual stream before the final norm is a sum of what every part has added to it. With the
norm's scale frozen at what it was there, the rest of the way is linear, so each part c adds

    W_E[t] . (w_f * (c - mean c) / sigma)

to the logit of token t (direct logit attribution; Elhage et al., "A Mathematical Framework for
Transformer Circuits", 2021; with the scale frozen as in TransformerLens). A head's part is what it
gathered times its columns of the projection. `rest` is what biases and the final norm's bias add.
In 8 bits the inputs of products are rounded, so what parts say and what came of them differ: that
is `rounding`, and its bound is told.

For the difference of two tokens, W_E[t] is replaced by W_E[t] - W_E[u].

In gpt.py: every `hook("added", ...)`, `hook("gathered", ...)`, then `final_norm` and `head`.
"""

from __future__ import annotations

import numpy as np

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.answers import Parts
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Window

STEP = 1 / 254
"""Largest rounding of an 8-bit input of a product, as a part of the largest input."""

FP32 = 1e-4
"""What sums in fp32 may be off by."""


def parts(
    window: Window, number: int, weights: Weights, target: int, minus: int | None = None
) -> Parts:
    """What the logit of `target` is made of, where token `number` was chosen.

    Args:
        window: in which it was chosen.
        number: of the token.
        weights: of the model.
        target: whose logit.
        minus: another token, whose logit is taken off.
    """
    record = window.record("stream", "rstd", "gathered", "added", "logits")
    row, L = window.row(number), weights.config.n_layer
    logits = record.logits[record.logit_rows.index(row)].astype(np.float64)
    logit = float(logits[target] - (0 if minus is None else logits[minus]))
    towards = weights.towards(record.rstd[-1, row], target, minus)

    blocks = [f"blocks.{layer}" for layer in range(L)]
    biases = np.array([_biases(weights, block, towards) for block in blocks])  # (L, 2)
    heads = [gathered_towards(weights, record.gathered[at, row], at, towards) for at in range(L)]
    mlps = record.added[1::2, row].astype(np.float64) @ towards - biases[:, 1]
    embedding = float(record.stream[0, row] @ towards)
    final = weights.direction(target, minus) * weights.bias("norm", "final_norm.bias")
    rest = float(biases.sum() + final.sum())
    known = embedding + float(np.sum(heads)) + float(mlps.sum()) + rest
    return Parts(
        logit=logit,
        embedding=embedding,
        heads=tuple(tuple(of_layer.tolist()) for of_layer in heads),
        mlps=tuple(mlps.tolist()),
        rest=rest,
        rounding=logit - known,
        bound=_bound(window, row, weights, target, minus),
    )


def gathered_towards(weights: Weights, gathered: Floats, layer: int, towards: Floats) -> Floats:
    """(H,): what the heads of a layer add to a logit.

    Args:
        weights: of the model.
        gathered: (H, D), before the projection.
        layer: from 0.
        towards: (C,), see `Weights.towards`.
    """
    found: Floats = np.einsum("hd,hcd,c->h", gathered, weights.heads(layer), towards, optimize=True)
    return found


def _biases(weights: Weights, block: str, towards: Floats) -> tuple[float, float]:
    """What the biases of a block's two projections add."""
    attention = weights.bias("proj", f"{block}.attention.proj.bias")
    mlp = weights.bias("mlp", f"{block}.mlp.proj.bias")
    return float(np.sum(attention * towards)), float(np.sum(mlp * towards))


def _bound(window: Window, row: int, weights: Weights, target: int, minus: int | None) -> float:
    """How large `rounding` may be: each input of a product is off by STEP of the largest."""
    if not weights.rounds:
        return FP32
    record = window.record("stream", "rstd", "gathered", "added", "logits")
    towards = weights.towards(record.rstd[-1, row], target, minus)
    found = np.abs(weights.normed(record.stream[-1, row])).max()
    found *= np.abs(weights.direction(target, minus)).sum()
    for layer, gathered in enumerate(record.gathered[:, row]):
        through = np.einsum("hcd,c->hd", weights.heads(layer), towards)
        found += np.abs(gathered).max() * np.abs(through).sum()
    return float(found * STEP + FP32)
