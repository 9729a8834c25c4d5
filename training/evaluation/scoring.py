"""How well the readable model predicts held-out stories: loss, perplexity, bits per byte."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mgpt_tui.model.gpt import GPT
from training.evaluation.held_out import BATCH_TOKENS, ScoredStory, batches
from training.metrics import Score
from training.step.loss import token_losses

GPU_BATCH_TOKENS = 2**16
"""Tokens that go through the model at once on a GPU, which is idle with fewer."""


@torch.inference_mode()
def score(model: GPT, end_token: int, stories: Sequence[ScoredStory]) -> Score:
    """Score each story from its own beginning, given <|endoftext|>, every token once.

    Windows of like length are batched; the model is left in the mode it was in.
    """
    device = model.token_embedding.weight.device
    most = GPU_BATCH_TOKENS if device.type == "cuda" else BATCH_TOKENS
    was_training = model.training
    model.eval()
    loss, tokens = 0.0, 0
    for batch in batches(stories, end_token, model.config, most):
        hidden = model.hidden(torch.from_numpy(batch.inputs).to(device))
        keep = torch.from_numpy(batch.counted).to(device)
        targets = torch.from_numpy(batch.targets).to(device)
        losses = token_losses(hidden[keep], model.head_weight, targets[keep])
        loss += float(losses.double().sum())
        tokens += int(batch.counted.sum())
    model.train(was_training)
    return Score(loss / max(1, tokens), tokens, sum(story.bytes for story in stories))
