"""GPT-2's byte-level BPE through tiktoken, from ranks that ship in the package.

A vocabulary is its ranks: the bytes of every token, in the order in which merges are tried
(Sennrich et al. 2016, arXiv:1508.07909; byte level: Radford et al. 2019, GPT-2). The 256 single
bytes are always among them, so any text can be encoded. One token stands apart and is never the
encoding of text: `<|endoftext|>`, the last id, which begins and ends every story.
"""

from __future__ import annotations

import binascii
import codecs
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import tiktoken

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.model.split_pattern import GPT2_PATTERN, check_pattern, covering, is_panic
from mgpt_tui.paths import assets_dir
from mgpt_tui.reading import read_bytes
from mgpt_tui.text import END_OF_TEXT as END_OF_TEXT
from mgpt_tui.text import TextChunk

GPT2_DIGEST = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"

SMALLEST_VOCABULARY = 257  # the single bytes and <|endoftext|>
GPT2_VOCABULARY = 50257
LARGEST_VOCABULARY = 65536  # ids are stored as uint16
LARGEST_FILE = 16 * 2**20
_LONG_TEXT = 50_000
_LONG_SPACE = re.compile(r"\s{50000}")


class Tokenizer:
    """A vocabulary, and text to token ids and back.

    Args:
        ranks: bytes of every token but `<|endoftext|>`, numbered from 0 without gaps.
        pattern: regular expression that splits text into pieces, see `split_pattern`.

    Raises:
        UserError: where `ranks` is no such vocabulary, or `pattern` cannot be used.
    """

    def __init__(self, ranks: Mapping[bytes, int], pattern: str = GPT2_PATTERN) -> None:
        self.ranks: dict[bytes, int] = dict(sorted(ranks.items(), key=lambda item: item[1]))
        self.pattern = pattern
        problem = _problem_with(self.ranks)
        if problem:
            raise UserError(f"This is no vocabulary: {problem}.", "Use a tokenizer.tiktoken.")
        check_pattern(pattern)
        self._bytes = [*self.ranks, b""]

    @classmethod
    def gpt2(cls) -> Tokenizer:
        """GPT-2's own vocabulary, 50,257 entries."""
        path = assets_dir() / "gpt2.tiktoken"
        tokenizer = cls.load(path)
        if tokenizer.digest != GPT2_DIGEST:
            raise UserError(f"{path} is not as it was shipped.", "Install mgpt-tui again.")
        return tokenizer

    @classmethod
    def load(cls, path: Path, pattern: str = GPT2_PATTERN) -> Tokenizer:
        """Read a rank file as `save` writes it.

        tiktoken's own reader is not used: it copies the file to a cache outside our folders.

        Raises:
            UserError: where the file cannot be read, or is damaged, or is something else, or
                `pattern` cannot be used.
        """
        return cls.parse(read_bytes(path, LARGEST_FILE), path, pattern)

    @classmethod
    def parse(cls, content: bytes, path: Path, pattern: str = GPT2_PATTERN) -> Tokenizer:
        """The same of a file that is read already; `path` is for the message."""
        check_pattern(pattern)
        remedy = "Use the tokenizer.tiktoken of a checkpoint or of prepared data."
        try:
            ranks = {
                binascii.a2b_base64(token): int(rank)
                for token, rank in (line.split(b" ") for line in content.splitlines())
            }
            tokenizer = cls(ranks, pattern)
        except (ValueError, UserError):
            raise UserError(f"{path} is damaged, or no tokenizer file.", remedy) from None
        if tokenizer.digest != hashlib.sha256(content).hexdigest():
            raise UserError(f"{path} is damaged: its lines are out of form.", remedy)
        return tokenizer

    def save(self, path: Path) -> None:
        """Write the rank file in tiktoken's format: a line of base64 and a rank per token."""
        atomic_write(path, _file_content(self.ranks))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rank file, in hexadecimal."""
        return hashlib.sha256(_file_content(self.ranks)).hexdigest()

    @property
    def vocab_size(self) -> int:
        """Number of token ids, `<|endoftext|>` included."""
        return len(self._bytes)

    @property
    def end_token(self) -> int:
        """The id of `<|endoftext|>`, always the last."""
        return self.vocab_size - 1

    @cached_property
    def _encoding(self) -> tiktoken.Encoding:
        return tiktoken.Encoding(
            self.digest,
            pat_str=covering(self.pattern),
            mergeable_ranks=self.ranks,
            special_tokens={END_OF_TEXT: self.end_token},
        )

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, in which `<|endoftext|>` is thirteen ordinary characters.

        Lone surrogates, which no UTF-8 has, are read as U+FFFD.

        Raises:
            UserError: where a foreign split pattern takes too many steps.
        """
        encode = self._encoding.encode_ordinary
        try:
            if len(text) < _LONG_TEXT:
                return encode(text)
            return [token for stretch in self.stretches(text) for token in encode(stretch)]
        except BaseException as error:
            if not is_panic(error):
                raise
            raise UserError(
                "The tokenizer's split pattern gives up on this text.",
                "Take a model with another tokenizer.",
            ) from None

    def stretches(self, text: str) -> list[str]:
        """What `text` is cut into before all else: nearly always itself alone.

        tiktoken's regular expressions overflow their stack on a million spaces in a row.
        """
        if len(text) < _LONG_TEXT:
            return [text]
        cuts = [0, *(space.end() for space in _LONG_SPACE.finditer(text)), len(text)]
        return [text[start:end] for start, end in pairwise(cuts)]

    def token_bytes(self, token: int) -> bytes:
        """The bytes that `token` stands for; none for `<|endoftext|>`.

        Raises:
            ValueError: where the vocabulary has no such token.
        """
        if not 0 <= token < self.vocab_size:
            raise ValueError(f"token {token} is outside a vocabulary of {self.vocab_size}")
        return self._bytes[token]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`; bytes that are no UTF-8 become U+FFFD.

        Raises:
            ValueError: where the vocabulary has not all of them.
        """
        for token in (min(tokens), max(tokens)) if len(tokens) else ():
            self.token_bytes(token)
        return b"".join(map(self._bytes.__getitem__, tokens)).decode(errors="replace")

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each token says by itself, as `decode` has it; "" for `<|endoftext|>`."""
        return tuple(token.decode(errors="replace") for token in self._bytes)

    def one_token(self, text: str) -> int:
        """The token that `text` is.

        Raises:
            UserError: where it is none, or several; its message says which.
        """
        tokens = self.encode(text)
        if len(tokens) != 1:
            parts = " + ".join(repr(self.decode([token])) for token in tokens)
            raise UserError(
                f"{text!r} is not one token of this model" + (f" but {parts}." if parts else "."),
                "Name one of its tokens; most words have a space in front.",
            )
        return tokens[0]

    def merges(self, token: bytes) -> list[tuple[bytes, bytes]]:
        """The pairs that byte-pair encoding joins to make a token of its bytes, in their order."""
        made, waiting = [], [token]
        while waiting:
            whole = waiting.pop()
            parts = self.parts(whole)
            if len(parts) == 2:
                made.append((parts[0], parts[1]))
                waiting += parts
        return sorted(made, key=lambda pair: self.ranks[pair[0] + pair[1]])

    def trimmed(self, counts: Mapping[int, int], vocab_size: int) -> Tokenizer:
        """The vocabulary cut down to exactly `vocab_size` entries, `<|endoftext|>` included.

        Kept are the 256 bytes and the tokens seen most often in some text, each with the
        tokens that it is merged from, because BPE could not reach it without them. Where too
        few tokens were seen, the lowest ranks fill up. Text whose tokens are all kept is
        encoded as before, apart from the ids, which are renumbered in their old order. (The
        TinyStories paper, arXiv:2305.07759, trims its vocabulary too.)

        Args:
            counts: how often each token id occurs; ids that are missing occur never.
            vocab_size: from 257 to the size of this vocabulary.

        Raises:
            UserError: where `vocab_size` is out of range.
        """
        self.check_trim(vocab_size)
        room = vocab_size - 1
        kept = {token for token in self.ranks if len(token) == 1}
        for token in self._by_count(counts):
            if len(kept) == room:
                break
            needed = self._needed(token, kept)
            if len(kept) + len(needed) <= room:
                kept |= needed
        # Parts have lower ranks than the whole, so in the order of ranks nothing is missing.
        for token in self.ranks:
            if len(kept) == room:
                break
            kept.add(token)
        in_order = (token for token in self.ranks if token in kept)
        return Tokenizer({token: rank for rank, token in enumerate(in_order)}, self.pattern)

    def check_trim(self, vocab_size: int) -> None:
        """Raise `UserError` where `trimmed` cannot give so many entries."""
        if not SMALLEST_VOCABULARY <= vocab_size <= self.vocab_size:
            raise UserError(
                f"A vocabulary of {vocab_size:,} entries cannot be cut from one of "
                f"{self.vocab_size:,}.",
                f"Give --vocab-size a number from {SMALLEST_VOCABULARY} to {self.vocab_size}.",
            )

    def numbers_in(self, trimmed: Tokenizer) -> list[int | None]:
        """The id in `trimmed` of every token; None where text that has it is to be encoded anew.

        Where all tokens of an encoded text have a number, these numbers are its encoding by
        `trimmed`. For BPE makes a token in the midst of a piece by the very merges that make it
        of its bytes alone, since no merge reaches across its ends. A token has a number only if
        all these merges are in `trimmed` too; so what was the best merge at every step still is,
        there being fewer to choose from, in the same order.

        Args:
            trimmed: made of this vocabulary by `trimmed`.
        """
        numbers: list[int | None] = []
        for token in self.ranks:
            number = trimmed.ranks.get(token)
            if number is not None and len(token) > 1:
                # Ranks of parts are lower where the vocabulary is sound, so theirs are here.
                parts = [self.ranks[part] for part in self.parts(token)]
                sound = len(parts) == 2 and max(parts) < len(numbers)
                if not sound or any(numbers[part] is None for part in parts):
                    number = None
            numbers.append(number)
        return [*numbers, trimmed.end_token]

    def _by_count(self, counts: Mapping[int, int]) -> Iterator[bytes]:
        seen = [token for token, count in counts.items() if count > 0 and token != self.end_token]
        for token in sorted(seen, key=lambda token: (-counts[token], token)):
            yield self.token_bytes(token)

    def _needed(self, token: bytes, kept: set[bytes]) -> set[bytes]:
        """`token` and all that it is merged from, as far as they are not in `kept`."""
        needed: set[bytes] = set()
        waiting = [token]
        while waiting:
            part = waiting.pop()
            if part not in kept and part not in needed:
                needed.add(part)
                waiting += self.parts(part)
        return needed

    def parts(self, token: bytes) -> list[bytes]:
        """What BPE has made of the bytes of `token` just before the merge that yields it."""
        parts = [bytes([byte]) for byte in token]
        limit = self.ranks[token]
        while len(parts) > 2:
            merges = [
                (self.ranks.get(left + right, limit), at)
                for at, (left, right) in enumerate(pairwise(parts))
            ]
            rank, at = min(merges)
            if rank >= limit:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return parts


class StreamingDecoder:
    """Text from tokens that come one at a time.

    A token may end in the middle of a character; it then waits for the tokens that complete
    it, so no U+FFFD is made of the halves. The texts of all chunks together are the `decode`
    of all their tokens.

    Attributes:
        pending: tokens that wait for the rest of a character. When no more tokens come, the
            caller drops them.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.pending: tuple[int, ...] = ()
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""

    def feed(self, token: int) -> TextChunk | None:
        """Take the next token; the text that is whole with it, or None while it is not."""
        self._text += self._decoder.decode(self._tokenizer.token_bytes(token))
        self.pending += (token,)
        unfinished, _ = self._decoder.getstate()
        if unfinished:
            return None
        chunk = TextChunk(self._text, self.pending)
        self._text, self.pending = "", ()
        return chunk


def _file_content(ranks: Mapping[bytes, int]) -> bytes:
    return b"".join(
        binascii.b2a_base64(token, newline=False) + b" %d\n" % rank for token, rank in ranks.items()
    )


def _problem_with(ranks: Mapping[bytes, int]) -> str:
    """Why `ranks` is no vocabulary, in words, or nothing."""
    if list(ranks.values()) != list(range(len(ranks))):
        return "its ranks do not count up from 0"
    if any(bytes([byte]) not in ranks for byte in range(256)):
        return "some of the 256 single bytes are missing"
    if b"" in ranks:
        return "it has a token without bytes"
    if len(ranks) >= LARGEST_VOCABULARY:
        return f"it has more than {LARGEST_VOCABULARY:,} entries"
    return ""
