"""What `prepare` is asked for, and how it says how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.model.tokenizer import GPT2_VOCABULARY, SMALLEST_VOCABULARY
from mgpt_tui.settings_fields import setting, validate


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig:
    """What to prepare, and where to put it.

    Attributes:
        sources: files, folders or names of data sets to learn from.
        out: the folder to make.
        val: the source of the held-out stories; None takes `val_fraction` of the others.
        overwrite: replace prepared data at `out`.

    Raises:
        UserError: where a value is out of range.
    """

    sources: tuple[str, ...]
    out: Path
    val: str | None = None
    overwrite: bool = False
    val_fraction: float = setting(
        0.01, "share of the stories to hold out, without --val", minimum=0.0001, maximum=0.9
    )
    tokenizer: str = setting("gpt2", "vocabulary: gpt2, or the name of the model to fine-tune")
    vocab_size: int | None = setting(
        None,
        "trim the vocabulary to N entries, those that the stories use most",
        minimum=SMALLEST_VOCABULARY,
        maximum=GPT2_VOCABULARY,
    )
    text_column: str | None = setting(
        None, "column that holds the stories [default: text, or the only one with text]"
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True)
class PrepareProgress:
    """How far a preparation has come.

    Attributes:
        stage: "encoding stories", "counting tokens" or "writing tokens".
        stories: how many this stage has been through.
        done: bytes of the sources that it has been through; characters of data sets on the hub.
        total: bytes to go through in this stage, or None where that is not known.
        kept: how much of `done` an earlier try, which was stopped, had done.
    """

    stage: str
    stories: int
    done: int
    total: int | None
    kept: int = 0
