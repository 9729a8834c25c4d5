"""Keys in the longer ways to send them, made sound before Textual reads them.

These are kitty's protocol (https://sw.kovidgoyal.net/kitty/keyboard-protocol/), whose short form
is `CSI number ; modifiers u`, and xterm's modifyOtherKeys (`CSI 27 ; modifiers ; number ~`).
Textual (8.2) ends at a number that is no character, does not know of the parts between colons, and
takes keys let go for keys pressed.
"""

from __future__ import annotations

import re

from textual._keyboard_protocol import FUNCTIONAL_KEYS, MODIFIER_FUNCTIONAL_KEYS

EXTENDED = re.compile(r"\x1b\[([0-9:]*)(?:;([0-9:]*))?(?:;([0-9:]*))?([u~ABCDEFHPQRS])")
SHIFT, CAPS_LOCK, LOCKS = 1, 64, 64 | 128
PRESSED, REPEATED = 1, 2
OTHER_KEY = 27
"""The number that xterm gives to keys which have none, in `CSI 27 ; modifiers ; character ~`."""

KEYPAD = dict(zip(range(57399, 57417), "0123456789./*-+\r=,", strict=True))
"""What the keys of a number pad type, where the terminal does not say it."""


def sound(sequence: str) -> str | None:
    """A sequence that Textual reads as what this one means.

    Returns:
        "" where nothing is pressed by it; None where it is no extended key.
    """
    match = EXTENDED.fullmatch(sequence)
    if match is None:
        return None
    keys, modifiers, text, end = match.groups(default="")
    held, event = (*_numbers(modifiers, 1), PRESSED)[:2]
    held = (max(held, 1) - 1) & 0xFF
    if event not in (PRESSED, REPEATED):
        return ""
    if end == "~" and keys == str(OTHER_KEY) and text:
        return _character((_numbers(text, 0)[0],), held, "", spoken=True)
    if end == "u":
        return _character(_numbers(keys, 0), held, text)
    number = _numbers(keys, 1)[0]
    known = f"{number}{end}" in FUNCTIONAL_KEYS and (keys or end != "~")
    return f"\x1b[{number};{(held & ~LOCKS) + 1}{end}" if known else None


def _character(keys: tuple[int, ...], held: int, text: str, *, spoken: bool = False) -> str:
    """`CSI u` for a key by its number.

    Args:
        keys: the key's number; with shift; in the place of the keyboard.
        held: the bits of the modifiers.
        text: the numbers of the characters that it types; "" where the terminal does not say it.
        spoken: whether the number is that of what is typed, rather than of the key.
    """
    key, real = keys[0], held & ~LOCKS
    name = FUNCTIONAL_KEYS.get(f"{key}u", "")
    if name in MODIFIER_FUNCTIONAL_KEYS:
        return ""
    if not name and not _types(key):
        return ""
    typed = [number for number in _numbers(text, 0) if _types(number)] if text else []
    if name and key not in KEYPAD:
        typed = []
    elif text and not typed:
        return ""
    elif not typed and not real & ~SHIFT:
        typed = _typed(key, keys[1:2], held, spoken)
    if real & ~SHIFT and not typed and not name:
        key = ord(chr(key).lower()[0])
    modifiers = real + 1 if real else ""
    return f"\x1b[{key};{modifiers};{':'.join(map(str, typed))}u".replace(";;u", "u")


def _typed(key: int, shifted: tuple[int, ...], held: int, spoken: bool) -> list[int]:
    """What a key types with shift or without, as far as that can be known."""
    shift = bool(held & SHIFT)
    if key in KEYPAD:
        return [ord(KEYPAD[key])] if KEYPAD[key].isprintable() and not shift else []
    if shift and shifted and _types(shifted[0]):
        return [shifted[0]]
    if chr(key).isalpha():
        capital = chr(key).upper() if shift != bool(held & CAPS_LOCK) else chr(key)
        return [ord(capital)] if len(capital) == 1 else [key]
    return [key] if spoken or not shift else []


def _numbers(field: str, missing: int) -> tuple[int, ...]:
    return tuple(int(part) if part else missing for part in field.split(":"))


def _types(number: int) -> bool:
    """Whether a number is that of a character which can be typed."""
    return number <= 0x10FFFF and chr(number).isprintable()
