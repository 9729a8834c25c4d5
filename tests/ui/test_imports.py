"""The app's process never loads torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.waiting import PATIENCE


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("mgpt_tui.ui.app", ("torch", "datasets", "training")),
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
