"""Several processes under torchrun: the same as one, told once, and ended together.

Each test starts real processes on this machine that talk over gloo.
"""

import os
import re
import signal
import socket
import subprocess
import sys

import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import step_of
from tests.waiting import PATIENCE, until
from training.runs.checkpoints import RunFolder
from training.runs.log import read_metrics
from training.step.distributed import World, joined

SETTINGS = (
    *("--preset", "tiny", "--n-embd", 16, "--block-size", 32, "--batch-size", 4),
    *("--warmup-steps", 2, "--learning-rate", 1e-2, "--dropout", 0, "--log-every", 1),
    *("--device", "cpu", "--dtype", "fp32", "--sample-tokens", 4),
)
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def torchrun(*arguments):
    """Two processes of `mgpt-tui` with these arguments."""
    command = (
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2),
        *("-m", "mgpt_tui", *arguments),
    )
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD,
    )


def begin(prepared, name, *more):
    return ("train", "--data", prepared.folder, "--name", name, *SETTINGS, *more)


def wait_for_steps(process, name, steps):
    """Wait until the run has logged so many steps; returns the ids of the processes by rank."""

    def logged():
        assert process.poll() is None, process.communicate()
        return len(read_metrics(paths.runs_dir() / name)) >= steps

    until(logged, f"{steps} steps")
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    return sorted(int(word) for word in listed.stdout.split())


def test_two_processes_equal_one_that_reads_twice_as_much(mgpt, prepared):
    steps = ("--max-steps", 20, "--eval-every", 10)
    two = torchrun(*begin(prepared, "two", *steps))
    one = mgpt(*begin(prepared, "one", *steps, "--grad-accumulation", 2))
    out, err = two.communicate(timeout=PATIENCE)
    assert (one.code, two.returncode) == (0, 0), err
    expected, found = (read_metrics(paths.runs_dir() / name) for name in ("one", "two"))
    assert [record["step"] for record in found] == list(range(1, 21))  # rank 0 alone logs
    for left, right in zip(expected, found, strict=True):
        assert right["loss"] == pytest.approx(left["loss"], rel=1e-5)
        assert right["tokens"] == left["tokens"]
    scores = [records[-1]["validation"] for records in (expected, found)]
    assert scores[1]["loss"] == pytest.approx(scores[0]["loss"], rel=1e-5)
    assert scores[1]["tokens"] == scores[0]["tokens"]
    assert scores[1]["bytes"] == scores[0]["bytes"]
    assert out == ""
    assert len(re.findall(r"^step 20 ", err, re.MULTILINE)) == 1  # and it alone shows
    assert err.count("mgpt-tui --model two") == 1
    resumed = mgpt("train", "--name", "two", "--resume", "--max-steps", 21)
    assert resumed.code == 0
    assert "processes 2, now 1" in resumed.err


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun kills otherwise there")
def test_a_process_that_is_killed_ends_the_run_with_a_message(mgpt, prepared):
    process = torchrun(*begin(prepared, "run", "--max-steps", 100_000, "--eval-every", 50_000))
    processes = wait_for_steps(process, "run", 20)
    os.kill(processes[1], signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)  # in which the 90,000 other steps are not done
    assert process.returncode != 0
    assert err.count("mgpt-tui: Another process of the run has ended") == 1
    assert "mgpt-tui train --name run --resume" in err
    run = RunFolder("run")
    newest = run.checkpoints()[-1]
    assert f"{newest.name} is saved" in err
    assert step_of(newest) == len(read_metrics(run.path)) >= 20
    more = mgpt("train", "--name", "run", "--resume", "--max-steps", step_of(newest) + 1)
    assert more.code == 0, more.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data", "nowhere"), "nowhere"),  # found by the first process
        (("--data", "DATA", "--max-steps", "two"), "whole number"),  # found by all
    ],
)
def test_bad_input_is_told_once(prepared, arguments, words):
    given = (prepared.folder if word == "DATA" else word for word in arguments)
    process = torchrun("train", "--name", "run", *SETTINGS, *given)
    _, err = process.communicate(timeout=PATIENCE)
    assert err.count(words) == 1, err
    assert "exitcode  : 2" in err
    assert "mgpt_tui/" not in err  # no traceback of ours


WORDS = """
import sys
from mgpt_tui.errors import UserError
from training.step.distributed import SharedError, joined
with joined() as world:
    assert world.share(bytes([world.rank] * 3), 1) == bytes([1] * 3)
    assert world.from_first(lambda: {"rank": world.rank}) == {"rank": 0}
    assert world.gather([world.rank, 5]).tolist() == [[0, 5], [1, 5]]
    try:
        with world.together():
            if world.rank == 1:
                raise UserError("No data here.", "Copy it.")
    except SharedError as error:
        assert error.message.startswith("Process 1 on "), error.message
        assert error.message.endswith("No data here.") and error.remedy == "Copy it."
        sys.stdout.write("told")
"""


def test_the_words_of_a_process_reach_all():
    """Where only one of them fails, the others learn why."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    common |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORDS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD | common | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in ("0", "1")
    ]
    for process in processes:
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "told"), err


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"WORLD_SIZE": "2"}, "RANK"),
        ({"RANK": "1"}, "WORLD_SIZE"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK='2'"),
        ({"RANK": "0", "WORLD_SIZE": "many"}, "WORLD_SIZE='many'"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "-1"}, "LOCAL_RANK='-1'"),
    ],
)
def test_variables_that_torchrun_would_not_set(monkeypatch, variables, words):
    if "RANK" in variables and "WORLD_SIZE" in variables:
        others = {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
        variables = others | {"MASTER_ADDR": "localhost", "MASTER_PORT": "1"} | variables
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=re.escape(words)) as caught, joined():
        pass
    assert "torchrun" in caught.value.remedy


def test_without_torchrun_there_is_one_process():
    with joined() as world:
        assert world == World()
        assert world.gather([3.0]).tolist() == [[3.0]]
        assert world.share(b"x") == b"x"


def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UserError, match=r"1 GPU\(s\) for 2 processes"):
        World(1, 2, 1, 2).device(torch.device("cuda"))
    with pytest.raises(UserError, match="mps"):
        World(1, 2, 1, 2).device(torch.device("mps"))
    assert World(1, 2, 1, 2).device(torch.device("cpu")).type == "cpu"
