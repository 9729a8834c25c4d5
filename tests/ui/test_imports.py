"""What the app loads: never torch, and what looks inside only once it is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.waiting import PATIENCE

LOOKS_INSIDE = (
    "mgpt_tui.inference.inspection.answers",
    "mgpt_tui.ui.screens.inside",
    "mgpt_tui.ui.screens.lessons",
)


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("mgpt_tui.ui.app", ("torch", "numpy", "datasets", "training", *LOOKS_INSIDE)),
        ("mgpt_tui.cli", ("torch", "textual", "datasets", "training")),
        ("mgpt_tui.cli.tui_command", ("torch", "textual", "datasets", "training")),
        ("mgpt_tui.stories.library", ("torch", "textual")),
    ],
)
def test_importing_loads_nothing_heavy(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {forbidden} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    assert done.stdout.split() == []
