"""Files that anything may be: what can be read is read, and nothing else happens."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.reading import (
    DEEPEST,
    LARGEST_INT,
    MissingFile,
    parse_json,
    read_bytes,
    read_json,
    read_text,
    read_toml,
)

Reader = Callable[[Path], object]
READERS = (read_bytes, read_text, read_json, read_toml)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        here = Path.cwd()
        os.chdir(path.parent)  # such names are short
        try:
            opened.bind(path.name)
        finally:
            os.chdir(here)


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(200 * 2**30)


ODD = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "socket": a_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to itself": lambda path: path.symlink_to(path),
    "huge file": huge,
}


@pytest.mark.skipif(os.name != "posix", reason="files as Unix has them")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_of_ours_is_refused_at_once(
    tmp_path: Path, odd: str, reader: Reader
) -> None:
    path = tmp_path / "odd"
    ODD[odd](path)
    with pytest.raises(UserError) as caught:
        reader(path)
    assert not isinstance(caught.value, MissingFile)
    assert str(path) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("reader", READERS)
def test_what_is_missing_is_told_apart(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(MissingFile):
        reader(tmp_path / "nothing")
    for name in ("a\0b", "\ud800", "x" * 5000):
        with pytest.raises(UserError):
            reader(tmp_path / name)


def test_a_limit_counts_bytes_and_files_without_a_size_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(UserError, match="larger"):
        read_bytes(path, 4)
    if Path("/proc/self/status").exists():  # it says that it has no bytes
        assert b"Name:" in read_bytes(Path("/proc/self/status"))
        with pytest.raises(UserError, match="larger"):
            read_bytes(Path("/proc/self/status"), 10)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_how_to_read_and_is_no_text(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "file"
    path.write_bytes('word = "é"'.encode(encoding))
    assert read_text(path) == 'word = "é"'
    assert read_toml(path) == {"word": "é"}


def test_other_text_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("né".encode("latin-1"))
    with pytest.raises(UserError, match=r"not UTF-8 \(byte 2\)"):
        read_text(tmp_path / "file")


@given(
    st.binary(max_size=40)
    | st.text(alphabet='[]{}",:\\\\ud8019e-. \n=#', max_size=40).map(str.encode)
)
@example(b"[" * 200_000)
@example(b"a = " + b"[" * 200_000)
@example(b"a." * 30_000 + b"a = 1")
@example(b"[" + b'"a" . ' * 30_000 + b"a]")
@example(b"a" * 200_000)
@example(b"1e999")
@example(b"-Infinity")
@example(b"1" + b"0" * 9000)
@example(b"a = 1" + b"0" * 9000)
@example(b"\xff\xfe\x00\xd8")
def test_nothing_but_a_user_error_leaves_a_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    for reader in READERS:
        try:
            found = reader(path)
        except UserError as error:
            assert len(error.message) < 400
        else:
            if reader is read_json:
                json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[1e999]", "no number that can be used"),
        ("[NaN]", "no number that can be used"),
        (f"[{LARGEST_INT + 1}]", "64 bits"),
        (f'[-{LARGEST_INT + 1}, "x"]', "64 bits"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested deeper"),
        ("{\n,", "line 2 is no JSON"),
    ],
)
def test_json_that_cannot_be_written_again_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_json(text)


def test_json_comes_as_it_is_but_for_half_characters() -> None:
    content = {"a": [1, LARGEST_INT, -1.5, None, True, "é😀"], "b": {"c": [[], {}]}}
    assert parse_json(json.dumps(content)) == content
    assert parse_json(r'{"\ud800": ["\udc00x", "\ud83d\ude00"]}') == {"\ufffd": ["\ufffdx", "😀"]}
    deep = "[" * DEEPEST + "]" * DEEPEST
    assert json.dumps(parse_json(deep)) == deep
