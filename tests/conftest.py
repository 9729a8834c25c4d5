"""What every test shares: folders of its own, a byte tokenizer, a tiny random model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from mgpt_tui.cli import main
from mgpt_tui.model.checkpoint import save_checkpoint
from mgpt_tui.model.config import PRESETS
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import LOCATIONS

# Tiny models are fastest on one thread, and the tests may share the machine.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no test reads or writes the user's own folders."""
    folder = tmp_path / "home"
    for location in LOCATIONS.values():
        monkeypatch.setenv(location.variable, str(folder / location.name))
    return folder


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """The smallest vocabulary: the 256 bytes and <|endoftext|>."""
    return Tokenizer.gpt2().trimmed({}, 257)


@pytest.fixture(scope="session")
def tiny_model(byte_tokenizer: Tokenizer) -> GPT:
    """A random model with a context of 32 tokens, in evaluation mode."""
    config = replace(
        PRESETS["tiny"], vocab_size=byte_tokenizer.vocab_size, block_size=32, n_embd=16
    )
    return GPT(config, torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def tiny_checkpoint(tmp_path: Path, tiny_model: GPT, byte_tokenizer: Tokenizer) -> Path:
    """The tiny model as a checkpoint folder."""
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, tiny_model, byte_tokenizer, {"step": 3})
    return folder


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def mgpt(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs the command line in this process."""

    def run(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(int(caught.value.code or 0), captured.out, captured.err)

    return run
