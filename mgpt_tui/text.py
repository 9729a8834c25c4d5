"""Text that may be shown: what comes from outside is cleaned before it enters a document."""

from __future__ import annotations

import re
import shlex
import unicodedata
from dataclasses import dataclass

END_OF_TEXT = "<|endoftext|>"
"""Stands before, between and behind stories; no text is ever encoded as it."""


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
# Surrogates as a range: one by one, they would take as long as all else that is imported here.
_FEW = "".join(re.escape(chr(code)) for code in _PICTURES if not 0xD800 <= code < 0xE000)
_NEEDS_CLEANING = re.compile(f"[{_FEW}\ud800-\udfff]")


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


def one_line(text: str) -> str:
    """`text`, such as a name, as part of a line: clean, with pictures of line ends and tabs."""
    return clean_text(text.translate(_ENDS_OF_LINES))


_ENDS_OF_LINES = str.maketrans(
    {
        "\n": "\u240a",
        "\r": "\u240d",
        "\t": "\u2409",
        "\u2028": "\u27e6LS\u27e7",
        "\u2029": "\u27e6PS\u27e7",
    }
)


def shortened(number: float) -> str:
    """A large number in short: 950, 8.2 k, 4.1 M, 1.3 G."""
    if number < 999.5:
        return f"{number:.0f}"
    for unit in "kMG":
        number /= 1000
        if number < 999.95 or unit == "G":
            break
    return f"{number:.1f} {unit}"


def without_middle(text: str, most: int = 400) -> str:
    """A text to be told, which may repeat something long: of more characters, both ends."""
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"


def counted(count: int, one: str, many: str = "") -> str:
    """So many of something: `1 word`, `2,000 words`; `many` where that takes no mere s."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def folded(text: str) -> str:
    """Text to compare with other text, whatever its case and however its accents are written."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


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


CLOSING = frozenset(".,;:!?…%、。，！？；：")


def joint(before: str, line: str) -> str:
    """What goes between the story so far and a new line: a blank or nothing.

    Nothing where either side has white space there, where the line begins with punctuation
    that belongs to the word before it, or where the story ends with an opening mark. A straight
    quotation mark opens before a word and closes behind a mark; else it is judged by whether its
    paragraph has one open, which a model does not always keep track of.
    """
    if not before or before[-1].isspace() or line[0].isspace():
        return ""
    quote_is_open = before.rpartition("\n")[2].count('"') % 2 == 1
    first, last = line[0], before[-1]
    if first == '"':
        closes = quote_is_open and not line[1:2].isalnum()
    elif first == "'":
        closes = last.isalnum()
    else:
        closes = first in CLOSING or unicodedata.category(first) in ("Pe", "Pf", "Pd")
    opened = unicodedata.category(last) in ("Ps", "Pi") or (
        last == '"' and quote_is_open and before[-2:-1] not in CLOSING
    )
    return "" if closes or opened else " "
