"""What training reads, damaged: runs, their logs and states, prepared data, TOML, prompts."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from damage import TEXTS, damaged, damaged_text, json_bytes, odd_file, odd_json, told
from rich.console import Console

from fuzzers.files import emptied, parts, put
from mgpt_tui import paths
from mgpt_tui.model.manifest import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE
from training.config import TrainConfig, find_recipe, read_toml
from training.data.prepared import meta_digest, read_prepared
from training.evaluation.completions import read_beginnings
from training.own_folders import META_FILE, SPLITS, split_file
from training.report.run_report import list_report, run_details, run_report
from training.runs.checkpoints import OPTIMIZER_FILE, STATE_FILE, SUMS_FILE, RunFolder
from training.runs.listing import find_run, list_runs
from training.runs.resume import Conditions, RunProgress

STEP = "step-00000003"


def make_ready() -> None:
    """Make once what all processes can share."""
    _ = optimizer(), data()


@cache
def records() -> list[dict[str, Any]]:
    """A log of three steps, one with an evaluation."""
    step = {
        "step": 1,
        "loss": 5.5,
        "learning_rate": 1e-3,
        "grad_norm": 0.5,
        "tokens": 512,
        "tokens_per_second": 900.0,
        "passes": 0.1,
        "smoothed_loss": 5.4,
        "seconds": 1.5,
        "mfu": 0.2,
        "memory_bytes": 10**9,
        "memory_peak_bytes": 10**9,
    }
    evaluated = {
        "train_loss": 5.0,
        "validation": {"loss": 5.1, "tokens": 900, "bytes": 3600},
        "best": True,
        "sample": {"prompt": "Once", "text": " a fox"},
    }
    return [step, step | {"step": 2}, step | {"step": 3} | evaluated]


def runs(draw: random.Random) -> None:
    """A run's settings, log, pointers and the config of its checkpoint, as `runs` shows them."""
    run = paths.runs_dir() / "mine"
    (run / STEP).mkdir(parents=True, exist_ok=True)
    files = {
        "run.json": {"settings": TrainConfig().flat(), "data": "/data"},
        "last.json": {"checkpoint": STEP},
        "best.json": {"checkpoint": STEP, "step": 3, "loss": 5.1, "bits_per_byte": 1.8},
        f"{STEP}/{CONFIG_FILE}": json.loads(parts()[CONFIG_FILE]),
    }
    for name, content in files.items():
        whole = json.dumps(content).encode()
        put(run / name, odd_file(draw, content) if draw.random() < 0.4 else whole)
    lines = [json_bytes(draw, odd_json(draw, line)) for line in records()]
    if draw.random() < 0.5:
        lines = [json.dumps(line).encode() for line in records()]
    log = b"\n".join(lines) + b"\n"
    put(run / "metrics.jsonl", damaged(draw, log) if draw.random() < 0.5 else log)
    console = Console(file=io.StringIO(), width=draw.choice((20, 80, 200)), force_terminal=True)
    if draw.random() < 0.1:
        for part in list_report(list_runs(), console.width, True):
            console.print(part)
    json.dumps([one.to_dict() for one in list_runs()])
    found = find_run("mine")
    if draw.random() < 0.05:
        for part in run_report(found, console.width, True):
            console.print(part)
    json.dumps(run_details(found))


@cache
def optimizer() -> bytes:
    """The tensors of an optimizer."""
    import torch
    from safetensors.torch import save

    return save({"0.exp_avg": torch.zeros(4), "0.step": torch.ones(())})


PROGRESS = {
    "step": 3,
    "sequences": 12,
    "seconds": 1.5,
    "smoothed_loss": 5.1,
    "waited": 0,
    "train_losses": [5.5, 5.4],
    "best": {"step": 3, "loss": 5.1, "bits_per_byte": 1.8},
}
CONDITIONS = {
    "device": "cpu",
    "dtype": "fp32",
    "threads": 2,
    "processes": 1,
    "torch_version": "2.9",
    "instructions": "AVX2",
}


