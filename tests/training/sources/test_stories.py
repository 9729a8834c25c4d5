"""Sources of stories: files of every kind, folders, the hub."""

import csv
import json
import os
import socket
from functools import partial

import pytest

from mgpt_tui.errors import UserError
from training.sources.stories import open_local_source, open_source

STORIES = [
    "A goat sang.\nIt sang well.",
    'Pip the snail won the race, "slowly".',
    "né à Orléans 🦊",
]


def read(path, column=None):
    return [story.text for story in open_source(str(path), column).stories()]


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network here")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def write_txt(path, stories=STORIES):
    path.write_text("".join(story + "\n<|endoftext|>\n" for story in stories), encoding="utf-8")


def write_jsonl(path, stories=STORIES, column="text"):
    lines = [json.dumps({"id": at, column: story}) for at, story in enumerate(stories)]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_csv(path, stories=STORIES, column="text"):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", column])
        writer.writerows(enumerate(stories))


def write_parquet(path, stories=STORIES, column="text"):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"id": list(range(len(stories))), column: pa.array(stories, pa.string())})
    parquet.write_table(table, path)


WITH_COLUMNS = [(".jsonl", write_jsonl), (".csv", write_csv), (".parquet", write_parquet)]
KINDS = [(".txt", write_txt), *WITH_COLUMNS]


@pytest.mark.parametrize(("ending", "write"), KINDS, ids=[kind for kind, _ in KINDS])
def test_every_kind_gives_the_same_stories(tmp_path, offline, ending, write):
    path = tmp_path / ("odd [name]*" + ending)
    write(path)
    assert read(path) == STORIES
    source = open_source(str(path))
    assert list(source.stories()) == list(source.stories())  # it can be read twice
    assert source.size == path.stat().st_size


@pytest.mark.parametrize(("ending", "write"), WITH_COLUMNS, ids=[kind for kind, _ in WITH_COLUMNS])
def test_the_only_column_of_text_is_taken(tmp_path, ending, write):
    path = tmp_path / ("stories" + ending)
    write(path, column="tale")
    assert read(path) == STORIES
    assert read(path, "tale") == STORIES
    with pytest.raises(UserError, match="no column 'saga'") as refused:
        read(path, "saga")
    assert "tale" in refused.value.remedy


def parquet_of(path, **columns):
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table(columns), path, row_group_size=700)
    return path


def test_parquet_is_read_some_rows_at_a_time(tmp_path):
    import pyarrow as pa

    stories = [f"Story {number}." for number in range(1600)]
    path = parquet_of(
        tmp_path / "a.parquet",
        text=pa.array(stories).dictionary_encode(),
        length=pa.array(range(1600)),
    )
    found = list(open_source(str(path)).stories())
    assert [story.text for story in found] == stories
    positions = [story.position for story in found]
    assert positions == sorted(positions)
    assert abs(positions[799] - path.stat().st_size / 2) < 10
    assert positions[-1] == path.stat().st_size
    with pytest.raises(UserError, match="'length' is no text"):
        read(path, "length")


def test_parquet_damaged_within(tmp_path):
    path = parquet_of(tmp_path / "a.parquet", text=[f"Story {number}." for number in range(3000)])
    content = bytearray(path.read_bytes())
    content[4:3000] = bytes(2996)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.parquet cannot be read as Parquet") as refused:
        read(path)
    assert "damaged" in refused.value.remedy


def test_two_columns_of_text_need_a_choice(tmp_path):
    path = tmp_path / "stories.jsonl"
    path.write_text('{"title": "Goat", "body": "A goat sang."}\n')
    with pytest.raises(UserError, match="which column") as refused:
        read(path)
    assert "--text-column" in refused.value.remedy
    assert "title, body" in refused.value.remedy
    assert read(path, "body") == ["A goat sang."]


def test_line_ends_white_space_and_empty_stories(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_bytes(
        b"\xef\xbb\xbf\r\n  One.\r\nTwo. \r\n<|endoftext|>\r\n\r\n <|endoftext|> \r\nThree.\rFour."
    )
    assert read(path) == ["One.\nTwo.", "Three.\nFour."]


@pytest.mark.parametrize(("ending", "write"), WITH_COLUMNS, ids=[kind for kind, _ in WITH_COLUMNS])
def test_missing_and_empty_rows_are_left_out(tmp_path, ending, write):
    path = tmp_path / ("stories" + ending)
    write(path, stories=["", "One.", None, " \n ", "Two."])
    assert read(path) == ["One.", "Two."]


def test_lone_surrogates_of_json_become_replacement_characters(tmp_path):
    path = tmp_path / "stories.jsonl"
    path.write_text(r'{"text": "a \ud800 b \ud83e\udd8a"}')
    assert read(path) == ["a \ufffd b 🦊"]


def test_a_folder_is_read_in_order_without_what_is_hidden(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    write_csv(tmp_path / "a.csv", ["first"])
    write_txt(tmp_path / "b" / "x.TXT", ["second"])
    write_jsonl(tmp_path / "c.jsonl", ["third"])
    for other in (".hidden.txt", "README.md", ".git/x.txt"):
        (tmp_path / other).write_text("not a story")
    assert read(tmp_path) == ["first", "second", "third"]
    source = open_source(str(tmp_path))
    positions = [story.position for story in source.stories()]
    assert positions == sorted(positions)
    assert 0 < positions[-1] <= source.size


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.txt", b"", "no stories"),
        ("blank.txt", b"\n<|endoftext|>\n \n", "no stories"),
        ("empty.jsonl", b"", "no stories"),
        ("empty.csv", b"", "no stories"),
        ("header.csv", b"text\n", "no stories"),
        ("latin.txt", b"Once upon a time\nin Orl\xe9ans.", "byte 23 is 0xE9"),
        ("latin.csv", b"text\nOrl\xe9ans\n", "byte 8 is 0xE9"),
        ("bom.txt", b"\xef\xbb\xbfab\xff", "byte 5 is 0xFF"),
        ("broken.jsonl", b'{"text": "a"}\n{"text": \n', "line 2"),
        ("list.jsonl", b"[1, 2]\n", "line 1"),
        ("deep.jsonl", b"[" * 100_000, "line 1"),
        ("number.jsonl", b'{"text": "a"}\n{"text": 3}\n', "line 2"),
        ("quote.csv", b'text\n"never closed\n', "line 2"),
        ("broken.parquet", b"PAR1 and nothing more", "cannot be read as Parquet"),
        ("notes.docx", b"x", "unknown kind"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_named_with_a_remedy(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as refused:
        read(tmp_path / name)
    assert name in refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize("name", ["/nowhere/stories.txt", "data/stories.txt", "../data", "data"])
def test_a_missing_path_is_not_looked_for_on_the_hub(name, offline, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(UserError, match="does not exist"):
        open_source(name)


def test_a_folder_without_stories(tmp_path):
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(UserError, match=r"no .txt, .jsonl, .json, .csv, .tsv, .parquet"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("opened", [open_source, partial(open_local_source, option="--val")])
def test_what_is_no_file_is_told_as_it_is(tmp_path, monkeypatch, opened):
    with pytest.raises(UserError, match="is no regular file"):
        opened(os.devnull)
    monkeypatch.chdir(tmp_path)
    write_txt(tmp_path / "a.txt")
    with pytest.raises(UserError, match="no name"):
        opened("")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(UserError, match="is no regular file"):
            opened("pipe.txt")
