"""What a token's choice looked at: attention weights, what they carried, and kinds of heads.

Weights are softmax(Q K^T / sqrt(D)) of the query at the token before, the one whose scores choose
(Vaswani et al. 2017, formula 1; in gpt.py `written_out_attention`).

Much attention to a token need not carry much from it: most heads rest on the first token, whose
value is nearly nothing. What is carried is the size of the weighted value behind the projection,
|a * W_O v|, of the head's own columns of W_O (Kobayashi et al., "Attention is Not Only a Weight",
2020; in gpt.py `CausalSelfAttention.proj`).

Kinds of heads are shares of attention: sum(A * P) / sum(A) over all queries of a window, P being 1
where a query t looks at

    previous   t - 1
    first      the first token of the window
    same       an earlier token equal to its own
    induction  the token after such a one (Olsson et al., "In-context Learning and Induction
               Heads", 2022)

and chance is the same share for a head that looks everywhere alike (as in TransformerLens,
`head_detector.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Window

KINDS = ("previous", "first", "same", "induction")
"""In this order, `none` being what is left."""

LEAST_SHARE = 0.2
"""Of its attention that a head gives to what names its kind, at least."""

LEAST_LIFT = 3.0
"""And so many times what chance would give."""


def weights_of(window: Window, number: int) -> Floats:
    """(n_layer, H, S): the weights by which token `number` was chosen, over all S tokens seen."""
    row = window.row(number)
    return window.record("attention").attention[:, :, row, : row + 1]


def carried(window: Window, number: int, weights: Weights) -> Floats:
    """(n_layer, H, S): the sizes of what each head brought from each token; fp64.

    Args:
        window: in which token `number` was chosen.
        number: of the token.
        weights: of the model.
    """
    record = window.record("attention", "values")
    row = window.row(number)
    sizes = np.stack(
        [
            np.linalg.norm(
                values[: row + 1].transpose(1, 0, 2) @ weights.heads(layer).transpose(0, 2, 1),
                axis=-1,
            )
            for layer, values in enumerate(record.values)
        ]
    )
    found: Floats = record.attention[:, :, row, : row + 1] * sizes.astype(np.float64)
    return found


def gathered_sizes(window: Window, number: int, weights: Weights) -> Floats:
    """(n_layer, H): the sizes of all that each head brought, |W_O (sum of a * v)|; fp64."""
    gathered = window.record("gathered").gathered[:, window.row(number)].astype(np.float64)
    brought = [
        np.einsum("hcd,hd->hc", weights.heads(layer), of_layer)
        for layer, of_layer in enumerate(gathered)
    ]
    found: Floats = np.linalg.norm(brought, axis=-1)
    return found


def patterns(tokens: Sequence[int]) -> dict[str, npt.NDArray[np.bool_]]:
    """By kind, (T, T): where a query looks that is of this kind. See the head of the module."""
    said, T = np.asarray(tokens), len(tokens)
    at = np.arange(T)
    same = (said[:, None] == said[None, :]) & (at[None, :] < at[:, None])
    induction = np.zeros((T, T), bool)
    induction[:, 1:] = same[:, :-1]
    first = np.zeros((T, T), bool)
    first[:, 0] = True
    return {
        "previous": at[:, None] == at[None, :] + 1,
        "first": first,
        "same": same,
        "induction": induction,
    }


def head_kinds(window: Window) -> tuple[dict[str, Floats], dict[str, float]]:
    """How much each head of a window is of each of `KINDS`, and chance levels.

    Returns:
        By kind, (n_layer, H) in fp64; and by kind, what a head gets that looks everywhere alike.
    """
    attention = window.record("attention").attention
    L, H, T, _ = attention.shape
    flat = attention.reshape(L * H, T * T)
    total = flat.sum(-1, dtype=np.float64)
    everywhere = np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None]
    kinds, chance = {}, {}
    for kind, pattern in patterns(window.tokens).items():
        # Few of the T * T are in it: to pick them is faster than to multiply all.
        found = flat[:, pattern.ravel()].sum(-1, dtype=np.float64) / total
        kinds[kind] = found.reshape(L, H)
        chance[kind] = float(everywhere[pattern].sum() / T)
    return kinds, chance


def kind_of(shares: dict[str, float], chance: dict[str, float]) -> str:
    """What kind of head has such shares, by name; "none" where it is of none in particular."""
    kind = max(KINDS, key=lambda name: shares[name])
    enough = max(LEAST_SHARE, LEAST_LIFT * chance[kind])
    return kind if shares[kind] >= enough else "none"
