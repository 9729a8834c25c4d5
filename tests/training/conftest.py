"""A small prepared corpus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer
from training.config import TrainConfig
from training.data.prepared import Prepared, read_prepared
from training.metrics import StepMetrics
from training.runs.checkpoints import RunFolder
from training.trainer import Trainer

NAMES = ("Mia", "Tom", "Ada", "Ben", "Zoe", "Sam")
THINGS = ("kite", "boat", "drum", "lamp", "ball", "cake")

SETTINGS = {
    "preset": "tiny",
    "n_embd": 16,
    "block_size": 32,
    "batch_size": 4,
    "grad_accumulation": 2,
    "max_steps": 8,
    "warmup_steps": 2,
    "eval_every": 4,
    "learning_rate": 1e-2,
    "dropout": 0.1,
    "device": "cpu",
    "dtype": "fp32",
}
"""A run of a moment: a checkpoint in the middle and one at the end."""


def story(number: int) -> str:
    """A story of our own, a little different for each number."""
    name, thing = NAMES[number % 6], THINGS[number // 6 % 6]
    return (
        f"{name} had a {thing}. The {thing} was red. {name} showed it to a friend.\n"
        f'"What a fine {thing}!" said the friend, and they played {number} times.'
    )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: Tokenizer) -> Prepared:
    """36 stories to learn from and 8 held out, as bytes."""
    folder = tmp_path_factory.mktemp("prepared")
    splits = {"train": [story(n) for n in range(36)], "val": [story(n) for n in range(36, 44)]}
    meta = {
        "format": 1,
        "sources": ["own"],
        "dropped": 0,
        "splits": {},
        "files": {},
        "tokenizer": {"pattern": byte_tokenizer.pattern},
    }
    end = byte_tokenizer.end_token
    for split, stories in splits.items():
        tokens = [end]
        for text in stories:
            tokens += [*byte_tokenizer.encode(text), end]
        np.array(tokens, "<u2").tofile(folder / f"{split}.bin")
        meta["splits"][split] = {
            "stories": len(stories),
            "tokens": len(tokens),
            "bytes": sum(len(text.encode()) for text in stories),
        }
    byte_tokenizer.save(folder / "tokenizer.tiktoken")
    for name in ("train.bin", "val.bin", "tokenizer.tiktoken"):
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        meta["files"][name] = {"bytes": len(content), "sha256": digest}
    (folder / "meta.json").write_text(json.dumps(meta))
    return read_prepared(Path(folder))


WATCHED = {
    "preset": "tiny",
    "n_embd": 16,
    "block_size": 32,
    "batch_size": 2,
    "max_steps": 30,
    "warmup_steps": 2,
    "eval_every": 5,
    "learning_rate": 1e-2,
    "device": "cpu",
    "dtype": "fp32",
}


@pytest.fixture(scope="session")
def watched(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> list[StepMetrics]:
    """What a real run of 30 steps with six evaluations yields."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MGPT_DATA_DIR", str(tmp_path_factory.mktemp("watched")))
        trainer = Trainer(TrainConfig().updated(WATCHED), prepared, RunFolder("watched"))
        return list(trainer.steps())


@pytest.fixture
def make_trainer(prepared: Prepared) -> Callable[..., Trainer]:
    """Trainers of `SETTINGS` and what is given besides them."""

    def make(
        name: str = "run",
        *,
        resume: bool | int = False,
        init_from: GPT | None = None,
        **changes: Any,
    ) -> Trainer:
        """`resume` goes on from the newest checkpoint, or from that of a step."""
        run = RunFolder(name)
        config = TrainConfig().updated(SETTINGS | changes)
        saved = run.load(None if resume is True else resume) if resume else None
        return Trainer(config, prepared, run, init_from, saved)

    return make
