"""Tables fit, and names stay whole."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from mgpt_tui.console import Column, console_for, say, table_of

COLUMNS = (
    Column("name", "name"),
    Column("date"),
    Column("words", right=True),
    Column("first line", "text"),
)
ROW = ("The fox and the key", "2026-01-01 10:00", "1,234", "The fox found a key. " * 20)


def drawn(columns, rows, width, **options):
    console = Console(file=io.StringIO(), width=width, markup=False)
    console.print(table_of(columns, rows, width, **options))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "headings", "row"),
    [
        (200, ["name", "date", "words", "first line"], [*ROW[:3], "The fox found a key. The"]),
        (80, ["name", "date", "words", "first line"], [*ROW[:3], "The fox found a"]),
        (57, ["name", "date", "words", "first line"], [*ROW[:3], "The"]),
        (47, ["name", "date", "words"], ROW[:3]),
        (40, ["name", "date"], ROW[:2]),
        (24, ["name"], ROW[:1]),
    ],
)
def test_free_text_makes_way_then_figures(width, headings, row):
    heading, line = drawn(COLUMNS, [ROW], width)
    assert heading.split() == " ".join(headings).split()
    assert line.split()[: len(" ".join(row).split())] == " ".join(row).split()


def test_the_least_needed_figures_go_first():
    assert drawn(COLUMNS, [ROW], 30, least_needed=["date"])[0].split() == ["name", "words"]


def test_a_name_longer_than_the_terminal_is_folded_and_whole():
    name = "".join(chr(97 + at % 26) for at in range(100))
    assert "".join(drawn(COLUMNS, [(name, *ROW[1:])], 40)[1:]) == name


def test_a_path_is_folded_and_whole():
    columns = (Column("name", "name"), Column("path", "path"))
    lines = drawn(columns, [("x", "/somewhere/" + "y" * 100)], 40)
    assert "".join(line[6:] for line in lines[1:]) == "/somewhere/" + "y" * 100


NAMES = st.text(st.sampled_from("abcdef 狐🦊é"), min_size=1, max_size=30).map(
    lambda name: f"n{name}n".replace("  ", " ")
)


@given(
    st.lists(st.tuples(NAMES, st.text("abc ", max_size=60)), min_size=1, max_size=5),
    st.integers(40, 200),
)
def test_no_line_is_too_long_and_every_name_is_there(rows, width):
    lines = drawn(COLUMNS, [(name, *ROW[1:3], text) for name, text in rows], width)
    assert len(lines) == 1 + len(rows) or any(cell_len(name) > width for name, _ in rows)
    for line, (name, _) in zip(lines[1:], rows, strict=False):
        assert cell_len(line) <= width
        if len(lines) == 1 + len(rows):
            assert line.startswith(name)


@pytest.mark.parametrize("columns", ["0", "²", "-1", "x", ""])
def test_an_odd_width_in_the_environment_is_passed_over(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", columns)
    stream = io.StringIO()
    stream.isatty = lambda: True
    assert console_for(stream).width >= 20


@pytest.mark.parametrize("error", [False, True])
def test_nothing_that_is_said_commands_a_terminal(capsys, error):
    say("a\x1b[2Jb\x9bc\rd\te\u202ef", error=error)
    said = capsys.readouterr()[error]
    assert said == "a␛[2Jb␛[c\nd\te⟦RLO⟧f\n"
