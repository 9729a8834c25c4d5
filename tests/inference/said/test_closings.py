"""A story that is to go on does not say that it ends, either."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer

TEXT = "The The end. The moral happily ever after. In the end the fox was happy."


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A model that has the words of such endings, as tokens."""
    gpt2 = Tokenizer.gpt2()
    tokenizer = gpt2.trimmed(dict.fromkeys(gpt2.encode(TEXT), 1), 257 + 200)
    config = replace(SHAPES["tiny"], vocab_size=tokenizer.vocab_size)
    return Engine(PlainDecoder(GPT(config)), tokenizer)


@pytest.mark.parametrize(
    ("settings", "story", "closing"),
    [
        (SamplingSettings(), "A fox. The", None),
        (SamplingSettings(ignore_end=True), "A fox. The", {" end", " moral"}),
        (SamplingSettings(end_after=4), "A fox. The", {" end", " moral"}),
        (SamplingSettings(end_after=3), "A fox. The", None),
        (SamplingSettings(ignore_end=True), "A fox.\nThe", {" end", " moral"}),
        (SamplingSettings(ignore_end=True), "They lived happily", {" ever"}),
        (SamplingSettings(ignore_end=True), "In the", set()),
    ],
)
def test_what_would_close_a_story_is_held_back_with_its_end(
    engine: Engine, settings: SamplingSettings, story: str, closing: set[str] | None
) -> None:
    tokenizer = engine.tokenizer
    logits = np.zeros(tokenizer.vocab_size, np.float32)
    bias = engine.rules(settings).filters(logits, engine.encode([story]))[2]
    held = {token for token, value in bias.items() if value == -np.inf}
    expected = set() if closing is None else {tokenizer.end_token}
    assert held == expected | {tokenizer.one_token(word) for word in closing or ()}
