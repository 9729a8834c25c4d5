"""Which precision and how many threads decode fastest here: measured once, then remembered.

Where compiled code runs, it is the fastest, so only its threads are to be found, and no torch is
needed for that. Elsewhere all precisions of torch are timed. A choice of precision that changed
from day to day would change texts: the same seed tells the same story for the same precision and
device only. So it is written down in the cache folder and not measured again.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mgpt_tui import paths
from mgpt_tui.cores import are_busy, cores, seconds_waited
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.decoder import Cache, FastDecoder
from mgpt_tui.inference.decoders.precisions import CPU, decoder_in, precisions_of
from mgpt_tui.inference.request import AUTO, NATIVE, DecodingSettings
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.weights import Weights
from mgpt_tui.reading import read_json

FORMAT = 3
SMALL = 2_000_000
"""Models with fewer parameters are not measured, and run on one thread: nothing is to be gained."""

ROUNDS, STEPS = 5, 6
"""How often each choice has its turn, and the tokens that are timed in a turn."""

LONGEST = 1.0
"""Seconds after which a measurement has told enough."""

BUSY = 0.1
"""Share of a measurement that its threads may have waited for a core."""


@dataclass(frozen=True, slots=True)
class Tuning:
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


def tuned(
    asked: DecodingSettings,
    config: GPTConfig,
    weights: Weights,
    device: str = CPU,
    spare_cores: int = 0,
) -> Tuning:
    """What was asked for, and for the rest of it what is fastest on this machine.

    Args:
        asked: for.
        config: shape of the model.
        weights: to measure with.
        device: to run on, as torch calls it.
        spare_cores: how many not to use, where it is not said how many; one thread there is.

    Raises:
        NoCompiler: where compiled code is asked for, and there is no compiler.
    """
    most = max(1, cores() - spare_cores)
    names = _precisions(config, device) if asked.precision == AUTO else [asked.precision]
    if asked.threads:
        counts = [asked.threads]
    elif device != CPU or config.parameters() < SMALL or (most == 1 and len(names) == 1):
        counts = [1]
    else:
        counts = _counts(cores())
    ways = [Tuning(name, threads) for name in names for threads in counts]
    fastest = ways[0] if len(ways) == 1 else _known_or_measured(ways, config, weights, device)
    return replace(fastest, threads=asked.threads or min(fastest.threads, most))


def _precisions(config: GPTConfig, device: str) -> list[str]:
    """Those that may be the fastest."""
    if device == CPU and compiling.is_available():
        return [NATIVE]
    if config.parameters() < SMALL:
        return ["fp32"]
    return [name for name in precisions_of(device) if name != NATIVE]


def _counts(most: int) -> list[int]:
    """Numbers of threads to try: from one on by doubling, and all."""
    return sorted({*(2**n for n in range(most.bit_length())), most})


def _known_or_measured(
    ways: Sequence[Tuning], config: GPTConfig, weights: Weights, device: str
) -> Tuning:
    """The fastest of several ways, that run either in compiled code or with torch."""
    key, known = _key(ways, config, device), _known()
    if known.get(key) in ways:
        return known[key]
    is_native = ways[0].precision == NATIVE
    # A busy moment says nothing of the machine. Compiled code may ask for all cores then: a thread
    # that gets none costs nothing but its help; and texts do not depend on it.
    if is_native and are_busy():
        return ways[-1]
    began, waited = time.perf_counter(), seconds_waited()
    fastest = _fastest(ways, config, weights, device)
    waited = seconds_waited() - waited
    if is_native and waited > BUSY * (time.perf_counter() - began):
        return ways[-1]
    _remember(known | {key: fastest})
    return fastest


def _key(ways: Sequence[Tuning], config: GPTConfig, device: str) -> str:
    """What the speed depends on, in words."""
    names = sorted({way.precision for way in ways})
    if names == [NATIVE]:
        place = compiling.file().stem
    else:
        from mgpt_tui.inference.decoders.in_torch.making import place_of

        place = place_of(device)
    return (
        f"{config.n_layer} x {config.n_embd}, {config.n_head} heads, context {config.block_size}, "
        f"{config.vocab_size} entries, {', '.join(names)}, {cores()} cores, {place}"
    )


def _known() -> dict[str, Tuning]:
    """The choices that are remembered; none where the file is missing or damaged."""
    try:
        content = read_json(choice_file())
        if content["format"] != FORMAT:
            return {}
        return {key: Tuning(**value) for key, value in content["choices"].items()}
    except (UserError, KeyError, TypeError, AttributeError):
        return {}


def _remember(choices: dict[str, Tuning]) -> None:
    content = {
        "format": FORMAT,
        "choices": {key: asdict(choice) for key, choice in choices.items()},
    }
    try:
        atomic_write(choice_file(), json.dumps(content, indent=2) + "\n")
    except UserError:  # a cache that cannot be written costs a moment next time
        return


def _fastest(ways: Sequence[Tuning], config: GPTConfig, weights: Weights, device: str) -> Tuning:
    """All of them in turn, several times; the median time of a token counts."""
    names = {way.precision for way in ways}
    decoders = {name: decoder_in(name, config, weights, device) for name in names}
    caches = {name: _half_full(decoder) for name, decoder in decoders.items()}
    times: dict[Tuning, list[float]] = {way: [] for way in ways}
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for way, taken in times.items():
            decoder = decoders[way.precision]
            decoder.threads = way.threads
            taken += _seconds(decoder, caches[way.precision])
        if time.perf_counter() - began > LONGEST:
            break
    return min(times, key=lambda way: statistics.median(times[way]))


def _half_full(decoder: FastDecoder[Any]) -> Cache:
    """A cache with half a window in it."""
    cache: Cache = decoder.new_cache(1)
    decoder.take(np.zeros((1, decoder.config.block_size // 2), np.int64), cache)
    return cache


def _seconds(decoder: FastDecoder[Any], cache: Cache) -> list[float]:
    """The times of some tokens, each read after what the cache holds, which stays as it is."""
    token, held, times = np.zeros((1, 1), np.int64), cache.length, []
    for _ in range(STEPS):
        began = time.perf_counter()
        decoder.read(token, cache)
        times.append(time.perf_counter() - began)
        cache.truncate(held)
    return times
