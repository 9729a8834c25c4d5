"""`metrics.jsonl`: one JSON object a line for every logged step and evaluation of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.trainer import StepMetrics


class RunLog:
    """Appends metrics to a file; each line is written whole."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stream = (folder / "metrics.jsonl").open("a", encoding="utf-8", buffering=1)

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
