"""Text files cut into ranges: always the same stories, wherever the cuts fall."""

import gzip
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from training.sources import text_files
from training.sources.stories import open_source
from training.sources.text_files import TextFile

END = "<|endoftext|>"
PIECES = st.sampled_from(
    [
        END,
        "\n",
        f"\n{END}\n",
        f" {END}\t\n",
        f"\r\n\u3000{END} \r\n",
        "\r",
        " ",
        "Ida ran.",
        "né 🦊",
    ]
)


def stories_between_marks(text):
    """What the format means, said most plainly."""
    stories = text.removeprefix("\ufeff").split(END)
    tidied = (story.replace("\r\n", "\n").replace("\r", "\n").strip() for story in stories)
    return [story for story in tidied if story]


@settings(max_examples=100, deadline=None)
@given(text=st.lists(PIECES, max_size=30).map("".join), size=st.integers(1, 60))
def test_ranges_hold_what_the_file_holds(tmp_path_factory, text, size):
    path = tmp_path_factory.getbasetemp() / "ranges.txt"
    path.write_bytes(f"\ufeff{text}\nLast.".encode())
    expected = stories_between_marks(f"{text}\nLast.")
    ranges = list(TextFile(path).ranges(size))
    assert [part.start for part in ranges] == [0, *(part.end for part in ranges[:-1])]
    assert ranges[-1].end == path.stat().st_size
    packed = path.with_name("ranges.txt.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert [story.text for story in open_source(str(packed)).stories()] == expected
    source = open_source(str(path))
    cut = [story for part in source.portions(size) for story in part.stories()]
    assert cut == expected == [story.text for story in source.stories()]


def test_ranges_are_about_as_long_as_asked(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"Ten bytes.\n{END}\n" * 1000)
    ranges = list(TextFile(path).ranges(500))
    assert all(500 <= part.end - part.start < 600 for part in ranges[:-1])


@pytest.mark.parametrize("blanks", range(2**16 - 15, 2**16 + 3))
def test_a_mark_across_two_reads(tmp_path, monkeypatch, blanks):
    monkeypatch.setattr(text_files, "_READ_AT_ONCE", 2**14)
    text = "x" * blanks + f"{END}y"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("a.txt", "a.txt.gz"):
        portions = open_source(str(tmp_path / name)).portions(9)
        assert [s for part in portions for s in part.stories()] == ["x" * blanks, "y"]


def test_a_byte_that_is_not_utf8_is_counted_from_the_begin_of_the_file(tmp_path):
    path = tmp_path / "a.txt"
    good = f"Good.\n{END}\n".encode() * 5
    path.write_bytes(good + b"Bad \xe9.")
    with pytest.raises(UserError, match=f"byte {len(good) + 4} is 0xE9"):
        [list(part.texts()) for part in TextFile(path).ranges(10)]


def test_a_range_knows_when_its_file_is_another(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("One.")
    (part,) = TextFile(path).ranges(100)
    assert part.is_unchanged()
    os.utime(path, ns=(0, 0))
    assert not part.is_unchanged()
    path.unlink()
    assert not part.is_unchanged()


def test_small_files_share_a_portion(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text(f"Story {number}.")
    (tmp_path / "4.jsonl").write_text('{"text": "From JSON."}\n{"text": ""}\n')
    portions = list(open_source(str(tmp_path)).portions(45))
    assert [len(part.parts) for part in portions] == [7, 5]
    stories = [story for part in portions for story in part.stories()]
    assert stories == [*(f"Story {n}." for n in range(4)), "From JSON.",
                       *(f"Story {n}." for n in range(4, 10))]  # fmt: skip
    assert sum(part.size for part in portions) == open_source(str(tmp_path)).size
