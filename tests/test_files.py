"""Atomic writes."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.files import Taken, atomic_write, atomic_writer, claim, move_new, open_own, os_error


def test_write_and_replace(tmp_path):
    path = tmp_path / "new" / "file.txt"
    atomic_write(path, "first é")
    assert path.read_text(encoding="utf-8") == "first é"
    atomic_write(path, b"second")
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    atomic_write(path, "old")
    with pytest.raises(RuntimeError), atomic_writer(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.glob("*")) == [path]


def test_a_full_device_is_said_plainly(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    atomic_write(path, "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as caught:
        atomic_write(tmp_path / "file" / "below", "text")
    assert caught.value.remedy


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, 9999])
def test_every_error_names_the_file_and_a_remedy(number):
    error = os_error(OSError(number, "reason"), Path("story.md"))
    assert "story.md" in error.message
    assert error.remedy


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    atomic_write(path, "first")
    for mode in (0o600, 0o640, 0o755, 0o444):
        path.chmod(mode)
        atomic_write(path, "second")
        assert path.stat().st_mode & 0o777 == mode
    atomic_write(other, "new", like=path)
    assert other.stat().st_mode & 0o777 == 0o444
    atomic_write(tmp_path / "third", "new", like=tmp_path / "missing")


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_what_a_link_leads_to_is_not_written(tmp_path):
    precious, link = tmp_path / "precious", tmp_path / "link"
    precious.write_text("mine")
    link.symlink_to(precious)
    atomic_write(link, "ours")
    assert (link.read_text(), link.is_symlink(), precious.read_text()) == ("ours", False, "mine")
    link.unlink()
    for target in (precious, tmp_path / "nothing"):
        link.symlink_to(target)
        for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_APPEND):
            with pytest.raises(UserError, match="is a link"):
                open_own(link, flags)
        assert claim(link) is None
        link.unlink()
    assert precious.read_text() == "mine"
    assert not (tmp_path / "nothing").exists()
    os.mkfifo(link)
    for flags in (os.O_RDWR, os.O_RDONLY, os.O_WRONLY):
        with pytest.raises(UserError, match="no regular file"):
            open_own(link, flags)


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_many_want_is_had_by_one(tmp_path, monkeypatch, has_links):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "no hard links")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "name"

    def write(number):
        try:
            atomic_write(path, f"{number}", new=True)
        except Taken:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        (winner,) = [number for number in pool.map(write, range(40)) if number is not None]
    assert path.read_text() == f"{winner}"
    assert list(tmp_path.iterdir()) == [path]
    old = tmp_path / "old"
    old.write_text("kept")
    with pytest.raises(Taken, match="name already"):
        move_new(old, path)
    assert old.read_text() == "kept"
    move_new(old, tmp_path / "new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["name", "new"]


def test_a_name_as_long_as_can_be_is_written(tmp_path):
    path = tmp_path / ("x" * 250)
    atomic_write(path, "text")
    assert path.read_text() == "text"


def test_half_a_character_costs_no_file(tmp_path):
    atomic_write(tmp_path / "file", '"a\ud800b"')
    assert (tmp_path / "file").read_text("utf-8") == r'"a\ud800b"'
