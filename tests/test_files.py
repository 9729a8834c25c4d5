"""Atomic writes."""

import errno
import os
from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, atomic_writer, os_error


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
