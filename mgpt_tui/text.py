"""Text that may be shown: what comes from outside is cleaned before it enters a document."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of generated text that ends on a whole character.

    Attributes:
        text: the new text.
        tokens: the token ids that it was decoded from, in order.
    """

    text: str
    tokens: tuple[int, ...]


def _pictures() -> dict[int, str]:
    """What stands for every character that must not reach a terminal, by code point."""
    pictures = {code: chr(0x2400 + code) for code in range(0x20)}
    pictures[0x7F] = "\u2421"
    # A C1 control is ESC and a letter in one character: ECMA-48, 5.3.
    pictures |= {code: "\u241b" + chr(code - 0x40) for code in range(0x80, 0xA0)}
    embeddings = ("LRE", "RLE", "PDF", "LRO", "RLO")
    isolates = ("LRI", "RLI", "FSI", "PDI")
    pictures |= {0x202A + at: f"\u27e6{name}\u27e7" for at, name in enumerate(embeddings)}
    pictures |= {0x2066 + at: f"\u27e6{name}\u27e7" for at, name in enumerate(isolates)}
    pictures |= dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    pictures |= {0x2028: "\n", 0x2029: "\n"}
    del pictures[ord("\n")], pictures[ord("\t")]
    return pictures


_PICTURES = _pictures()
_NEEDS_CLEANING = re.compile(f"[{''.join(map(re.escape, map(chr, _PICTURES)))}]")


def clean_text(text: str) -> str:
    """`text` with nothing left in it that a terminal would obey.

    CRLF, CR and the Unicode line and paragraph separators become a newline. Controls (C0 but
    newline and tab, DEL, C1) become the picture of the control, bidirectional embeddings,
    overrides and isolates a tag such as ⟦RLO⟧, lone surrogates U+FFFD. Cleaning twice is
    cleaning once.
    """
    if not _NEEDS_CLEANING.search(text):
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_PICTURES)


def shell_command(*words: object) -> str:
    """A command for a shell, as it may be shown: quoted where that is needed, and clean."""
    return clean_text(shlex.join(map(str, words)))


class StreamingCleaner:
    """`clean_text` for text that comes in pieces, wherever they are cut."""

    def __init__(self) -> None:
        self._waiting = ""

    def feed(self, piece: str) -> str:
        """The next piece, cleaned. A CR at its end waits to see whether LF follows."""
        text = self._waiting + piece
        self._waiting = "\r" if text.endswith("\r") else ""
        return clean_text(text.removesuffix(self._waiting))

    def finish(self) -> str:
        """What still waits, cleaned; the cleaner is then as new."""
        text, self._waiting = self._waiting, ""
        return clean_text(text)
