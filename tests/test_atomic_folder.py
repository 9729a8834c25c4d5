"""Folders that are whole or not there."""

from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_folder


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_the_folder_appears_at_the_end(tmp_path):
    target = tmp_path / "deep" / "data"
    with atomic_folder(target) as folder:
        (folder / "a").write_text("new")
        assert not target.exists()
    assert (target / "a").read_text() == "new"
    assert names(tmp_path) == ["a", "data", "deep"]


def test_a_failure_keeps_the_old_folder(tmp_path):
    target = tmp_path / "data"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_folder(target, replace=True) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"
    assert names(tmp_path) == ["a", "data"]


def test_a_rename_that_fails_brings_the_old_folder_back(tmp_path, monkeypatch):
    target = tmp_path / "data"
    target.mkdir()
    (target / "a").write_text("old")
    rename = Path.rename

    def fail_once(path, to):
        if to == target and not path.name.endswith("-old"):
            raise OSError("no")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(UserError), atomic_folder(target, replace=True) as folder:
        (folder / "a").write_text("new")
    assert (target / "a").read_text() == "old"
    assert names(tmp_path) == ["a", "data"]


def test_a_folder_in_use_is_not_replaced_unasked(tmp_path):
    target = tmp_path / "data"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(UserError), atomic_folder(target) as folder:
        (folder / "b").write_text("new")
    assert names(tmp_path) == ["a", "data"]
