"""What commands read: a beginning, and the model that a story is of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import ModelEntry, find_model
from mgpt_tui.text import clean_text

if TYPE_CHECKING:
    from mgpt_tui.stories.story import Story


def read_prompt(prompt: str | None) -> str:
    """The prompt from the option or from standard input, cleaned.

    Raises:
        UserError: where standard input is closed or not UTF-8.
    """
    if prompt is not None and prompt != "-":
        return clean_text(prompt)
    if prompt is None and (sys.stdin is None or sys.stdin.isatty()):
        return ""
    if sys.stdin is None:
        raise UserError("Standard input is closed: no prompt is on it.", "Give --prompt TEXT.")
    content = sys.stdin.buffer.read()
    try:
        text = content.decode("utf-8-sig")  # some shells put a byte order mark in front
    except UnicodeDecodeError as error:
        raise UserError(
            f"The prompt on standard input is not UTF-8 (byte {error.start + 1}).",
            "Convert it first, for example with `iconv -f latin1 -t utf-8`.",
        ) from None
    return clean_text(text).removesuffix("\n")  # the one that `echo` adds


def model_for(story: Story, name: str | None) -> ModelEntry:
    """The model that was asked for, the one that wrote last, or the embedded one."""
    if name is not None:
        return find_model(name)
    wrote = [span.model for span in story.spans if span.tokens and span.model]
    try:
        return find_model(wrote[-1] if wrote else None)
    except UserError:  # it is gone
        return find_model(None)
