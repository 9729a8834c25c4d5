"""What is told of the processors."""

import os
import subprocess
import sys
import time

import pytest

from mgpt_tui import cores as module
from mgpt_tui.cores import are_busy, cores, may_have_gpu, seconds_waited

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the counts are Linux's")


def test_there_is_a_core():
    assert cores() >= 1


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="nobody counts")
def test_cores_are_busy_where_half_of_them_work(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 4)
    for load, expected in ((0.3, False), (2.0, False), (2.1, True), (9.0, True)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert are_busy() is expected


@linux
def test_waiting_for_a_core_is_counted():
    """With another one that never rests on the same core, half of the time is waiting."""
    allowed = os.sched_getaffinity(0)
    other = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    )
    try:
        other.stdout.readline()
        os.sched_setaffinity(other.pid, {min(allowed)})
        os.sched_setaffinity(0, {min(allowed)})
        before, until = seconds_waited(), time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        assert seconds_waited() - before > 0.05
    finally:
        os.sched_setaffinity(0, allowed)
        other.kill()
        other.communicate()


@pytest.mark.parametrize(
    ("files", "expected"),
    [(["null", "nvidiactl"], False), (["nvidia0"], True), (["dxg"], True), (["kfd"], True)],
)
def test_a_gpu_shows_in_dev(monkeypatch, tmp_path, files, expected):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(module, "DEVICES", tmp_path)
    for name in files:
        (tmp_path / name).touch()
    assert may_have_gpu() is expected


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [("darwin", "arm64", True), ("darwin", "x86_64", False), ("win32", "AMD64", False)],
)
def test_elsewhere_the_system_says_enough(monkeypatch, system, machine, expected):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(module.platform, "machine", lambda: machine)
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    assert may_have_gpu() is expected
