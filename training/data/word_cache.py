"""Many texts to tokens: what `Tokenizer.encode` gives, but every word is encoded only once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mgpt_tui.model.split_pattern import GPT2_PATTERN
from mgpt_tui.model.tokenizer import Tokenizer
from training.data.prepared import TOKEN_TYPE

Tokens = NDArray[np.uint16]
Integers = NDArray[np.int64]

TOGETHER = 2**20
"""Bytes of text whose words are looked for together: more have fewer new ones, but need memory."""

_POOL = pa.system_memory_pool()  # the default one keeps tens of megabytes for itself

LONG_WORD = 256
LONG_TEXT = 50_000

_SPACE = ord(" ")
_SAFE_SPACE = re.compile(r" (?=[!-~])")
_WHITE_LEADS = (0xC2, 0xE1, 0xE2, 0xE3)
"""First bytes, in UTF-8, of all white space beyond ASCII, and of much else."""

_SAFE = np.array([byte > _SPACE and byte not in _WHITE_LEADS for byte in range(256)])
"""For each first byte of a character, whether text is cut at a space before it."""


class TextEncoder:
    """Encodes texts, several times as fast as tiktoken alone where words come again and again.

    GPT-2's pattern begins a new piece at every space that is followed by something other than
    white space, and looks ahead no further than to see just that. So text can be cut there: each
    word, with the space before it, is encoded as if it stood alone.

    Args:
        tokenizer: the vocabulary. With another pattern than GPT-2's, texts are not cut.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._can_cut = tokenizer.pattern == GPT2_PATTERN
        self._sizes = np.array(
            [len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)]
        )

    def encode(self, texts: Sequence[str]) -> tuple[Tokens, Integers]:
        """The tokens of all texts, one after another, and how many each text has.

        Args:
            texts: such as UTF-8 can hold.

        Returns:
            uint16 (tokens,) and int64 (texts,).
        """
        found = [np.empty(0, TOKEN_TYPE)]
        counts = np.zeros(len(texts), np.int64)
        if not self._can_cut:
            for number, text in enumerate(texts):
                found.append(np.array(self.tokenizer.encode(text), TOKEN_TYPE))
                counts[number] = len(found[-1])
            return np.concatenate(found), counts
        for parts, owners in self._batches(texts):
            tokens, lengths = self._encode(parts)
            found.append(tokens)
            np.add.at(counts, owners, lengths)
        return np.concatenate(found), counts

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[list[bytes], list[int]]]:
        """Texts, or parts of long ones, about `TOGETHER` bytes at a time, and whose they are."""
        parts: list[bytes] = []
        owners: list[int] = []
        size = 0
        for number, text in enumerate(texts):
            for part in self._parts(text):
                parts.append(part.encode())
                owners.append(number)
                size += len(parts[-1])
                if size >= TOGETHER:
                    yield parts, owners
                    parts, owners, size = [], [], 0
        if parts:
            yield parts, owners

    def _parts(self, text: str) -> Iterator[str]:
        """A long text in parts that can be encoded each by itself."""
        if len(text) < LONG_TEXT:
            yield text
            return
        for stretch in self.tokenizer.stretches(text):
            begin = 0
            while cut := _SAFE_SPACE.search(stretch, begin + TOGETHER):
                yield stretch[begin : cut.start()]
                begin = cut.start()
            yield stretch[begin:]

    def _encode(self, parts: list[bytes]) -> tuple[Tokens, Integers]:
        """Encode parts together: their words as numbers, these as tokens by a table."""
        text = b"".join(parts)
        ends = np.cumsum([0, *map(len, parts)])
        cuts = _cuts(text, ends)
        buffers = [None, pa.py_buffer(cuts), pa.py_buffer(text)]
        words = pa.Array.from_buffers(pa.large_binary(), len(cuts) - 1, buffers)
        encoded = pc.dictionary_encode(words, memory_pool=_POOL)
        numbers = encoded.indices.to_numpy(zero_copy_only=False)
        table, begins, lengths = self._table(encoded.dictionary)
        # Word n of the text has the tokens table[begins[numbers[n]]:][:lengths[numbers[n]]].
        sizes = lengths[numbers]
        after = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(begins[numbers] - after[:-1], sizes)
        places += np.arange(len(places))
        return table[places], np.diff(after[np.searchsorted(cuts, ends)])

    def _table(self, words: pa.LargeBinaryArray) -> tuple[Tokens, Integers, Integers]:
        """The tokens of words, and for each word where its own begin and how many they are."""
        begins = np.zeros(len(words), np.int64)
        lengths = np.zeros(len(words), np.int64)
        is_joined = _can_be_joined(words)
        text, ends = _content(pc.array_filter(words, is_joined, memory_pool=_POOL))
        found = [np.array(self.tokenizer.encode(text.decode()), TOKEN_TYPE)]
        after = np.concatenate([[0], np.cumsum(self._sizes[found[0]])])  # bytes before each token
        borders = np.searchsorted(after, ends)
        begins[is_joined], lengths[is_joined] = borders[:-1], np.diff(borders)
        at = len(found[0])
        for number in np.flatnonzero(~is_joined).tolist():
            word = words[number].as_py().decode()
            found.append(np.array(self.tokenizer.encode(word), TOKEN_TYPE))
            begins[number], lengths[number] = at, len(found[-1])
            at += len(found[-1])
        return np.concatenate(found), begins, lengths


def can_cut_before(tokenizer: Tokenizer, token: int) -> bool:
    """Whether what comes before a token can be encoded apart from what begins with it."""
    text = tokenizer.token_bytes(token)
    begins_word = len(text) > 1 and text[0] == _SPACE and 0x20 < text[1] < 0x7F
    return tokenizer.pattern == GPT2_PATTERN and begins_word


def _can_be_joined(words: pa.LargeBinaryArray) -> NDArray[np.bool_]:
    """Which words are such as text is cut before, so that they can be encoded in one go."""
    text, ends = _content(words)
    characters = np.frombuffer(text + b"  ", np.uint8)
    begins, sizes = ends[:-1], np.diff(ends)
    begins_safely = (characters[begins] == _SPACE) & _SAFE[characters[begins + 1]]
    fits: NDArray[np.bool_] = begins_safely & (sizes > 1) & (sizes <= LONG_WORD)
    return fits


def _content(words: pa.LargeBinaryArray) -> tuple[bytes, Integers]:
    """All words in one, and where each ends, after 0."""
    _, offsets, content = words.buffers()
    ends = np.frombuffer(offsets, np.int64)[words.offset :][: len(words) + 1]
    return content.to_pybytes()[ends[0] : ends[-1]], ends - ends[0]


def _cuts(text: bytes, ends: Integers) -> Integers:
    """Where words begin, and the length of `text`: int64, in order.

    Args:
        text: UTF-8.
        ends: where its parts end, after 0.
    """
    characters = np.frombuffer(text, np.uint8)
    spaces = np.flatnonzero(characters[:-1] == _SPACE)
    is_cut = np.zeros(len(text) + 1, bool)
    is_cut[spaces[_SAFE[characters[spaces + 1]]]] = True
    is_cut[ends - 1] = False  # what follows there belongs to another part
    is_cut[ends] = True
    return np.flatnonzero(is_cut)
