"""A paste is text, whatever bytes it holds."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from textual.events import Key, Paste

from mgpt_tui.ui.paste import BEGIN, END, PasteGuard
from mgpt_tui.ui.terminal import SafeParser

WILD = "safe \x1b hello \x11 there \x1b[31mred\x1b[20 \r more \x1b"


def parsed(pieces):
    parser = SafeParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def test_a_wild_paste_is_one_paste_wherever_a_read_ends():
    stream = f"a{BEGIN}{WILD}{END}b"
    for cut in range(1, len(stream)):
        events = parsed([stream[:cut], stream[cut:]])
        kinds = [type(event) for event in events]
        assert kinds == [Key, Paste, Key], cut
        assert events[1].text == WILD.replace("\x1b", "␛").replace("\x11", "␑")
        assert [events[0].key, events[2].key] == ["a", "b"]


@given(
    st.lists(st.text(st.sampled_from("a\x1b[20~1"), max_size=12), max_size=4),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_reads_make_no_difference(pastes, cuts):
    stream = "x".join(f"{BEGIN}{paste.replace(END, '')}{END}" for paste in pastes)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    guard = PasteGuard()
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert "".join(guard.guard(piece) for piece in pieces) == PasteGuard().guard(stream)


def test_eight_bit_controls_are_pictures_too_and_line_ends_stay():
    (event,) = parsed([f"{BEGIN}a\x9b5n\tb\r\nc{END}"])
    assert event.text == "a␛[5n\tb\r\nc"


def test_keys_outside_a_paste_are_as_before():
    assert [event.key for event in parsed(["\x1b[A", "q\x11"])] == ["up", "q", "ctrl+q"]
