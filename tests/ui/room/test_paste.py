"""A paste is text, whatever bytes it holds."""

from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from textual._xterm_parser import BRACKETED_PASTE_END as END
from textual._xterm_parser import BRACKETED_PASTE_START as BEGIN
from textual.events import Key, Paste
from textual.message import Message

from mgpt_tui.ui.terminal.parser import PICTURES, SafeParser

ESC = "\x1b"
WILD = "safe \x1b hello \x11 there \x1b[31mred\x1b[20 \r more \x1b"
SILENCE = ""


def parsed(pieces: list[str]) -> list[Message]:
    """What these reads are; an empty one stands for a while in which nothing comes."""
    parser, events = SafeParser(), []
    for piece in pieces:
        if piece:
            events += parser.feed(piece)
        while piece == SILENCE and parser._timeout_time is not None:
            parser._timeout_time = time.monotonic() - 1
            events += parser.tick()
    return events


def told(events: list[Message]) -> list[str]:
    """The texts that were pasted and the keys that were pressed."""
    return [event.text if isinstance(event, Paste) else event.key for event in events]


def test_a_wild_paste_is_one_paste_wherever_a_read_ends() -> None:
    stream = f"a{BEGIN}{WILD}{END}b"
    for cut in range(1, len(stream)):
        events = parsed([stream[:cut], stream[cut:]])
        assert [type(event) for event in events] == [Key, Paste, Key], cut
        assert told(events) == ["a", WILD.replace("\x1b", "␛").replace("\x11", "␑"), "b"]


@given(
    st.lists(st.text(st.sampled_from("a\x1b[20~1"), max_size=12), max_size=4),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_reads_make_no_difference(pastes: list[str], cuts: list[int]) -> None:
    pastes = [paste.replace(END, "") for paste in pastes]
    stream = "x".join(f"{BEGIN}{paste}{END}" for paste in pastes)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    events = parsed([stream[a:b] for a, b in pairwise(edges)])
    texts = [event.text for event in events if isinstance(event, Paste)]
    assert texts == [paste.translate(PICTURES) for paste in pastes]


def test_eight_bit_controls_are_pictures_too_and_line_ends_stay() -> None:
    assert told(parsed([f"{BEGIN}a\x9b5n\tb\r\nc{END}"])) == ["a␛[5n\tb\r\nc"]


def test_keys_outside_a_paste_are_as_before() -> None:
    assert told(parsed([f"{ESC}[A", "q\x11"])) == ["up", "q", "ctrl+q"]


def test_a_slow_paste_is_shown_as_it_comes_and_stays_a_paste() -> None:
    pieces = [f"{BEGIN}one\r", SILENCE, f"\ntwo{ESC}", SILENCE, "[201", SILENCE, "~\x11"]
    assert told(parsed(pieces)) == ["one", "\r\ntwo", "ctrl+q"]


def test_a_lone_escape_ends_a_paste_whose_end_was_lost() -> None:
    assert told(parsed([f"{BEGIN}one", SILENCE, ESC, SILENCE, "\x11"])) == [
        "one", "escape", "ctrl+q",
    ]  # fmt: skip
    cut = f"{BEGIN}one{END[:-1]}"
    assert told(parsed([cut, SILENCE, ESC, SILENCE, "x"])) == ["one", "␛[201", "escape", "x"]
