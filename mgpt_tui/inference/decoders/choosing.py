"""What a token is drawn from, by compiled code: choosing.h behind `sampling.filtered`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_double, c_float, c_int32, c_void_p

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import (
    COLD,
    Candidates,
    Filtered,
    Logits,
    filtered,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    log_share,
    probabilities,
)

MOST_KEPT = 256
"""The most candidates that it finds, as there."""

MOST_BIASES = 256
"""The most tokens with numbers of their own."""


class _Changes(ctypes.Structure):
    """See choosing.h."""

    _fields_ = (
        ("biased", c_void_p),
        ("bias", c_void_p),
        ("others", c_void_p),
        ("added", c_float),
        ("biases", c_int32),
        ("unlikely", c_int32),
    )


class Choosing:
    """Goes through the scores once, in place, where numpy goes through them for every filter.

    Args:
        code: the compiled functions.
        vocab_size: how many scores there are.
    """

    def __init__(self, code: ctypes.CDLL, vocab_size: int) -> None:
        self._left_of, self._largest = code.left_of, code.largest
        self._left_of.restype = self._largest.restype = c_int32
        self._left_of.argtypes = [
            *(c_void_p, c_int32, POINTER(_Changes), c_void_p, c_int32),
            *(c_double, c_void_p, c_void_p, c_void_p),
        ]
        self._largest.argtypes = [c_void_p, c_int32, c_int32, c_void_p, c_void_p]
        self._tokens = np.empty(MOST_KEPT, np.int64)
        self._logits, self._shares = np.empty((2, MOST_KEPT))
        self._into = self._tokens.ctypes.data, self._logits.ctypes.data, self._shares.ctypes.data
        self._biased, self._bias = (
            np.empty(MOST_BIASES, np.int64),
            np.empty(MOST_BIASES, np.float32),
        )
        self._before = np.empty(MOST_BIASES + vocab_size, np.float32)
        self._changes = _Changes(self._biased.ctypes.data, self._bias.ctypes.data)
        self._room = ctypes.byref(self._changes), self._before.ctypes.data

    def filtered(
        self,
        logits: Logits,
        settings: SamplingSettings,
        bias: Mapping[int, float],
        tokens: Sequence[int],
        allowed: NDArray[np.int64] | None = None,
        others: NDArray[np.int64] | None = None,
    ) -> Filtered:
        """See `sampling.filtered`, which it leaves to numpy where settings are unusual.

        Probabilities are the same but for the last digits.
        """
        if self._is_usual(logits, settings, bias, allowed):
            self._change(settings, bias, others)
            found = self._left_of(
                *(logits.ctypes.data, len(logits), *self._room),
                *(settings.top_k, settings.temperature, *self._into),
            )
            if found > 0:
                return self._narrowed(found, settings)
        return filtered(logits, settings, bias, tokens, allowed, others, top_k=self._keep_top_k)

    def _is_usual(
        self,
        logits: Logits,
        settings: SamplingSettings,
        bias: Mapping[int, float],
        allowed: NDArray[np.int64] | None,
    ) -> bool:
        return (
            allowed is None
            and settings.top_k is not None
            and settings.top_k <= MOST_KEPT
            and settings.temperature >= COLD
            and settings.repetition_penalty == 1
            and len(bias) <= MOST_BIASES
            and logits.flags.c_contiguous
        )

    def _change(
        self,
        settings: SamplingSettings,
        bias: Mapping[int, float],
        others: NDArray[np.int64] | None,
    ) -> None:
        """Note what is to be added to which scores."""
        changes = self._changes
        changes.biases = len(bias)
        if bias:
            self._biased[: len(bias)] = list(bias)
            self._bias[: len(bias)] = list(bias.values())
        changes.unlikely = 0 if others is None else len(others)
        if others is not None:
            changes.others = others.ctypes.data
            changes.added = log_share(settings.new_names)

    def _narrowed(self, found: int, settings: SamplingSettings) -> Filtered:
        """What the other filters leave of so many candidates."""
        shares = self._shares[:found].copy()
        candidates = Candidates(self._tokens[:found].copy(), self._logits[:found].copy())
        if settings.top_p is None and settings.min_p is None:
            return Filtered(candidates, shares)
        left = keep_min_p(keep_top_p(candidates, settings.top_p), settings.min_p)
        return Filtered(left, probabilities(left))

    def _keep_top_k(self, logits: Logits, k: int) -> Candidates:
        """See `sampling.keep_top_k`."""
        if k > MOST_KEPT or not logits.flags.c_contiguous:
            return keep_top_k(logits, k)
        found = self._largest(logits.ctypes.data, len(logits), k, *self._into[:2])
        if found < 0:
            return keep_top_k(logits, k)
        return Candidates(self._tokens[:found].copy(), self._logits[:found].copy())
