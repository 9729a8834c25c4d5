"""`metrics.jsonl`: one JSON object a line for every logged step and evaluation of a run.

Read without torch. Keys that an older version did not write may be missing; a line that is
damaged is left out.
"""

from __future__ import annotations

import json
import math
import os
from io import FileIO
from pathlib import Path
from typing import Any, get_type_hints, overload

from mgpt_tui.files import atomic_write, open_own, os_error
from mgpt_tui.reading import MissingFile, checked, read_bytes
from mgpt_tui.text import clean_text
from training.metrics import STEP_FIELDS, Evaluation, Sample, Score, StepMetrics

METRICS_FILE = "metrics.jsonl"
DIGITS = {"tokens_per_second": 1, "passes": 4, "seconds": 3, "mfu": 5}
"""What is rounded in the log; losses are written in full, so that runs can be compared."""
LARGEST_LOG = 2**30
"""Bytes: two million steps."""
LARGEST = 1e39
"""No figure of a training in 32 bits is beyond it."""
STEP_TYPES = {name: get_type_hints(StepMetrics)[name] for name in STEP_FIELDS}
UNTOLD = {int: 0, float: math.nan}
"""What stands for a figure that the log does not tell, unless it may be None."""


class RunLog:
    """Appends metrics to a file; each line is written whole.

    Args:
        folder: of the run.
        step: steps done so far. Lines beyond it come from a run that was killed after its last
            checkpoint; those steps are about to be done again, so they are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / METRICS_FILE
        kept = [
            json.dumps(record) + "\n" for record in read_metrics(folder) if record["step"] <= step
        ]
        atomic_write(self._path, "".join(kept))
        try:
            self._stream = FileIO(open_own(self._path, os.O_WRONLY | os.O_APPEND), "ab")
        except OSError as error:
            raise os_error(error, self._path) from error

    def write(self, metrics: StepMetrics) -> None:
        """Append one step.

        Raises:
            UserError: where the device is full.
        """
        line = (json.dumps(to_record(metrics)) + "\n").encode()
        try:
            while line:  # a device that is nearly full takes a part
                line = line[self._stream.write(line) :]
        except OSError as error:
            raise os_error(error, self._path) from error
        if metrics.evaluation is not None:
            self.sync()

    def sync(self) -> None:
        """Let all lines outlast a power cut, before a checkpoint is written that follows them.

        Raises:
            UserError: where the device is full or broken.
        """
        try:
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise os_error(error, self._path) from error

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def to_record(metrics: StepMetrics) -> dict[str, Any]:
    """A step as it stands in the log; what is no finite number is null, as JSON has it."""
    record: dict[str, Any] = {}
    for name in STEP_FIELDS:
        value = getattr(metrics, name)
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        if value is not None and name in DIGITS:
            value = round(value, DIGITS[name])
        record[name] = value
    if metrics.evaluation is not None:
        evaluation = metrics.evaluation
        record["train_loss"] = evaluation.train_loss
        record["best"] = evaluation.best
        record["validation"] = evaluation.validation.to_dict()
        if evaluation.sample is not None:
            sample = evaluation.sample
            record["sample"] = {"prompt": sample.prompt, "text": sample.text}
    return record


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The records of a run so far, None for what is no finite number.

    A line cut short by a crash is left out.

    Raises:
        UserError: where the log is no file that can be read.
    """
    records = []
    try:
        content = read_bytes(folder / METRICS_FILE, LARGEST_LOG)
    except MissingFile:
        return []
    for line in content.decode(errors="replace").split("\n"):
        try:
            record = checked(json.loads(line, parse_constant=_no_number, parse_float=_finite))
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("step"), int):
            records.append(record)
    return records


def _no_number(name: str) -> None:
    """NaN and the infinities, which JSON does not have, though many programs write them."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def read_history(folder: Path) -> list[StepMetrics]:
    """The logged steps of a run so far, in order; records that make no sense are left out."""
    steps = (_from_record(record, folder) for record in read_metrics(folder))
    return [metrics for metrics in steps if metrics is not None]


def _from_record(record: dict[str, Any], folder: Path) -> StepMetrics | None:
    """The inverse of `to_record`, for whatever a file may hold."""
    if _number(record, "loss") is None or not 0 < record["step"] < 2**53:
        return None
    figures: dict[str, Any] = {}
    for name, kind in STEP_TYPES.items():
        is_whole = kind in (int, int | None)
        value = _whole(record, name) if is_whole else _number(record, name)
        figures[name] = UNTOLD.get(kind) if value is None else value
    figures["step"] = step = record["step"]
    return StepMetrics(**figures, evaluation=_evaluation(record, folder / f"step-{step:08d}"))


def _evaluation(record: dict[str, Any], checkpoint: Path) -> Evaluation | None:
    score = record.get("validation")
    if not isinstance(score, dict):
        return None
    loss, tokens, size = _number(score, "loss"), _whole(score, "tokens"), _whole(score, "bytes")
    if loss is None or tokens is None or size is None or min(tokens, size) < 1:
        return None
    return Evaluation(
        train_loss=_number(record, "train_loss", math.nan),
        validation=Score(loss, tokens, size),
        best=record.get("best") is True,
        checkpoint=checkpoint,
        sample=_sample(record.get("sample")),
    )


def _sample(content: Any) -> Sample | None:
    if not isinstance(content, dict):
        return None
    prompt, text = content.get("prompt"), content.get("text")
    if not isinstance(prompt, str) or not isinstance(text, str):
        return None
    return Sample(clean_text(prompt), clean_text(text))


@overload
def _number(record: dict[str, Any], name: str, default: float) -> float: ...
@overload
def _number(record: dict[str, Any], name: str) -> float | None: ...
def _number(record: dict[str, Any], name: str, default: float | None = None) -> float | None:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value) if abs(value) < LARGEST else default


def _whole(record: dict[str, Any], name: str) -> int | None:
    value = _number(record, name)
    return None if value is None else int(value)
