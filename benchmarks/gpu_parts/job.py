"""What a part is to do, and how it tells what it found."""

from __future__ import annotations

import gc
import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

LAST_LINES = 6


@dataclass(slots=True)
class Job:
    """The work of one process.

    Attributes:
        part: its name.
        device: to run on; on a CPU all is small.
        minutes: asked for, for all parts together.
        seconds: this part has.
        data: prepared stories, if any were given.
        out: where the result lies.
        scratch: for what nobody needs afterwards.
    """

    part: str
    device: torch.device
    minutes: float
    seconds: float
    data: Path | None
    out: Path
    scratch: Path
    failed: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def on_gpu(self) -> bool:
        """Whether this is the real thing."""
        return self.device.type == "cuda"

    @property
    def thorough(self) -> bool:
        """Whether a CPU compiles with a compiler, and what costs time is not left out."""
        return self.on_gpu or self.minutes >= 3

    def has_time(self, seconds: float) -> bool:
        """Whether something that takes so long can still be done; a CPU does all there is."""
        return not self.on_gpu or time.monotonic() - self.began + seconds < self.seconds

    def tell(self, name: str, **figures: Any) -> None:
        """Pass on what was found, at once."""
        print(json.dumps({name: figures}), flush=True)

    def check(self, name: str, function: Callable[[Job], dict[str, Any]]) -> None:
        """Do one thing, and tell how it went; what fails does not keep the next from its turn."""
        began = time.monotonic()
        try:
            figures = {"ok": True} | function(self)
        except Skipped as reason:
            figures = {"skipped": str(reason)}
        except Exception as error:
            self.failed = True
            figures = {"ok": False, "error": last_lines(error)}
        self.tell(name, **figures, seconds=round(time.monotonic() - began, 2))
        tidy(self.device)


class Skipped(Exception):
    """Why something was not done, where that is no failure."""


def last_lines(error: BaseException) -> str:
    """Where an error arose and what it says, in a few lines."""
    lines = "".join(traceback.format_exception(error)).strip().splitlines()
    return "\n".join(lines[-LAST_LINES:])


def tidy(device: torch.device) -> None:
    """Give back what the last piece of work held."""
    if "torch._dynamo" in sys.modules:  # it goes on without compiling after eight models
        torch._dynamo.reset()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def wait(device: torch.device) -> None:
    """Until the device has done all that was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """||found - expected|| / ||expected||, in fp64."""
    found, expected = found.detach().double().cpu(), expected.detach().double().cpu()
    assert found.isfinite().all(), "not all are finite"
    return float((found - expected).norm() / expected.norm().clamp(min=1e-30))


def within(figure: float, bound: float) -> float:
    """The figure, rounded.

    Raises:
        AssertionError: where it is beyond the bound.
    """
    assert figure <= bound, f"{figure:.3g} is beyond the bound of {bound:.3g}"
    return float(f"{figure:.3g}")
