"""Lack of memory is told as such by whatever notices it, and is never called damage."""

import errno
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, os_error
from mgpt_tui.inference.process.messages import Failed
from mgpt_tui.inference.process.server import _failure
from mgpt_tui.memory import OutOfMemory, is_lack_of_memory
from mgpt_tui.memory import lack_of_memory_told as lack
from mgpt_tui.model.checkpoint import load_checkpoint
from tests.waiting import PATIENCE
from training.runs.checkpoints import RunFolder


class Panic(BaseException):
    """As Rust's come into Python."""


LACKS = [
    MemoryError(),
    OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("unable to mmap 58 bytes from file <x>: Cannot allocate memory (12)"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    OSError("/x/libtorch_global_deps.so: failed to map segment from shared object"),
    np._core._exceptions._ArrayMemoryError((10**12,), np.dtype("f8")),
    RuntimeError("can't start new thread"),
    Panic("Python API call failed"),
    Panic("called `Result::unwrap()` on an `Err` value: PyErr { type: <class 'MemoryError'> }"),
]
OTHERS = [
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    OSError(errno.ENOENT, "No such file or directory"),
    ValueError("unknown memory format"),
    UserError("There is no memory of that run.", "Allocate memory to it."),
]


@pytest.mark.parametrize("error", LACKS, ids=lambda error: type(error).__name__)
def test_memory_errors_are_told(error):
    assert is_lack_of_memory(error)
    with pytest.raises(OutOfMemory, match="not enough memory") as caught, lack("Lower it."):
        raise error
    assert caught.value.remedy == "Lower it."


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_other_errors_are_not_taken_for_them(error):
    with pytest.raises(type(error)) as caught, lack():
        raise error
    assert caught.value is error


def test_a_panic_for_want_of_memory_is_told_by_a_command(mgpt, tmp_path, monkeypatch):
    def panic(content):
        raise Panic("Python API call failed")

    monkeypatch.setattr("mgpt_tui.model.weights.deserialize", panic)
    outcome = mgpt("export", "storyteller", tmp_path / "there")
    assert outcome.code == 2 and "not enough memory" in outcome.err
    assert not list(tmp_path.iterdir())


def test_an_export_asks_for_memory_before_it_writes(mgpt, tmp_path, tiny_checkpoint, monkeypatch):
    monkeypatch.setattr("mgpt_tui.memory.memory_left", lambda: 60_000)
    outcome = mgpt("export", tiny_checkpoint, tmp_path / "there", "--to", "hf")
    assert outcome.code == 2 and "MB are left" in outcome.err
    assert not (tmp_path / "there").exists()


def test_a_helper_can_tell_its_parent():
    told = pickle.loads(pickle.dumps(OutOfMemory("Lower it.")))
    assert (told.message, told.remedy) == (OutOfMemory().message, "Lower it.")


@pytest.mark.parametrize("error", LACKS[:4], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("where", "arguments"),
    [
        ("mgpt_tui.model.weights.deserialize", ["generate", "--model", "CHECKPOINT"]),
        ("mgpt_tui.inference.engine.Engine.together", ["generate", "--model", "CHECKPOINT"]),
        ("mgpt_tui.model.weights.deserialize", ["export", "CHECKPOINT", "there"]),
        ("mgpt_tui.model.checkpoint.save_tensors", ["export", "CHECKPOINT", "there"]),
        ("mgpt_tui.model.contents.read_bytes", ["export", "CHECKPOINT", "there"]),
        ("training.evaluation.scoring.score_each", ["eval", "CHECKPOINT", "--data", "stories.txt"]),
        (
            "training.data.prepare._Job.encode",
            ["prepare", "--source", "stories.txt", "--out", "there"],
        ),
        (
            "training.data.prepare._Job.write",
            ["prepare", "--source", "stories.txt", "--out", "there"],
        ),
        ("mgpt_tui.stories.library.StoryLibrary.entries", ["stories"]),
        ("mgpt_tui.stories.library.StoryLibrary.search", ["stories", "search", "x"]),
        ("mgpt_tui.cli.models_command.list_models", ["models"]),
        ("training.runs.listing.list_runs", ["runs"]),
    ],
)
def test_every_command_tells_it(
    mgpt, tmp_path, monkeypatch, tiny_checkpoint, where, arguments, error
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.data.prepare.cores", lambda: 1)
    (tmp_path / "stories.txt").write_text("Tom ran.\n<|endoftext|>\nMia sang.\n")
    monkeypatch.setattr(where, fail)
    arguments = [str(tiny_checkpoint) if word == "CHECKPOINT" else word for word in arguments]
    outcome = mgpt(*arguments, *(["--prompt", "a"] if arguments[0] == "generate" else []))
    assert outcome.code == 2
    assert outcome.err.startswith("mgpt-tui: There is not enough memory for this.\n")
    assert len(outcome.err.splitlines()) == 2 and "damaged" not in outcome.err
    assert not (tmp_path / "there").exists()


def test_a_file_that_cannot_be_written_for_want_of_memory(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutOfMemory):
        atomic_write(tmp_path / "x", "text")
    assert isinstance(os_error(OSError(errno.ENOMEM, "x"), tmp_path), OutOfMemory)


@pytest.mark.parametrize("error", LACKS, ids=lambda error: type(error).__name__)
def test_the_engine_tells_the_app(error):
    told = OutOfMemory()
    assert _failure(3, "The engine could not go on", error) == Failed(3, told.message, told.remedy)


PREPARE = ["prepare", "--source", "stories.txt", "--out", "there"]
LIMITED = """
import resource, sys
from mgpt_tui.cli import main

{before}
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + {more}, -1))
main({arguments!r})
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
@pytest.mark.parametrize(
    ("before", "more", "arguments"),
    [
        ("", 3 * 10**7, ["generate", "--prompt", "a"]),
        ("", 3 * 10**7, ["export", "storyteller", "there"]),
        ("", 3 * 10**7, ["eval", "--data", "stories.txt"]),
        ("import torch, mgpt_tui.model.checkpoint", 10**7, ["generate", "--prompt", "a"]),
        ("import torch, mgpt_tui.model.checkpoint", 10**7, ["export", "storyteller", "there"]),
        (
            "import mgpt_tui.cli.prepare_command, training.data.prepare",
            10**6,
            ["prepare", "--source", "stories.txt", "--out", "there"],
        ),
    ],
)
def test_a_real_limit(tmp_path, before, more, arguments):
    (tmp_path / "stories.txt").write_text("Tom ran.\n<|endoftext|>\nMia sang.\n" * 20_000)
    code = LIMITED.format(before=before, more=more, arguments=arguments)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert ended.returncode == 2, ended.stderr
    assert "There is not enough memory for this." in ended.stderr
    assert "Traceback" not in ended.stderr and "damaged" not in ended.stderr
    assert not (tmp_path / "there").exists()


def test_a_run_that_goes_on_is_not_called_damaged(tiny_checkpoint, monkeypatch):
    run = paths.runs_dir() / "mine"
    run.mkdir(parents=True)
    (tiny_checkpoint).rename(run / "step-00000003")
    (run / "last.json").write_text(json.dumps({"checkpoint": "step-00000003"}))
    monkeypatch.setattr("training.runs.checkpoints._damage", lambda folder: None)

    def fail(folder):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr("training.runs.checkpoints.load_checkpoint", fail)
    with pytest.raises(OSError, match="allocate memory"):
        RunFolder("mine").load()


def test_weights_that_do_not_fit_are_not_damaged(tiny_checkpoint, monkeypatch):
    def fail(content):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("mgpt_tui.model.weights.deserialize", fail)
    with pytest.raises(RuntimeError, match="allocate"):
        load_checkpoint(tiny_checkpoint)
