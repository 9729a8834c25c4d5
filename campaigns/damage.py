"""Ways to damage what programs read: bytes, text, and JSON with odd things in it."""

from __future__ import annotations

import json
import math
import random
import sys
from typing import Any

tried: list[bytes] = []
"""What the input in progress was made of, for whoever reports that it failed."""


def told(content: bytes | str) -> None:
    """Remember a part of the input in progress."""
    tried.append(content if isinstance(content, bytes) else content.encode(errors="surrogatepass"))


TEXTS = (
    *("", " ", "\n", "\0", "\x1b[31mred", "\x9b2J", "\ud800", "\udfff\ud800", "\u202eabc"),
    *("\u2028", "../../../x", "/etc/passwd", "~/x", "~nobody/x", ".", "..", "a" * 300),
    *("\U0001f98a" * 80, "None", "null", "true", "-1", "1e999", "NaN", "off", "random", "x*"),
    *("9" * 5000, "\\ud800", "%s{}", "e\u0301" * 40, "\ufeff", "\ufffe", "<|endoftext|>"),
    *("[bold]x[/bold]", "a\tb\rc", "(", "I\u0307", "nul", "C:x", "-x"),
)
"""Texts that programs stumble over."""

NUMBERS = (
    *(0, 1, -1, 2, 255, 256, 65535, 65536, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64),
    *(10**9, 10**18, 10**400, 0.5, -0.0, 1.0, 1e-320, 1e308, math.inf, -math.inf, math.nan),
)
"""Numbers at the edges of what types hold, and beyond."""

BYTES = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\r\n", b"\r"),
    *(b"\x1a", b"[" * 70, b"[" * 3000, b'{"a":' * 70, b'"\\ud800"', b"1e999", b"NaN", b"9" * 5000),
    *(b"-Infinity", b'"', b"'", b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\t", b"="),
    *(b"#", b"-", b"null", b"<|endoftext|>", b"\x1f\x8b\x08", b"PAR1", b"true", b"'''", b'"""'),
    *(b"a." * 3000, b"&a *a"),
)
"""What is put into bytes: marks, brackets, numbers, the beginnings of other kinds of files."""


def damaged(draw: random.Random, content: bytes) -> bytes:
    """`content` with one to four places damaged."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        size = len(changed)
        at = draw.randrange(size + 1)
        end = min(size, at + draw.choice((1, 1, 2, 8, 64, size)))
        match draw.randrange(8):
            case 0 | 1 if at < size:
                changed[at] ^= 1 << draw.randrange(8)
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = changed[at:end]
            case 4:
                changed[at:at] = draw.choice(BYTES)
            case 5:
                changed[at:end] = draw.choice(BYTES)
            case 6:
                changed[at:end] = draw.randbytes(end - at)
            case _:
                del changed[at:]
    return bytes(changed)


def damaged_text(draw: random.Random, text: str) -> str:
    """`text` with one to three places damaged, half characters among what is put in."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(text) + 1)
        end = min(len(text), at + draw.choice((0, 1, 2, 10, len(text))))
        put = draw.choice((draw.choice(TEXTS), chr(draw.randrange(sys.maxunicode + 1)), ""))
        text = text[:at] + put + text[end:]
    return text


def odd(draw: random.Random, depth: int = 0) -> Any:
    """A value that JSON can hold, and that is likely not the one expected."""
    match draw.randrange(9 if depth < 3 else 6):
        case 0:
            return draw.choice((None, True, False))
        case 1 | 2:
            return draw.choice(NUMBERS)
        case 3 | 4:
            return draw.choice(TEXTS)
        case 5:
            return draw.randrange(-300, 300)
        case 6:
            return [odd(draw, depth + 1) for _ in range(draw.randrange(4))]
        case 7:
            return {draw.choice(TEXTS): odd(draw, depth + 1) for _ in range(draw.randrange(4))}
    nested: Any = draw.choice(NUMBERS)
    for _ in range(draw.choice((5, 70, 150))):
        nested = [nested] if draw.random() < 0.5 else {"a": nested}
    return nested


def odd_json(draw: random.Random, value: Any) -> Any:
    """`value` with one to three of its parts replaced, removed, renamed, doubled or added."""
    changed = json.loads(json.dumps(value))
    for _ in range(draw.choice((1, 1, 2, 3))):
        place = _place(draw, changed)
        if place is None:
            return odd(draw)
        holder, key = place
        match draw.randrange(10):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw.choice((draw.choice(TEXTS), key + "x"))] = holder.pop(key)
            case 1 | 2 if isinstance(holder, list):
                holder.insert(draw.randrange(len(holder) + 1), odd(draw))
            case 3 if isinstance(holder, list):
                holder += holder[: draw.randrange(len(holder) + 1)]
            case 4:
                if other := _place(draw, value):
                    holder[key] = json.loads(json.dumps(other[0][other[1]]))
            case 5 if isinstance(holder[key], str):
                holder[key] = damaged_text(draw, holder[key])
            case 6 if type(holder[key]) is int:
                holder[key] += draw.choice((-1, 1, 10, -10))
            case _:
                holder[key] = odd(draw)
    return changed


def _place(draw: random.Random, value: Any) -> tuple[Any, Any] | None:
    """A part of a JSON value: what holds it, and its key or number there, if any."""
    place = None
    while isinstance(value, dict | list) and value and (place is None or draw.random() < 0.6):
        key = draw.choice(list(value)) if isinstance(value, dict) else draw.randrange(len(value))
        place, value = (value, key), value[key]
    return place


def json_bytes(draw: random.Random, value: Any) -> bytes:
    """A JSON file of `value` as some program may write it, sometimes damaged once more."""
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5)
    content = text.encode(errors="surrogatepass")
    return damaged(draw, content) if draw.random() < 0.2 else content


def odd_file(draw: random.Random, value: Any) -> bytes:
    """The JSON file of `value`, damaged as JSON or as bytes."""
    if draw.random() < 0.6:
        return json_bytes(draw, odd_json(draw, value))
    return damaged(draw, json.dumps(value).encode())
