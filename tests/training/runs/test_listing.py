"""Runs as their folders tell of them."""

import json
import os
import subprocess
import sys

import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from tests.test_reading import ODD
from training.config import TrainConfig
from training.runs.checkpoints import RunFolder
from training.runs.files import is_held
from training.runs.listing import find_run, list_runs
from training.runs.log import RunLog, to_record


def write_run(watched, name="mine", steps=30, **settings):
    """The folder of a run as a training leaves it, checkpoints aside."""
    folder = paths.runs_dir() / name
    folder.mkdir(parents=True)
    values = TrainConfig().updated({"max_steps": 30, "preset": "tiny"} | settings).flat()
    (folder / "run.json").write_text(json.dumps({"data": "my-data", "settings": values}))
    log = RunLog(folder, 0)
    for metrics in watched[:steps]:
        log.write(metrics)
    log.close()
    return folder


@pytest.mark.parametrize(
    ("steps", "settings", "state"),
    [
        (30, {}, "finished"),
        (20, {}, "stopped"),
        (0, {}, "stopped"),
        (30, {"max_steps": 99}, "stopped"),
    ],
)
def test_the_state_of_a_run(watched, steps, settings, state):
    write_run(watched, steps=steps, **settings)
    run = find_run("mine")
    assert (run.state, run.step) == (state, steps)
    with RunFolder("mine").held():
        assert find_run("mine").state == "running"
    assert find_run("mine").state == state


def test_a_run_out_of_patience_is_finished(watched):
    folder = write_run(watched, steps=5, max_steps=99, patience=2)
    record = to_record(watched[4])
    with (folder / "metrics.jsonl").open("a") as log:
        for step in (10, 15):
            assert find_run("mine").state == "stopped"
            record["step"], record["validation"]["loss"] = step, 99.0
            print(json.dumps(record), file=log, flush=True)
    assert find_run("mine").state == "finished"


def test_a_look_does_not_keep_a_training_from_beginning(watched):
    write_run(watched)
    code = (
        "from training.runs.files import is_held\nfrom mgpt_tui import paths\n"
        "print('looking', flush=True)\n"
        "while True:\n    is_held(paths.runs_dir() / 'mine')\n"
    )
    (paths.runs_dir() / "mine" / ".lock").touch()
    looking = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        looking.stdout.readline()
        for _ in range(200):
            with RunFolder("mine").held():
                pass
    finally:
        looking.kill()
        looking.communicate()


def test_what_the_list_tells(watched):
    folder = write_run(watched, "b")
    write_run(watched, "a", steps=12)
    (paths.runs_dir() / "no run").mkdir()
    (paths.runs_dir() / "empty").mkdir()
    (paths.runs_dir() / "file").write_text("")
    first, second = (run.to_dict() for run in list_runs())
    assert (first["name"], second["name"]) == ("a", "b")
    assert (second["step"], second["max_steps"]) == (30, 30)
    best = min(watched, key=lambda m: m.evaluation.validation.loss if m.evaluation else 99)
    assert second["best_step"] == best.step
    assert second["bits_per_byte"] == pytest.approx(best.evaluation.validation.bits_per_byte)
    assert second["tokens"] == 30 * 2 * 32
    assert second["seconds"] == pytest.approx(watched[-1].seconds, abs=1e-3)
    assert second["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert second["last_written"].endswith("+00:00")
    newest = max(path.stat().st_mtime for path in folder.iterdir())
    assert find_run("b").written.timestamp() == pytest.approx(newest, abs=1e-3)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"settings": 3, "data": 1}', b"\xff"])
def test_a_run_with_damaged_settings_is_told_of_all_the_same(watched, content):
    (write_run(watched) / "run.json").write_bytes(content)
    run = find_run("mine")
    assert (run.step, run.max_steps, run.state) == (30, None, "stopped")


def test_settings_of_another_version_are_passed_over(watched):
    path = write_run(watched) / "run.json"
    content = json.loads(path.read_text())
    content["settings"]["a_setting_to_come"] = 3
    path.write_text(json.dumps(content))
    assert find_run("mine").max_steps == 30


def test_an_unknown_run_names_the_known_ones(watched):
    with pytest.raises(UserError) as caught:
        find_run("mine")
    assert caught.value.remedy == "Known runs: none."
    write_run(watched, "one")
    write_run(watched, "two")
    for name in ("three", "../one", "", "one/../two"):
        with pytest.raises(UserError) as caught:
            find_run(name)
        assert "one, two" in caught.value.remedy


def test_a_log_that_cannot_be_read_hides_no_other_run(watched):
    log = write_run(watched, "one") / "metrics.jsonl"
    log.unlink()
    log.mkdir()
    write_run(watched, "two")
    assert [run.step for run in list_runs()] == [0, 30]
    with pytest.raises(UserError, match=r"metrics\.jsonl"):
        find_run("one")


@pytest.mark.parametrize("name", ["metrics.jsonl", "run.json", "last.json"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
@pytest.mark.parametrize(
    "make", [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/zero")]
)
def test_what_is_no_file_is_not_waited_for(watched, name, make):
    path = write_run(watched, "one") / name
    path.unlink(missing_ok=True)
    make(path)
    write_run(watched, "two")
    assert [run.name for run in list_runs()] == ["one", "two"]


def test_a_folder_of_data_that_is_none_is_not_called_none(watched):
    path = write_run(watched, "one") / "run.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"data": None}))
    assert find_run("one").data is None


@pytest.mark.skipif(os.name != "posix", reason="files as Unix has them")
@pytest.mark.parametrize("name", ["metrics.jsonl", "run.json", "last.json", ".lock"])
@pytest.mark.parametrize("odd", ODD)
def test_whatever_lies_in_the_folder_of_a_run_hides_no_other(watched, odd, name):
    folder = write_run(watched, "one")
    (folder / name).unlink(missing_ok=True)
    ODD[odd](folder / name)
    write_run(watched, "two")
    assert [run.name for run in list_runs()] == ["one", "two"]
    assert find_run("two").step == 30
    assert not is_held(folder)
    if name == ".lock" and odd != "huge file":  # whose size does not matter
        with pytest.raises(UserError), RunFolder("one").held():
            pass


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_what_a_link_in_a_run_leads_to_is_not_written(watched, tmp_path):
    folder = write_run(watched)
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("metrics.jsonl", "run.json"):
        (folder / name).unlink()
        (folder / name).symlink_to(precious)
    RunLog(folder, 30).close()
    assert precious.read_text() == "mine"
    assert list_runs()[0].step == 0


def test_a_time_that_no_calendar_has_hides_no_run(watched):
    folder = write_run(watched)
    for stamp in (2**34, 253402300800, 2**40):
        os.utime(folder / "metrics.jsonl", (stamp, stamp))
        assert find_run("mine").to_dict()["last_written"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
@pytest.mark.parametrize("closed", ["metrics.jsonl", "run.json", "."])
def test_permissions_that_are_missing_hide_no_other_run(watched, closed):
    path = write_run(watched, "one") / closed
    write_run(watched, "two")
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        assert [run.name for run in list_runs()] == ["one", "two"]
        assert find_run("two").step == 30
    finally:
        path.chmod(mode)
