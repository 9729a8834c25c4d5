"""How surprised the model is by every token, and by words, sentences and passages.

Surprisal of a token: -log p(token | all that the model sees before it), by the model alone at
temperature 1 (Hale 2001; Levy 2008). Its rank counts the tokens that are likelier. The entropy of
the choice is sum p * -log p over the whole vocabulary: the surprisal to be expected.

A word's surprisal counts the chance that the word ends where it does. A tokenizer of GPT-2's kind
puts the space in front of the next word, so p(" gold") is still open to " goldfish", and what
ends " gold" is in the next token's probability. With E(c) the chance that the next token begins
with a blank or ends the story,

    p(word | c) = prod p(token | ...) * E(c and word) / E(c),

without the denominator for the first word, before which nothing has to end (Pimentel & Meister,
"How to Compute the Probability of a Word", 2024; Oh & Schuler, "Leading Whitespaces of Language
Models' Subword Vocabulary Pose a Confound for Calculating Word Probabilities", 2024). The terms
of a text cancel, so all its words have the surprisal of all its tokens and of the end of the last.

In gpt.py: `GPT.loss` is the mean of these surprisals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.inspection.answers import Stretch
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.inference.text.endings import Sentences
from mgpt_tui.model.tokenizer import StreamingDecoder, Tokenizer
from mgpt_tui.text import StreamingCleaner

ROWS = 64
"""Rows of logits that are looked at together: a vocabulary may have 50,257 columns."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How R choices came out, in nats.

    Attributes:
        logprobs: (R,), of the tokens that came.
        ranks: int64 (R,), of the same: 1 is the likeliest; of equal ones the lower id comes first.
        entropies: (R,), of the choices.
        ends: (R,), log of the chance that a word ends before what was chosen.
    """

    logprobs: Numbers
    ranks: npt.NDArray[np.int64]
    entropies: Numbers
    ends: Numbers


def scores(logits: Floats, targets: npt.NDArray[np.int64], begins: npt.NDArray[np.bool_]) -> Scores:
    """See the head of the module.

    Args:
        logits: (R, V).
        targets: (R,), the tokens that came.
        begins: (V,), which tokens begin a word or end the story; see `begins_word`.
    """
    parts = [
        _scores(logits[at : at + ROWS], targets[at : at + ROWS], begins)
        for at in range(0, len(logits), ROWS)
    ]
    logprobs, ranks, entropies, ends = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Scores(logprobs, ranks, entropies, ends)


def _scores(
    logits: Floats, targets: npt.NDArray[np.int64], begins: npt.NDArray[np.bool_]
) -> tuple[Numbers, npt.NDArray[np.int64], Numbers, Numbers]:
    rows = np.arange(len(logits))
    shifted = logits - logits.max(-1, keepdims=True)
    weights = np.exp(shifted)
    total = weights.sum(-1).astype(np.float64)
    log_total = np.log(total)
    chosen = shifted[rows, targets]
    # What cannot come (-inf) adds nothing to the entropy, and 0 * -inf is no number.
    expected = np.einsum("rv,rv->r", weights, np.maximum(shifted, -1e4), dtype=np.float64) / total
    equal_before = (shifted == chosen[:, None]) & (np.arange(logits.shape[1]) < targets[:, None])
    ranks = 1 + (shifted > chosen[:, None]).sum(-1) + equal_before.sum(-1)
    with np.errstate(divide="ignore"):
        ends = np.log(weights[:, begins].sum(-1, dtype=np.float64)) - log_total
    return chosen - log_total, ranks, np.maximum(log_total - expected, 0.0), np.minimum(ends, 0.0)


def logprobs_of(logits: Floats, targets: Sequence[int]) -> Numbers:
    """(R,), of these tokens alone, by logits (R, V), in nats."""
    found = [
        _logprobs(logits[at : at + ROWS], np.array(targets[at : at + ROWS], np.int64))
        for at in range(0, len(logits), ROWS)
    ]
    return np.concatenate(found) if found else np.empty(0)


def _logprobs(logits: Floats, targets: npt.NDArray[np.int64]) -> Numbers:
    shifted = logits - logits.max(-1, keepdims=True)
    chosen = shifted[np.arange(len(logits)), targets]
    logprobs: Numbers = chosen - np.log(np.exp(shifted).sum(-1).astype(np.float64))
    return logprobs


def begins_word(tokenizer: Tokenizer) -> npt.NDArray[np.bool_]:
    """(V,): whether a token ends the word before it: by a blank at its beginning, or the story's
    end."""
    tokens = range(tokenizer.vocab_size)
    return np.array([tokenizer.token_bytes(token)[:1].isspace() for token in tokens[:-1]] + [True])


class Surprise:
    """How surprised a model is by a text.

    Args:
        reading: the text.
        tokenizer: the model's.
    """

    def __init__(self, reading: Reading, tokenizer: Tokenizer) -> None:
        self._tokens, self._tokenizer = reading.tokens, tokenizer
        begins = begins_word(tokenizer)
        parts = [_of_stretch(reading, numbers, begins) for numbers in reading.stretches()]
        names = ("logprobs", "ranks", "entropies", "ends")
        whole = [np.concatenate([getattr(part, name) for part in parts]) for name in names]
        self.scores = Scores(whole[0][:-1], whole[1][:-1], whole[2], whole[3])
        """Of token 1, 2 ...; entropies and ends have one more, of what could come next."""

    def total(self, first: int, end: int) -> Stretch:
        """Tokens `first` to below `end` together, such as a passage."""
        text = self._text(first, end)
        return Stretch(
            first, end, float(self.scores.logprobs[first - 1 : end - 1].sum()), len(text)
        )

    def whole(self) -> Stretch:
        """The whole text."""
        return self.total(1, len(self._tokens))

    @cached_property
    def words(self) -> tuple[Stretch, ...]:
        """Words, which blanks divide; the blanks in front of one belong to it, as marks behind do.

        Blanks behind the last one are another, which has only begun.
        """
        found = []
        for first, end in _spans(word_starts(self._bytes()), len(self._tokens)):
            plain, ends = self.total(first, end), self.scores.ends
            # Row n - 1 is of token n; the first word has nothing before it that has to end.
            before = ends[first - 1] if first > 1 else 0.0
            logprob = plain.logprob + float(ends[end - 1] - before)
            found.append(Stretch(first, end, logprob, plain.characters))
        return tuple(found)

    @cached_property
    def sentences(self) -> tuple[Stretch, ...]:
        """Sentences, as `endings.Sentences` finds them, with the blanks in front of them."""
        starts = sentence_starts([self._text(n, n + 1) for n in range(1, len(self._tokens))])
        return tuple(self.total(*span) for span in _spans(starts, len(self._tokens)))

    def _bytes(self) -> list[bytes]:
        return [self._tokenizer.token_bytes(token) for token in self._tokens[1:]]

    def _text(self, first: int, end: int) -> str:
        return self._tokenizer.decode(self._tokens[first:end])


def text_ends(tokens: Sequence[int], tokenizer: Tokenizer) -> list[int]:
    """How many characters of the text there are up to the end of each token.

    The text is that of a story, cleaned. A token within a character ends where the one before
    it does, and the last of a character where the character ends.
    """
    decoder, cleaner = StreamingDecoder(tokenizer), StreamingCleaner()
    ends, length = [], 0
    for token in tokens:
        chunk = decoder.feed(token)
        length += len(cleaner.feed(chunk.text)) if chunk else 0
        ends.append(length)
    return ends


def word_starts(tokens: Iterable[bytes]) -> list[int]:
    """Numbers of the tokens, from 1, with which words begin; the first of a text always."""
    starts, has_letters = [], True
    for number, said in enumerate(tokens, 1):
        if number == 1 or (has_letters and (said[:1].isspace() or not said)):
            starts.append(number)
            has_letters = False
        has_letters = has_letters or bool(said.strip())
    return starts


def sentence_starts(texts: Sequence[str]) -> list[int]:
    """Numbers of the tokens, from 1, with which sentences begin; the first of a text always.

    A token that has the end of one and the beginning of the next counts to the first.
    """
    reader = Sentences()
    steps = [(at, reader.read(character)) for at, character in enumerate("".join(texts))]
    ends = [at - back + 1 for at, back in steps if back is not None]
    starts, at = [1] if texts else [], 0
    for number, text in enumerate(texts, 1):
        if number > 1 and ends and at >= ends[0]:
            starts.append(number)
        while ends and at >= ends[0]:
            del ends[0]
        at += len(text)
    return starts


def _spans(starts: Sequence[int], end: int) -> list[tuple[int, int]]:
    return list(pairwise([*starts, end]))


def _of_stretch(reading: Reading, numbers: range, begins: npt.NDArray[np.bool_]) -> Scores:
    """The scores of tokens that were chosen in one window; of what comes next, of any token."""
    came = [*reading.tokens, 0][numbers.start : numbers.stop]
    return scores(reading.logits(numbers), np.array(came, np.int64), begins)
