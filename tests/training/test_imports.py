"""Training and decoding need no more packages than a machine with a GPU is likely to have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
NAMES = (
    *("textual", "plotext", "datasets", "pyarrow", "platformdirs"),
    *("hypothesis", "pytest", "llama_cpp", "gguf", "transformers"),
)
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
"""What is installed with mgpt-tui, but neither trains nor decodes."""


@pytest.mark.parametrize(
    "modules",
    [
        "training.launch, training.evaluation.scoring, training.evaluation.completions",
        "mgpt_tui.inference.loading, mgpt_tui.cli, mgpt_tui.cli.train_command",
        "mgpt_tui.cli.export_command, mgpt_tui.cli.eval_command, mgpt_tui.model.registry",
        "gpu, gpu_parts.agreement, gpu_parts.steps, gpu_parts.processes, gpu_parts.group",
        "gpu_parts.training, gpu_parts.decoding, gpu_parts.story",
    ],
)
def test_training_and_decoding_import_without_the_app_s_packages(modules: str) -> None:
    code = f"{WITHOUT.format(names=NAMES)}\nimport {modules}"
    code = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
