"""A text for a fixed prompt and seed, so that one sees a model learn to write."""

from __future__ import annotations

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import clean_text
from training.metrics import Sample

SEED = 1
"""The same at every evaluation: what changes from sample to sample is the model."""


def write_sample(model: GPT, tokenizer: Tokenizer, prompt: str, tokens: int) -> Sample:
    """What `model` writes after `prompt`, at the app's default temperature.

    The engine draws by counter, from no generator of torch's, and the model stays on its device
    and in its mode, so a training run goes on as if nothing had been written.

    Args:
        prompt: any text; empty for a story from its beginning.
        tokens: the most to write, 1 or more.

    Raises:
        UserError: where the model's scores are no numbers.
    """
    was_training = model.training
    try:
        engine = Engine(PlainDecoder(model), tokenizer)
        settings = SamplingSettings(max_tokens=tokens, seed=SEED, finish_sentence=False)
        read = tuple(tokenizer.encode(prompt))  # as tokens, no word of it is held back
        text = "".join(chunk.text for chunk in engine.stream([read], settings))
    finally:
        model.train(was_training)
    return Sample(clean_text(prompt), text)
