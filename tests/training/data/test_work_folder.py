"""The folder that outlasts a stop: whose it is, who may work in it, how it goes away."""

import os

import pytest

from mgpt_tui.errors import UserError
from training.data.work_folder import FORGOTTEN, partial_folder, work_folder
from training.own_folders import LABEL

posix = pytest.mark.skipif(os.name != "posix", reason="locks")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def stop_with_a_shard(out):
    with pytest.raises(KeyboardInterrupt), work_folder(out) as work:
        (work.shards / "a.npz").write_bytes(b"whole")
        (work.data / "train.bin").write_bytes(b"half")
        raise KeyboardInterrupt


def test_it_becomes_the_data(tmp_path):
    out = tmp_path / "deep" / "data"
    with work_folder(out) as work:
        (work.data / "train.bin").write_bytes(b"whole")
        (work.shards / "a.npz").write_bytes(b"x")
        assert not out.exists()
        work.finish(replace=False)
    assert names(tmp_path / "deep") == ["data"]
    assert names(out) == ["train.bin"]


def test_what_is_stopped_keeps_its_shards(tmp_path):
    out = tmp_path / "data"
    stop_with_a_shard(out)
    partial = partial_folder(out)
    assert names(partial) == [LABEL, "shards"]
    assert "same command goes on" in (partial / LABEL).read_text()
    (partial / "shards" / ".tmp-b.npz-123").write_bytes(b"torn")
    with work_folder(out) as work:
        assert names(work.shards) == ["a.npz"]
        assert names(work.data) == []
        work.is_wanted = False
    assert names(tmp_path) == []


@posix
def test_one_at_a_time(tmp_path):
    out = tmp_path / "data"
    with work_folder(out) as work:
        with pytest.raises(UserError, match="another process"), work_folder(out):
            pytest.fail("two at once")
        assert names(work.path) == [LABEL, "data", "shards"]
        with work_folder(tmp_path / "other") as other:
            other.is_wanted = False


def test_what_is_not_ours_is_left_alone(tmp_path):
    partial = tmp_path / "data.partial"
    partial.mkdir()
    (partial / LABEL).write_text("My own notes.")
    with pytest.raises(UserError, match="in the way") as refused, work_folder(tmp_path / "data"):
        pytest.fail("took it")
    assert "--out" in refused.value.remedy
    assert (partial / LABEL).read_text() == "My own notes."
    (tmp_path / "file.partial").write_text("mine")
    with pytest.raises(UserError, match="in the way"), work_folder(tmp_path / "file"):
        pytest.fail("took it")


@posix
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_label_that_is_no_file_is_not_written_to(tmp_path, kind):
    """To open a pipe would take for ever, and a link leads to something of the user's."""
    (tmp_path / "data.partial").mkdir()
    (tmp_path / "mine").touch()
    label = tmp_path / "data.partial" / LABEL
    if kind == "pipe":
        os.mkfifo(label)
    else:
        label.symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="in the way"), work_folder(tmp_path / "data"):
        pytest.fail("took it")
    assert (tmp_path / "mine").read_bytes() == b""


def test_a_kill_at_the_very_beginning_is_no_obstacle(tmp_path):
    (tmp_path / "data.partial").mkdir()
    (tmp_path / "data.partial" / LABEL).touch()
    with work_folder(tmp_path / "data") as work:
        work.is_wanted = False
    assert names(tmp_path) == []


def forget(folder):
    for path in (folder, folder / LABEL, folder / "shards"):
        os.utime(path, (0, 0))


@posix
def test_nothing_stays_for_ever(tmp_path):
    for name in ("old", "new", "busy"):
        stop_with_a_shard(tmp_path / name)
    (tmp_path / "mine.partial").mkdir()
    os.utime(tmp_path / "mine.partial", (0, 0))
    with work_folder(tmp_path / "busy") as busy:
        forget(tmp_path / "old.partial")
        forget(busy.path)
        with work_folder(tmp_path / "data") as work:
            work.is_wanted = False
    assert names(tmp_path) == ["busy.partial", "mine.partial", "new.partial"]
    forget(tmp_path / "new.partial")  # but whoever comes back after long finds his own
    with work_folder(tmp_path / "new") as work:
        assert names(work.shards) == ["a.npz"]
    assert FORGOTTEN > 24 * 3600


@pytest.mark.parametrize("is_there", [False, True])
def test_killed_while_old_data_is_replaced(tmp_path, is_there):
    """Between the two renames there is no `out`; after them the old one is still to be removed."""
    out = tmp_path / "data"
    stop_with_a_shard(out)
    old = partial_folder(out) / "data-old"
    old.mkdir()
    (old / "train.bin").write_bytes(b"old")
    if is_there:
        out.mkdir()
        (out / "train.bin").write_bytes(b"new")
    with work_folder(out):
        assert (out / "train.bin").read_bytes() == (b"new" if is_there else b"old")
        assert not old.exists()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as refused, work_folder(tmp_path / "file" / "data"):
        pytest.fail("made it")
    assert refused.value.remedy