def states(draw: random.Random) -> None:
    """A checkpoint to resume from, damaged, with sums that may match all the same."""
    run = RunFolder("resumed")
    folder = run.checkpoint(3)
    folder.mkdir(parents=True, exist_ok=True)
    state = PROGRESS | {"conditions": CONDITIONS, "scaler": {}}
    files = parts() | {OPTIMIZER_FILE: optimizer(), STATE_FILE: json.dumps(state).encode()}
    name = draw.choice([*files, STATE_FILE, STATE_FILE])
    files[name] = odd_file(draw, state) if name == STATE_FILE else damaged(draw, files[name])
    for each, content in files.items():
        (folder / each).write_bytes(content)
    order = (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE)
    sums = "".join(f"{hashlib.sha256(files[each]).hexdigest()}  {each}\n" for each in order)
    told(files[name])
    put(folder / SUMS_FILE, damaged(draw, sums.encode()) if draw.random() < 0.1 else sums.encode())
    saved = run.load()
    try:
        progress = RunProgress.from_dict(saved.state)
        conditions = Conditions.from_dict(saved.state["conditions"])
    except (KeyError, TypeError, ValueError):  # which whoever resumes tells as damage
        return
    progress.to_dict()
    conditions.difference(conditions)


@cache
def data() -> dict[str, bytes]:
    """The files of prepared data but for what is said of them."""
    tokens = np.array([256, *b"Once a fox.", 256, *b"Twice.", 256], "<u2").tobytes()
    return dict.fromkeys(map(split_file, SPLITS), tokens) | {
        TOKENIZER_FILE: parts()[TOKENIZER_FILE]
    }


def prepared(draw: random.Random) -> None:
    """Prepared data: what is said of it damaged, with a digest that matches or not."""
    folder = paths.data_dir() / "prepared"
    if not folder.exists():
        folder.mkdir(parents=True)
        for name, content in data().items():
            (folder / name).write_bytes(content)
    config = json.loads(parts()[CONFIG_FILE])
    meta: Any = {
        "format": 1,
        "version": "0",
        "sources": ["a.txt"],
        "dropped": 0,
        "duplicates": 0,
        "validation": {"fraction": 0.1},
        "tokenizer": {"name": "gpt2", "digest": "d", **config["tokenizer"]},
        "splits": {split: {"stories": 2, "tokens": 20, "bytes": 17} for split in SPLITS},
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in data().items()
        },
    }
    if draw.random() < 0.7:
        meta = odd_json(draw, meta)
    if isinstance(meta, dict) and draw.random() < 0.8:
        meta["sha256"] = meta_digest(meta)
    put(folder / META_FILE, json_bytes(draw, meta))
    found = read_prepared(folder)
    assert found.digest and found.train.stories >= 0 and found.val.bytes >= 0
    found.tokenizer.encode("Once")


def toml(draw: random.Random) -> None:
    """A file of settings for training."""
    text = draw.choice((find_recipe("storyteller").read_text("utf-8"), SMALL_TOML))
    content = damaged_text(draw, text).encode("utf-8", "surrogatepass")
    if draw.random() < 0.6:
        content = damaged(draw, content)
    path = paths.data_dir() / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    put(path, content)
    config = TrainConfig().updated(read_toml(path))
    json.dumps(config.flat())
    config.model.gpt_config(300)


SMALL_TOML = """preset = "tiny"
max-steps = 100
[optimizer]
learning_rate = 1e-3  # high
[machine]
device = "cpu"
compile = false
"""


def prompts(draw: random.Random) -> None:
    """A list of beginnings, as `eval --prompts` reads it."""
    folder = emptied("prompts")
    suffix = draw.choice((".yaml", ".yml", ".yaml", ".txt", ".jsonl"))
    text = '- "Once upon"\n- Two\u00e9 foxes\n- >\n  A longer\n  one\n- &a x\n- *a\n'
    if suffix == ".jsonl":
        text = '{"text": "Once"}\n{"text": "Twice"}\n'
    content = damaged_text(draw, text).encode("utf-8", "surrogatepass")
    path = folder / f"prompts{suffix}"
    put(path, damaged(draw, content) if draw.random() < 0.6 else content)
    found = read_beginnings(path, draw.choice((None, None, "text", draw.choice(TEXTS))))
    assert all(isinstance(beginning, str) for beginning in found)
    shutil.rmtree(folder)


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "runs": runs,
    "states": states,
    "prepared data": prepared,
    "toml": toml,
    "prompts": prompts,
}
