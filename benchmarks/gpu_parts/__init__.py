"""The parts of `benchmarks/gpu.py`, a module each; each runs in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu_parts.job import Job


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark.

    Attributes:
        share: of the time that all parts have.
        title: what it is about.
        module: that has its `run(job)`.
    """

    share: float
    title: str
    module: str

    def run(self, job: Job) -> None:
        """Do it in this process; what is found is told as it comes."""
        import_module(f"gpu_parts.{self.module}").run(job)


PARTS = {
    "numbers": Part(0.7, "the same numbers as on the CPU", "agreement"),
    "steps": Part(2.5, "training steps: exact, resumed, overflowing, compiled", "steps"),
    "processes": Part(1.8, "torchrun, NCCL, kill and resume", "processes"),
    "training-storyteller": Part(5, "speed of training, storyteller", "training"),
    "training-small": Part(5, "speed of training, small", "training"),
    "decoding": Part(2, "decoding: correct, and how fast", "decoding"),
    "story": Part(0, "a real training", "story"),
}
"""By name, in their order. The share of `story` is told apart: it may take half as long again."""
