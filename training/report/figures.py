"""What each figure of a run means in plain words, and how it is written: declared once.

The live view, the plain lines, `mgpt-tui runs` and docs/ take labels and words from here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mgpt_tui.text import shortened
from training.metrics import STEP_FIELDS

UNKNOWN = "–"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 0:39:10."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def size(number: float) -> str:
    """Bytes: 2.3 GB, 369 MB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 999.5 or unit == "TB":
            break
        number /= 1000
    fine = number < 9.95 and unit != "bytes"
    return f"{number:.{int(fine)}f} {unit}"


def percent(share: float) -> str:
    """A share of 1."""
    return f"{100 * share:.1f} %"


def whole(number: float) -> str:
    """A whole number in full: 1,234."""
    return f"{number:,.0f}"


def power(number: float) -> str:
    """A very small or large number: 2.8e-4, 1.0e9."""
    mantissa, exponent = f"{number:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def digits(pattern: str) -> Callable[[float], str]:
    """What writes numbers by a pattern of `format`, and very large ones as powers."""
    return lambda number: format(number, pattern) if abs(number) < 1e6 else power(number)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that is shown of a run.

    Attributes:
        name: its key here and, where it is logged, in `metrics.jsonl`.
        label: what stands beside it.
        words: what it means, as one would tell a friend; no closing full stop.
        write: makes text of its value.
    """

    name: str
    label: str
    words: str
    write: Callable[[float], str] = whole


FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        Figure("step", "step", "one batch read and all weights moved a little, so as to do better"),
        Figure("time_left", "left", "how long the rest will take at the present pace", duration),
        Figure(
            "loss",
            "loss",
            "how much the next token of the training text surprises the model, in nats; it should "
            "fall (smoothed over some 20 steps)",
            digits(".4f"),
        ),
        Figure(
            "learning_rate",
            "learning rate",
            "how far a step may move the weights; it rises at first, then falls",
            power,
        ),
        Figure(
            "tokens_per_second",
            "tokens/s",
            "how many tokens of text are read in a second; a token is a piece of a word",
        ),
        Figure(
            "memory",
            "memory",
            "what the training takes up now and (in brackets) took up at most",
            size,
        ),
        Figure(
            "mfu",
            "MFU",
            "model FLOPs utilisation: the share of the machine's top speed that goes into the "
            "model's arithmetic",
            percent,
        ),
        Figure(
            "grad_norm",
            "gradient norm",
            "how strongly the batch pulls at the weights; a sudden jump means trouble",
            digits(".2f"),
        ),
        Figure("tokens", "tokens", "how many tokens have been read so far", shortened),
        Figure(
            "passes", "passes", "how often the whole training text has been read", digits(",.1f")
        ),
        Figure(
            "train_loss",
            "train loss",
            "mean loss on training text since the last evaluation",
            digits(".4f"),
        ),
        Figure(
            "val_loss",
            "val loss",
            "loss on held-out stories, never trained on; where it rises while the train loss "
            "falls, the model learns by heart",
            digits(".4f"),
        ),
        Figure(
            "change", "change", "val loss now less val loss at the last evaluation", digits("+.4f")
        ),
        Figure(
            "perplexity",
            "perplexity",
            "among how many equally likely tokens the model seems to waver, on held-out stories",
            digits(",.2f"),
        ),
        Figure(
            "bits_per_byte",
            "bits/byte",
            "bits that the model needs for a byte of held-out text; it compares models with "
            "different vocabularies",
            digits(".4f"),
        ),
        Figure("best", "best", "the lowest val loss of the run; its checkpoint is kept"),
        Figure(
            "sample",
            "sample",
            "what the model writes by now; prompt and seed are the same each time",
        ),
        Figure(
            "state",
            "state",
            "running: a process trains it now; finished: it did its steps or ended early; "
            "stopped: it can go on with --resume",
        ),
        Figure(
            "seconds",
            "trained",
            "time spent on steps; evaluations and pauses do not count",
            duration,
        ),
        Figure(
            "last_written", "last written", "when the run's log or a checkpoint was last written"
        ),
        Figure("bytes", "on disk", "what its folder takes up, checkpoints included", size),
        Figure("completions", "completions", "stories that it wrote, each from a given beginning"),
        Figure(
            "ended",
            "ended",
            "share of them that came to an end by themselves within the length given",
            percent,
        ),
        Figure(
            "median_tokens",
            "median length",
            "tokens that the model added, of the completion in the middle",
            digits(".0f"),
        ),
        Figure(
            "repetitive",
            "repetitive",
            "share of stories that say some four words (marks count) more than four times",
            percent,
        ),
        Figure(
            "distinct_2",
            "distinct pairs",
            "different pairs of words by all pairs of words (distinct-2); the lower, the more "
            "alike all texts are; more text has less of it",
            percent,
        ),
        Figure(
            "distinct_4",
            "distinct fours",
            "the same with four words in a row (distinct-4)",
            percent,
        ),
        Figure(
            "self_similarity",
            "self-similarity",
            "mean of each text's largest ROUGE-2 with another: 0 no pair of words in common, 1 "
            "all; high where every story is the same",
            digits(".3f"),
        ),
        Figure(
            "longest_shared",
            "longest shared",
            "most words in a row that a completion has in common with a story of the training text",
        ),
        Figure(
            "median_shared",
            "median shared",
            "the same for the completion in the middle",
            digits(".1f"),
        ),
        Figure(
            "known_share",
            "known fives",
            "share of the completions' runs of five words that stand in the training text",
            percent,
        ),
    )
}

OF_SCORES = ("val_loss", "perplexity", "bits_per_byte")
"""What `mgpt-tui eval` tells of held-out stories."""
OF_WRITING = (
    "completions",
    "ended",
    "median_tokens",
    "repetitive",
    "distinct_2",
    "distinct_4",
    "self_similarity",
    "longest_shared",
    "median_shared",
    "known_share",
)
"""What `mgpt-tui eval` tells of stories that a model wrote."""

OF_EVALUATIONS = ("step", "train_loss", "val_loss", "change", "perplexity", "bits_per_byte", "best")
"""The columns of the table of evaluations."""
OF_RUNS = ("state", "step", "bits_per_byte", "tokens", "seconds", "last_written", "bytes")
"""The columns of the list of runs."""
OF_TRAINING = tuple(
    name
    for name in FIGURES
    if name not in ("state", "seconds", "last_written", "bytes", *OF_WRITING)
)
"""What is shown of one run, in this order."""
OF_STEPS = tuple(
    name for name in OF_TRAINING if name in (*STEP_FIELDS, "memory") and name != "step"
)
"""What is shown of its latest steps, the most telling first."""


def label(name: str) -> str:
    """What stands beside a figure."""
    return FIGURES[name].label


def written(name: str, value: float | None) -> str:
    """A figure's value as text; a dash where it is not known."""
    return UNKNOWN if value is None or not math.isfinite(value) else FIGURES[name].write(value)
