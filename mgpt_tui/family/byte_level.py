"""How the formats of the family spell the bytes of tokens, and the merges that make them.

GPT-2's code has a printable character for each byte (Radford et al., 2019), and all of its
descendants write vocabularies and merges with these: the printable ASCII and Latin-1 characters
stand for themselves, all other bytes, in their order, for the characters from U+0100 on.
"""

from __future__ import annotations

from mgpt_tui.model.tokenizer import Tokenizer

_THEMSELVES = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = (byte for byte in range(256) if byte not in _THEMSELVES)

CHARACTERS: dict[int, str] = dict(
    sorted(
        {
            **{byte: chr(byte) for byte in _THEMSELVES},
            **{byte: chr(0x100 + number) for number, byte in enumerate(_OTHERS)},
        }.items()
    )
)
"""The character of every byte."""


def spelled(token: bytes) -> str:
    """A token as vocabularies have it: a character for each byte."""
    return "".join(map(CHARACTERS.__getitem__, token))


def merges_of(tokenizer: Tokenizer) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """The merges behind a vocabulary's ranks, in the order in which they are tried.

    A rank file says which tokens there are; to find the pair that a token is made of, its bytes
    are merged as far as lower ranks go. No other pair can ever make it: where it is about to be
    made in the midst of a text, all lower ranks within it have been merged, since no merge that
    came before reaches across its ends. So merges and ranks give the same ids.

    Returns:
        The pairs, and the tokens that no pair makes (they are met only as a whole piece of text).
    """
    pairs, unmade = [], []
    for token in tokenizer.ranks:
        if len(token) == 1:
            continue
        parts = tokenizer.parts(token)
        if len(parts) == 2:
            pairs.append((parts[0], parts[1]))
        else:
            unmade.append(token)
    return pairs, unmade
