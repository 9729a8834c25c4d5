"""From a cold process to its first token."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

# Without a prompt, the first byte is the first token's.
OURS = [sys.executable, "-m", "mgpt_tui", "generate", "--prompt", "", "--max-tokens", "3"]
TORCH = [sys.executable, "-c", "import torch; print(1)"]
LLAMA_CPP = [sys.executable, str(Path(__file__).parents[1] / "llama_cpp_peer.py")]


def to_first_output(command: list[str], environment: dict[str, str]) -> float:
    """Seconds from the start of a process to the first byte that it prints."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        took = time.perf_counter() - began
        process.stdout.read()
    assert process.returncode == 0, f"{command} failed"
    return took


def cold(rounds: int, environment: dict[str, str], gguf: Path | None) -> dict[str, float]:
    """Seconds to the first token, in turn, and to the end of `import torch`.

    Args:
        gguf: the same weights for llama.cpp, which tells its first token through its Python
            binding; left out where there is None.
    """
    commands = {"torch": TORCH, "ours": [*OURS, "--seed", "1"]}
    if gguf is not None:
        commands["llama_cpp"] = [*LLAMA_CPP, str(gguf)]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):  # the first round warms the disk's cache
        for name, command in commands.items():
            times[name].append(to_first_output(command, environment))
    medians = {name: statistics.median(taken[1:]) for name, taken in times.items()}
    ratios = {
        f"ours_to_{name}": medians["ours"] / taken
        for name, taken in medians.items()
        if name != "ours"
    }
    return {name: round(number, 3) for name, number in (medians | ratios).items()}
