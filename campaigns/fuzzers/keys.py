"""Feed what terminals send to the parser of the app: whole, cut, damaged, split at any byte.

    python campaigns/fuzzers/keys.py [--rounds N] [--seed N]

Every documented kind of sequence is made up: CSI u and its kin with every part that kitty's
protocol allows, modifyOtherKeys, the keys of old terminals, the mouse in its three ways, focus,
pastes, sizes, and replies that came late. Whole, they type what they mean and nothing else.
Damaged, they end nothing: after a silence every key is heard again.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.events import Key, Paste
from textual.message import Message

from mgpt_tui.ui.terminal.parser import PICTURES, SafeParser

ESC = "\x1b"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCXYZ .,!?'\u00e9\u00df\u4f60\U0001f600"
BEGIN, END = f"{ESC}[200~", f"{ESC}[201~"


@dataclass(frozen=True)
class Sent:
    """Something that a terminal sends.

    Attributes:
        data: the characters.
        typed: the text that it puts into a field.
        alone: whether it means this only if nothing follows for a while.
    """

    data: str
    typed: str = ""
    alone: bool = False


# What terminals send.


def letter(draw: random.Random) -> Sent:
    """A character as itself."""
    character = draw.choice(LETTERS)
    return Sent(character, character)


def kitty(draw: random.Random) -> Sent:
    """A character in kitty's protocol, with any of the parts that may be there."""
    character, event = draw.choice("abcxyz"), draw.choice([None, None, 1, 2, 3])
    capital, held = character.upper(), draw.choice([0, 0, 1, 1, 4, 5, 64, 128])
    shift = held & 1
    key = str(ord(character))
    if draw.random() < 0.4:
        key += f":{ord(capital)}" if shift else ":"
        if draw.random() < 0.5:
            key += f":{ord(draw.choice('abc'))}"
    typed = "" if held & 4 else capital if bool(shift) != bool(held & 64) else character
    modifiers = f"{held + 1}" if held or event or draw.random() < 0.5 else ""
    modifiers += f":{event}" if event else ""
    text = f";{ord(typed)}" if typed and event != 3 and draw.random() < 0.5 else ""
    fields = f"{key};{modifiers}{text}" if modifiers or text else key
    return Sent(f"{ESC}[{fields}u", "" if event == 3 else typed)


def modified_other(draw: random.Random) -> Sent:
    """A key in xterm's modifyOtherKeys."""
    character, held = draw.choice("abcXYZ!?"), draw.choice([1, 4, 5])
    if held == 1:
        character = character.upper()
    return Sent(f"{ESC}[27;{held + 1};{ord(character)}~", character if held == 1 else "")


def functional(draw: random.Random) -> Sent:
    """A key that types nothing, in kitty's protocol or in xterm's."""
    number, end = draw.choice(
        [
            (1, "A"),
            (1, "D"),
            (1, "H"),
            (1, "P"),
            (3, "~"),
            (5, "~"),
            (15, "~"),
            (27, "u"),
            (57358, "u"),
            (57376, "u"),
            (57441, "u"),
            (57428, "u"),
        ]
    )
    held = f"{draw.randrange(1, 256)}"
    held += f":{draw.randrange(1, 4)}" if draw.random() < 0.5 else ""
    return Sent(f"{ESC}[{number};{held}{end}")


def keypad(draw: random.Random) -> Sent:
    """A number pad's key, in three ways."""
    digit = draw.randrange(10)
    return draw.choice(
        [
            Sent(f"{ESC}O{chr(ord('p') + digit)}", str(digit)),
            Sent(f"{ESC}[{57399 + digit}u", str(digit)),
            Sent(f"{ESC}[{57399 + digit};;{48 + digit}u", str(digit)),
        ]
    )


def legacy(draw: random.Random) -> Sent:
    """One of the sequences that Textual knows from old terminals, of those that type nothing."""
    known = [
        sequence
        for sequence, keys in ANSI_SEQUENCES_KEYS.items()
        if len(sequence) > 2 and not isinstance(keys, str)
    ]
    return Sent(draw.choice(known))


def with_alt(draw: random.Random) -> Sent:
    """A letter with alt, which types nothing."""
    return Sent(ESC + draw.choice("wspgqzaWSQ.,/\u00e9"))


def mouse(draw: random.Random) -> Sent:
    """The mouse, by number, by rxvt's number or by character."""
    button, x, y = draw.randrange(256), draw.randrange(-2, 300), draw.randrange(-2, 300)
    return draw.choice(
        [
            Sent(f"{ESC}[<{button};{x};{y}{draw.choice('Mm')}"),
            Sent(f"{ESC}[{button};{abs(x)};{abs(y)}M"),
            Sent(f"{ESC}[M{chr(32 + button % 90)}{chr(33 + abs(x) % 90)}{chr(33 + abs(y) % 90)}"),
        ]
    )


def report(draw: random.Random) -> Sent:
    """Focus, a size, a cursor, a mode or what the terminal is."""
    high, wide = draw.randrange(100), draw.randrange(300)
    return Sent(
        draw.choice(
            [
                f"{ESC}[I",
                f"{ESC}[O",
                f"{ESC}[48;{high};{wide};{high * draw.choice([0, 16])};{wide * 8}t",
                f"{ESC}[{high};{wide}R",
                f"{ESC}[?{draw.choice([2026, 2048, 7])};{draw.randrange(5)}$y",
                f"{ESC}[?62;4;22c",
                f"{ESC}[>1;95;0c",
                f"{ESC}[?0u",
                f"{ESC}[0n",
                f"{ESC}[8;{high};{wide}t",
            ]
        )
    )


