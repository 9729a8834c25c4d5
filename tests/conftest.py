"""What every test shares: folders of its own, a byte tokenizer, a tiny random model."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis
import pytest
import torch

from mgpt_tui.cli import main
from mgpt_tui.model.checkpoint import save_checkpoint
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import LOCATIONS
from tests.hub.server import Hub
from tests.waiting import PATIENCE

# How long an example takes depends on what else the machine does.
# The same examples wherever the same tests run; `--hypothesis-profile search` looks for others.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile("steady")

# Tiny models are fastest on one thread, and the tests may share the machine.
torch.set_num_threads(1)


if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as nohup leaves it; children inherit it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and every child would inherit it: Ctrl-C is
    # given back to them.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def shared_home() -> Path:
    """A home for what is done before a test has its own, the same for all processes of a run."""
    if SHARED not in os.environ:
        os.environ[SHARED] = tempfile.mkdtemp(prefix="mgpt-tests-")
        atexit.register(shutil.rmtree, os.environ[SHARED], ignore_errors=True)
    return Path(os.environ[SHARED])


SHARED = "MGPT_TESTS_HOME"
for location in LOCATIONS.values():
    os.environ[location.variable] = str(shared_home() / location.name)
COMPILED = shared_home() / "cache" / "native"
COMPILED.mkdir(parents=True, exist_ok=True)

# The clients of the hub read these when they are imported.
HUB = Hub()
os.environ |= {
    "HF_ENDPOINT": HUB.url,
    "HF_HOME": str(shared_home() / "hub"),
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is empty but for compiled code, which all tests have from one compilation."""
    folder = tmp_path.with_name(f"{tmp_path.name}-home")
    for location in LOCATIONS.values():
        monkeypatch.setenv(location.variable, str(folder / location.name))
    cache = folder / "cache"
    cache.mkdir(parents=True)
    with suppress(OSError):  # where links are not for everybody, each test compiles its own
        (cache / "native").symlink_to(COMPILED, target_is_directory=True)
    return folder


@pytest.fixture(autouse=True)
def no_test_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test reads from or waits for, it fails where it hangs, and the others go on."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"{request.node.nodeid} hangs here")

    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    former = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, 5 * PATIENCE, PATIENCE)  # again, where cleaning up hangs
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """The smallest vocabulary: the 256 bytes and <|endoftext|>."""
    return Tokenizer.gpt2().trimmed({}, 257)


@pytest.fixture(scope="session")
def tiny_model(byte_tokenizer: Tokenizer) -> GPT:
    """A random model with a context of 32 tokens, in evaluation mode."""
    config = replace(SHAPES["tiny"], vocab_size=byte_tokenizer.vocab_size, block_size=32, n_embd=16)
    return GPT(config, torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def tiny_checkpoint(tmp_path: Path, tiny_model: GPT, byte_tokenizer: Tokenizer) -> Path:
    """The tiny model as a checkpoint folder."""
    folder = tmp_path / "checkpoint"
    save_checkpoint(folder, tiny_model, byte_tokenizer, {"step": 3})
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub of our own, which is empty; without it no test finds any.

    It is waited for as long as a busy machine needs.
    """
    monkeypatch.setattr("mgpt_tui.hub.PATIENCE", PATIENCE)
    with HUB.opened() as opened:
        yield opened


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
