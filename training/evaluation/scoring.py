"""How well the readable model predicts held-out stories: loss, perplexity, bits per byte."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mgpt_tui.model.gpt import GPT
from training.evaluation.held_out import BATCH_TOKENS, ScoredStory, batches, scores
from training.metrics import Score, together
from training.step.loss import token_losses

GPU_BATCH_TOKENS = 2**16
"""Tokens that go through the model at once on a GPU, which is idle with fewer."""


def score(model: GPT, end_token: int, stories: Sequence[ScoredStory]) -> Score:
    """The score of all stories together; see `score_each`."""
    return together(score_each(model, end_token, stories))


@torch.inference_mode()
def score_each(model: GPT, end_token: int, stories: Sequence[ScoredStory]) -> list[Score]:
    """Score each story from its own beginning, given <|endoftext|>, every token once.

    Windows of like length are batched; the model is left in the mode it was in.
    """
    device = model.token_embedding.weight.device
    most = GPU_BATCH_TOKENS if device.type == "cuda" else BATCH_TOKENS
    was_training = model.training
    model.eval()
    total = torch.zeros(len(stories), dtype=torch.float64)
    for batch in batches(stories, end_token, model.config, most):
        hidden = model.hidden(torch.from_numpy(batch.inputs).to(device))
        keep = torch.from_numpy(batch.counted)
        targets = torch.from_numpy(batch.targets).to(device)
        on_device = keep.to(device)
        losses = token_losses(hidden[on_device], model.head_weight, targets[on_device])
        of_story = torch.tensor(batch.stories)[keep.nonzero()[:, 0]]
        total.index_add_(0, of_story, losses.to("cpu", torch.float64))
    model.train(was_training)
    return scores(stories, total.tolist())