def reply(draw: random.Random) -> Sent:
    """An answer in a string of its own: colours, versions, features, pictures."""
    said = draw.choice(
        [
            "]11;rgb:1e1e/1e1e/2e2e",
            "]4;1;rgb:ffff/0000/0000",
            "]52;c;YWJj",
            "P>|XTerm(389)",
            "P1+r544e=787465726d",
            "P1$r0m",
            "P!|00000000",
            "_Gi=31;OK",
            "]10;#ffffff",
        ]
    )
    ends = [f"{ESC}\\", "\x07"] if said[0] == "]" else [f"{ESC}\\"]
    return Sent(f"{ESC}{said}{draw.choice(ends)}")


def paste(draw: random.Random) -> Sent:
    """A paste, which may hold anything but its own end."""
    parts = [*LETTERS, "\n", "\t", "\r\n", ESC, f"{ESC}[A", f"{ESC}[97;5u", BEGIN, "\x11", "\x03"]
    body = "".join(draw.choices(parts, k=draw.randrange(12)))
    return Sent(f"{BEGIN}{body}{END}", body.translate(PICTURES))


def escape(draw: random.Random) -> Sent:
    """The key."""
    return Sent(ESC, alone=True)


KINDS = (letter, letter, kitty, kitty, modified_other, functional, keypad, legacy, with_alt, mouse)
KINDS += (report, reply, paste, escape)


# Reading it.


@contextmanager
def clock() -> Iterator[list[float]]:
    """A clock for the parser that goes when it is told to."""
    from textual import _parser

    real, now = _parser.get_time, [0.0]
    _parser.get_time = lambda: now[0]
    try:
        yield now
    finally:
        _parser.get_time = real


class Reader:
    """A parser, and what it made of everything."""

    def __init__(self, now: list[float]) -> None:
        self.parser, self.now = SafeParser(), now
        self.typed = ""

    def read(self, data: str) -> None:
        """What one read brought."""
        self._note(self.parser.feed(data))

    def wait(self) -> None:
        """Nothing comes for a while."""
        for _ in range(4):  # each step may wait for another
            self.now[0] += 1
            self._note(self.parser.tick())

    def _note(self, events: object) -> None:
        for event in events:  # type: ignore[attr-defined]
            if isinstance(event, Key) and event.is_printable:
                self.typed += event.character or ""
            elif isinstance(event, Paste):
                self.typed += event.text
            elif not isinstance(event, Message):
                raise AssertionError(f"The parser gave {event!r}.")


def split(draw: random.Random, data: str) -> list[str]:
    """The same in reads of any length."""
    if not data:
        return []
    cuts = draw.sample(range(1, len(data)), min(draw.choice([0, 1, 3, 100]), len(data) - 1))
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def damaged(draw: random.Random, data: str) -> str:
    """The same with something wrong in it."""
    at = draw.randrange(len(data) + 1)
    what = draw.randrange(5)
    if what == 0:
        return data[:at]
    if what == 1:
        return data[:at] + data[at + 1 :]
    if what == 2:
        return data[:at] + draw.choice("0123456789:;<?>\u00e9uMmtR~\x1b[\r") + data[at:]
    if what == 3:
        return data[:at] + str(draw.randrange(10 ** draw.randrange(1, 40))) + data[at:]
    return data[:at] + data[at:][::-1]


# The targets.


def whole_sequences(draw: random.Random) -> None:
    """What is sent whole types what it means, however it is split into reads.

    Raises:
        AssertionError: where it does not.
    """
    sent = [draw.choice(KINDS)(draw) for _ in range(draw.randrange(1, 9))]
    with clock() as now:
        reader = Reader(now)
        data = ""
        for each in sent:
            data += each.data
            if each.alone:
                for part in split(draw, data):
                    reader.read(part)
                reader.wait()
                data = ""
        for part in split(draw, data):
            reader.read(part)
        reader.wait()
    meant = "".join(each.typed for each in sent)
    if reader.typed != meant:
        raise AssertionError(
            f"{[each.data for each in sent]} typed {reader.typed!r}, not {meant!r}"
        )


def damaged_sequences(draw: random.Random) -> None:
    """Whatever comes, nothing fails, and after a silence keys are heard.

    Raises:
        AssertionError: where they are not.
    """
    data = "".join(
        damaged(draw, draw.choice(KINDS)(draw).data) for _ in range(draw.randrange(1, 6))
    )
    _still_hears(draw, data)


def noise(draw: random.Random) -> None:
    """Any characters at all.

    Raises:
        AssertionError: where no key is heard after them.
    """
    pool = "\x1b\x1b\x1b[[[O]P_M<?;:0123456789uR~t$y\\\x07abc\u00e9\x00\r\x9b\x9c\ufffd\U0001f600"
    _still_hears(draw, "".join(draw.choices(pool, k=draw.randrange(1, 60))))


def _still_hears(draw: random.Random, data: str) -> None:
    with clock() as now:
        reader = Reader(now)
        for part in split(draw, data):
            reader.read(part)
            if draw.random() < 0.1:
                reader.wait()
        reader.wait()
        reader.read(ESC)  # also ends a paste whose end was lost
        reader.wait()
        before = reader.typed
        for character in "hello":
            reader.read(character)
            reader.wait()
    if reader.typed != before + "hello":
        raise AssertionError(f"After {data!r} only {reader.typed[len(before) :]!r} is heard.")


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "whole sequences": whole_sequences,
    "damaged sequences": damaged_sequences,
    "noise": noise,
}


def main() -> int:
    """Run every target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20_000, help="of each [default: %(default)s]")
    parser.add_argument("--seed", type=int, help="left out, a new one is drawn")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    for name, target in TARGETS.items():
        for number in range(options.rounds):
            target(random.Random(f"{seed} {name} {number}"))
        print(f"{name}: {options.rounds:,} rounds held (seed {seed})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
