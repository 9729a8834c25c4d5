"""How tokens are chosen among scores, as sampling.py says: in numpy, or by compiled code."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from ctypes import POINTER, c_double, c_float, c_int32, c_void_p
from typing import Protocol

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
"""The most candidates that choosing.h finds, as there."""

MOST_BIASES = 256
"""The most tokens with numbers of their own."""


Filters = tuple[
    Logits,
    SamplingSettings,
    Mapping[int, float],
    Sequence[int],
    NDArray[np.int64] | None,
    NDArray[np.int64] | None,
]
"""The arguments of `sampling.filtered`."""


class Choosing(Protocol):
    """Filters and draws."""

    def filtered(self, filters: Filters) -> Filtered:
        """See `sampling.filtered`."""

    def drawn(self, filters: Filters, uniform: float) -> int:
        """The token of `filtered` that a number in [0, 1) draws."""


class InNumpy:
    """Works anywhere."""

    def filtered(self, filters: Filters) -> Filtered:
        """See `Choosing`."""
        return filtered(*filters)

    def drawn(self, filters: Filters, uniform: float) -> int:
        """See `Choosing`."""
        return filtered(*filters).token(uniform)


IN_NUMPY = InNumpy()


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


class Compiled:
    """By choosing.h, which goes once through the scores where numpy does for every filter.

    Settings that are unusual are left to numpy. Probabilities are the same but for their last
    digits.

    Args:
        code: the compiled functions.
        vocab_size: how many scores there are.
    """

    def __init__(self, code: ctypes.CDLL, vocab_size: int) -> None:
        self._left_of, self._largest, self._drawn = code.left_of, code.largest, code.drawn
        self._left_of.restype = self._largest.restype = self._drawn.restype = c_int32
        self._left_of.argtypes = [
            *(c_void_p, c_int32, POINTER(_Changes), c_void_p, c_int32),
            *(c_double, c_void_p, c_void_p, c_void_p),
        ]
        self._largest.argtypes = [c_void_p, c_int32, c_int32, c_void_p, c_void_p]
        self._drawn.argtypes = [c_void_p, c_int32, c_double]
        self._tokens = np.empty(MOST_KEPT, np.int64)
        self._logits, self._shares = np.empty((2, MOST_KEPT))
        self._into = self._tokens.ctypes.data, self._logits.ctypes.data, self._shares.ctypes.data
        self._biased = np.empty(MOST_BIASES, np.int64)
        self._bias = np.empty(MOST_BIASES, np.float32)
        self._before = np.empty(MOST_BIASES + vocab_size, np.float32)
        self._noted: Mapping[int, float] = {}  # the biases that are there: as a rule they stay
        self._changes = _Changes(self._biased.ctypes.data, self._bias.ctypes.data)
        self._room = ctypes.byref(self._changes), self._before.ctypes.data

    def filtered(self, filters: Filters) -> Filtered:
        """See `Choosing`."""
        found, settings = self._narrowed(filters), filters[1]
        if found <= 0:
            return filtered(*filters, top_k=self._keep_top_k)
        shares = self._shares[:found].copy()
        candidates = Candidates(self._tokens[:found].copy(), self._logits[:found].copy())
        if settings.top_p is None and settings.min_p is None:
            return Filtered(candidates, shares)
        left = keep_min_p(keep_top_p(candidates, settings.top_p), settings.min_p)
        return Filtered(left, probabilities(left))

    def drawn(self, filters: Filters, uniform: float) -> int:
        """See `Choosing`."""
        settings = filters[1]
        if settings.top_p is None and settings.min_p is None:
            found = self._narrowed(filters)
            if found > 0:
                return int(self._tokens[self._drawn(self._into[2], found, uniform)])
        return self.filtered(filters).token(uniform)

    def _narrowed(self, filters: Filters) -> int:
        """Leave the candidates after biases, top-k and temperature, if it can; how many."""
        logits, settings, bias, _, allowed, others = filters
        k, temperature = settings.top_k, settings.temperature
        if k is None or k > MOST_KEPT or temperature < COLD or settings.repetition_penalty != 1:
            return 0
        if allowed is not None or len(bias) > MOST_BIASES or not logits.flags.c_contiguous:
            return 0
        changes = self._changes
        if bias is not self._noted:
            self._noted, changes.biases = bias, len(bias)
            self._biased[: len(bias)] = list(bias)
            self._bias[: len(bias)] = list(bias.values())
        changes.unlikely = 0
        if others is not None:
            changes.others, changes.unlikely = others.ctypes.data, len(others)
            changes.added = log_share(settings.new_names)
        scores = logits.ctypes.data
        found: int = self._left_of(scores, len(logits), *self._room, k, temperature, *self._into)
        return found

    def _keep_top_k(self, logits: Logits, k: int) -> Candidates:
        """See `sampling.keep_top_k`."""
        found = -1
        if k <= MOST_KEPT and logits.flags.c_contiguous:
            found = self._largest(logits.ctypes.data, len(logits), k, *self._into[:2])
        if found < 0:
            return keep_top_k(logits, k)
        return Candidates(self._tokens[:found].copy(), self._logits[:found].copy())
