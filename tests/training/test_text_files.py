"""Text files cut into ranges: always the same stories, wherever the cuts fall."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from training.sources import open_source
from training.text_files import TextFile

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


def stories_line_by_line(text):
    """What the format means, said most plainly."""
    story, stories = "", []
    for line in [*text.removeprefix("\ufeff").split("\n"), END]:
        if line.strip() == END:
            stories.append(story.replace("\r\n", "\n").replace("\r", "\n").strip())
            story = ""
        else:
            story += line + "\n"
    return [story for story in stories if story]


@settings(max_examples=300, deadline=None)
@given(text=st.lists(PIECES, max_size=30).map("".join), size=st.integers(1, 60))
def test_ranges_hold_what_the_file_holds(tmp_path_factory, text, size):
    path = tmp_path_factory.getbasetemp() / "ranges.txt"
    path.write_bytes(f"\ufeff{text}\nLast.".encode())
    expected = stories_line_by_line(f"{text}\nLast.")
    ranges = list(TextFile(path).ranges(size))
    assert [part.start for part in ranges] == [0, *(part.end for part in ranges[:-1])]
    assert ranges[-1].end == path.stat().st_size
    source = open_source(str(path))
    cut = [story for part in source.portions(size) for story in part.stories()]
    assert cut == expected == [story.text for story in source.stories()]


def test_ranges_are_about_as_long_as_asked(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"Ten bytes.\n{END}\n" * 1000)
    ranges = list(TextFile(path).ranges(500))
    assert all(500 <= part.end - part.start < 600 for part in ranges[:-1])


def test_a_mark_at_the_end_of_a_very_long_line_is_text(tmp_path):
    path = tmp_path / "a.txt"
    for blanks in (2**16 - 1, 2**16, 2**17):
        path.write_text("x" * blanks + f"{END}\ny")
        (story,) = (s for part in open_source(str(path)).portions(9) for s in part.stories())
        assert story == "x" * blanks + f"{END}\ny"


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
