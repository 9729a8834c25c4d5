"""Which precision and how many threads decode fastest here: measured once, then remembered.

A choice that changed from day to day would change texts: the same seed tells the same story for
the same precision, device, threads and batch size only. So it is written down in the cache
folder and not measured again.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from mgpt_tui import paths
from mgpt_tui.cores import cores
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.inference import compiling
from mgpt_tui.inference.precisions import (
    FastDecoder,
    decoder_in,
    is_available,
    precisions_of,
)
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT

FORMAT = 2
SMALL = 2_000_000
"""Models with fewer parameters run in fp32 on one thread: nothing is to be gained."""

ROUNDS, STEPS = 4, 6
"""How often each choice has its turn, and the tokens that are timed in a turn."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How to decode.

    Attributes:
        precision: one of `precisions_of` the device.
        threads: on the CPU.
    """

    precision: str
    threads: int


def choice_file() -> Path:
    """Where choices are remembered."""
    return paths.cache_dir() / "decoding.json"


def tuned(model: GPT) -> Choice:
    """The fastest way to decode with models of this shape on this machine."""
    device = model.token_embedding.weight.device
    if model.config.parameters() < SMALL:
        return Choice("fp32", 1)
    key = _key(model.config, device)
    known = _known()
    found = known.get(key)
    if found is None or not is_available(found.precision, device):
        found = _fastest(model, device)
        _remember(known | {key: found})
    return found


def _key(config: GPTConfig, device: torch.device) -> str:
    """What the speed depends on, in words."""
    cpu = torch.backends.cpu.get_cpu_capability()
    place = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return (
        f"{config.n_layer} x {config.n_embd}, {config.n_head} heads, context {config.block_size}, "
        f"{config.vocab_size} entries, on {place}, {cpu}, "
        f"{cores()} cores, torch {torch.__version__}, {compiling.found() or 'no compiler'}"
    )


def _known() -> dict[str, Choice]:
    """The choices that are remembered; none where the file is missing or damaged."""
    try:
        content = json.loads(choice_file().read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return {}
        choices = {key: Choice(**value) for key, value in content["choices"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {key: choice for key, choice in choices.items() if _is_possible(choice)}


def _is_possible(choice: Choice) -> bool:
    return (
        type(choice.precision) is str
        and type(choice.threads) is int
        and 1 <= choice.threads <= 1024
    )


def _remember(choices: dict[str, Choice]) -> None:
    content = {
        "format": FORMAT,
        "choices": {key: asdict(choice) for key, choice in choices.items()},
    }
    try:
        atomic_write(choice_file(), json.dumps(content, indent=2) + "\n")
    except UserError:  # a cache that cannot be written costs a second next time
        return


def _fastest(model: GPT, device: torch.device) -> Choice:
    """Time every precision with one thread, with half of the cores, and with all.

    All of them in turn, several times, and the shortest time of each counts: whatever else the
    machine is doing can only make one longer.
    """
    before = torch.get_num_threads()
    counts = sorted({1, max(1, cores() // 2), cores()}) if device.type == "cpu" else [before]
    possible = [name for name in precisions_of(device) if is_available(name, device)]
    decoders = {name: decoder_in(name, model) for name in possible}
    times: dict[Choice, float] = {}
    try:
        for _ in range(ROUNDS):
            for precision, decoder in decoders.items():
                for threads in counts:
                    torch.set_num_threads(threads)
                    choice = Choice(precision, threads)
                    times[choice] = min(_seconds(decoder), times.get(choice, math.inf))
    finally:
        torch.set_num_threads(before)
    return min(times, key=lambda choice: times[choice])


def _seconds(decoder: FastDecoder) -> float:
    """The shortest time of one token in the middle of the window."""
    cache = decoder.new_cache(1)
    middle = decoder.config.block_size // 2
    cache.advance(middle)  # what it holds does not matter
    token, times = torch.zeros(1, 1, dtype=torch.int64), []
    for _ in range(STEPS):
        began = time.perf_counter()
        float(decoder.read(token, cache)[0, 0])  # reading a number waits for the device
        times.append(time.perf_counter() - began)
        cache.truncate(middle)
    return min(times)
