"""The regular expression that cuts text into pieces before merging, whoever wrote it.

A pattern comes from a file. As tiktoken runs it, what a pattern does not match is dropped from
the text without a word, and an empty match ends the process. So a pattern is never run as it
stands: `covering` adds to it whatever makes its pieces join to the text, for every pattern and
every text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import tiktoken

from mgpt_tui.errors import UserError
from mgpt_tui.text import clean_text

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""How GPT-2 splits text into pieces before merging; no token reaches across two pieces."""

LONGEST_PATTERN = 4096
"""Characters; the longest in wide use has about 500."""

HARD_TEXTS = (
    "",
    "It's a dog's day, they've said; we'll see. DON'T!",
    "  two\n\n three \t\r\n\u00a0\u2028\u3000 spaces  ",
    "1234567 3.14 x2 \u0663\u0967 Ⅷ ½",
    "caf\u00e9 cafe\u0301 stra\u00dfe \u0130\u0131 \u4f60\u597d \u3042\u30a2 \ud55c \u0e01\u0e33",
    "\U0001f98a\U0001f468\u200d\U0001f469\u200d\U0001f467 \u202eabc\u202c \u0000\u001b[0m",
    "\ufeff\ufffd\uffff\U0010ffff",
    "a" * 200 + "b" + " " * 200 + "\n" * 200 + "!" * 200 + "ab" * 200 + "-_" * 200,
)
"""What patterns stumble over: white space of all kinds, marks, joiners, controls, repetition."""


def covering(pattern: str) -> str:
    r"""`pattern` so that its pieces are never empty and join to any text that it is run over.

    Every match begins where the one before it ended (`\G`) and must end elsewhere (`(?!\G)`).
    Where `pattern` matches nothing, the next character is a piece. `(?>...)` leaves `pattern`
    the match that it would choose by itself, and spares the engine to remember others. What
    a pattern matches where it covers the text anyway stays as it is.

    GPT-2's own needs none of this: each character is a letter, a digit, white space or something
    else, and there is an alternative that takes at least one of each.
    """
    return pattern if pattern == GPT2_PATTERN else rf"\G(?:(?>{pattern})(?!\G)|[\s\S])"


@lru_cache(maxsize=16)
def problem_with(pattern: str) -> str:
    """Why a pattern cannot be used, in words, or nothing."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it has more than {LONGEST_PATTERN:,} characters"
    if pattern == GPT2_PATTERN:
        return ""
    single = {bytes([byte]): byte for byte in range(256)}  # so tokens are the bytes themselves
    try:
        # Alone first: "a)|(b" would be whole within the other parentheses.
        for tried in (pattern, covering(pattern)):
            encoding = tiktoken.Encoding(
                "split", pat_str=tried, mergeable_ranks=single, special_tokens={}
            )
        with _engine_silent():
            for text in HARD_TEXTS:
                if bytes(encoding.encode_ordinary(text)) != text.encode():
                    return "its pieces do not join to the text"
    except ValueError as error:
        reason = str(error).strip().splitlines()[-1:] or ["it cannot be compiled"]
        return clean_text(reason[0])[:100].rstrip(".")
    except BaseException as error:
        if not is_panic(error):
            raise
        return "it takes too long, or too much memory, on some texts"
    return ""


@contextmanager
def _engine_silent() -> Iterator[None]:
    """Keep to ourselves what the engine, in giving up, writes to standard error: a backtrace."""
    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def check_pattern(pattern: str) -> None:
    """Raise `UserError` where a pattern cannot be used."""
    if problem := problem_with(pattern):
        raise UserError(
            f"This split pattern cannot be used: {problem}.", "Use a tokenizer as it was made."
        )


def stated_pattern(tokenizer: object, stated_in: str) -> str:
    """The split pattern that a file's description of its tokenizer states.

    Args:
        tokenizer: that description, as JSON gives it.
        stated_in: the file, for the message.

    Raises:
        UserError: where there is none, or it cannot be used.
    """
    pattern = tokenizer.get("pattern") if isinstance(tokenizer, dict) else None
    if not isinstance(pattern, str):
        raise UserError(f"{stated_in} states no split pattern.", "Take another tokenizer.")
    if problem := problem_with(pattern):
        raise UserError(
            f"{stated_in} states a split pattern that cannot be used: {problem}.",
            "Take another tokenizer.",
        )
    return pattern


def is_panic(error: BaseException) -> bool:
    """Whether tiktoken's engine gave up: it raises what is no `Exception`."""
    return type(error).__name__ == "PanicException"
