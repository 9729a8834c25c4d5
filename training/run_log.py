"""`metrics.jsonl`: one JSON object a line for every logged step and evaluation of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mgpt_tui.files import atomic_write
from training.metrics import StepMetrics

METRICS_FILE = "metrics.jsonl"


class RunLog:
    """Appends metrics to a file; each line is written whole.

    Args:
        folder: of the run.
        step: steps done so far. Lines beyond it come from a run that was killed after its last
            checkpoint; those steps are about to be done again, so they are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / METRICS_FILE
        kept = [
            json.dumps(record) + "\n" for record in read_metrics(folder) if record["step"] <= step
        ]
        atomic_write(path, "".join(kept))
        self._stream = path.open("a", encoding="utf-8", buffering=1)

    def write(self, metrics: StepMetrics) -> None:
        """Append one step."""
        record: dict[str, Any] = {
            "step": metrics.step,
            "loss": metrics.loss,
            "learning_rate": metrics.learning_rate,
            "grad_norm": metrics.grad_norm,
            "tokens": metrics.tokens,
            "tokens_per_second": round(metrics.tokens_per_second, 1),
            "passes": round(metrics.passes, 4),
        }
        if metrics.evaluation is not None:
            evaluation = metrics.evaluation
            record["train_loss"] = evaluation.train_loss
            record["best"] = evaluation.best
            record["validation"] = evaluation.validation.to_dict()
        self._stream.write(json.dumps(record) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The records of a run so far; a line cut short by a crash is left out."""
    records = []
    try:
        lines = (folder / METRICS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int):
            records.append(record)
    return records
