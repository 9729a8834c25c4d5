"""Whether a device computes what the CPU does, in each precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gpu_parts.job import Job, apart, within
from gpu_parts.material import shape
from mgpt_tui.inference.decoders.in_torch.side_by_side import draw
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.sampling import filtered
from mgpt_tui.model.gpt import GPT, fused_attention, written_out_attention
from training.step.loss import TrainingLoss, linear_cross_entropy
from training.step.muon import BatchedMuon

BOUNDS = {torch.float32: 1e-4, torch.float16: 5e-3, torch.bfloat16: 3e-2}
"""Largest ||x - reference|| / ||reference|| for each dtype."""


def run(job: Job) -> None:
    """See `Part`."""
    job.check("logits", logits)
    job.check("attention", attention)
    job.check("loss", loss)
    job.check("loss to compile", plain_loss)
    job.check("Muon in batches", muon)
    job.check("draws", draws)


def logits(job: Job) -> dict[str, Any]:
    """Of both models in every dtype, against the CPU's in fp32."""
    found = {}
    for name in ("small", "storyteller"):
        config = shape(job, name)
        model = GPT(config, torch.Generator().manual_seed(0)).eval()
        tokens = _tokens(config.vocab_size, 4, config.block_size)
        with torch.no_grad():
            expected = model(tokens)
            model.to(job.device)
            for dtype, bound in BOUNDS.items():
                with torch.autocast(job.device.type, dtype, enabled=dtype != torch.float32):
                    own = model(tokens.to(job.device))
                found[f"{name}, {_word(dtype)}"] = within(apart(own, expected), bound)
    return found


def attention(job: Job) -> dict[str, Any]:
    """The written-out and the fused form, forward and backward."""
    found = {}
    heads, length = (6, 256) if job.on_gpu else (2, 32)
    for dtype, bound in BOUNDS.items():
        parts = [_numbers((2, heads, length, 64), seed).to(job.device, dtype) for seed in range(3)]
        results = []
        for fused in (False, True):
            q, k, v = own = [part.clone().requires_grad_() for part in parts]
            if fused:
                y = fused_attention(q, k, v, 0.0)
            else:
                y = written_out_attention(q, k, v, torch.nn.Dropout(0.0))[0]
            y.square().sum().backward()
            results.append([y, *(part.grad for part in own)])
        worst = max(apart(a, b) for a, b in zip(results[1], results[0], strict=True))
        found[_word(dtype)] = within(worst, bound)
    return found


def loss(job: Job) -> dict[str, Any]:
    """The loss with its own backward pass against `F.cross_entropy` in fp32."""
    found = {}
    for name in ("small", "storyteller"):
        config = shape(job, name)
        rows = 9000 if job.on_gpu else 1100  # more than one chunk of the large vocabulary
        hidden = _numbers((rows, config.n_embd), 1)
        weight = _numbers((config.vocab_size, config.n_embd), 2) * 0.2
        targets = _tokens(config.vocab_size, 1, rows)[0].to(job.device)
        for dtype, bound in BOUNDS.items():
            own = [x.clone().to(job.device, dtype).requires_grad_() for x in (hidden, weight)]
            plain = [x.detach().float().requires_grad_() for x in own]
            losses = (
                linear_cross_entropy(*own, targets),
                F.cross_entropy(plain[0] @ plain[1].T, targets),
            )
            for value in losses:
                (value * rows).backward()  # as large as fp16 can tell, as a scaler would have it
            pairs = [losses, *((a.grad, b.grad) for a, b in zip(own, plain, strict=True))]
            worst = max(apart(a, b) for a, b in pairs)
            found[f"{name}, {_word(dtype)}"] = within(worst, bound)
    return found


def plain_loss(job: Job) -> dict[str, Any]:
    """The expression that CUDA compiles against the loss in chunks: loss and all gradients."""
    found = {}
    for name in ("small", "storyteller"):
        config = shape(job, name)
        model = GPT(config, torch.Generator().manual_seed(0)).to(job.device)
        subject = TrainingLoss(model)
        tokens = _tokens(config.vocab_size, 8, config.block_size + 1).to(job.device)
        results = []
        for form in (subject.forward, subject.plain):
            model.zero_grad()
            form(tokens[:, :-1], tokens[:, 1:]).backward()
            results.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
        found[name] = within(apart(results[1], results[0]), 1e-4)
    return found


def muon(job: Job) -> dict[str, Any]:
    """Three steps of the batched form against torch's, as a share of what moved."""
    config = shape(job, "storyteller")
    moved = []
    for kind in (torch.optim.Muon, BatchedMuon):
        model = GPT(config, torch.Generator().manual_seed(0)).to(job.device)
        matrices = [weight for weight in model.blocks.parameters() if weight.dim() == 2]
        start = [weight.detach().clone() for weight in matrices]
        optimizer = kind(matrices, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
        for step in range(3):
            for index, weight in enumerate(matrices):
                weight.grad = _numbers(tuple(weight.shape), 100 * step + index).to(job.device)
            optimizer.step()
        moved.append(torch.cat([(w - s).flatten() for w, s in zip(matrices, start, strict=True)]))
    return {"apart": within(apart(moved[1], moved[0]), 0.03)}


def draws(job: Job) -> dict[str, Any]:
    """Tokens drawn on the device against those that the engine draws from the same scores."""
    scores = 3 * _numbers((200, 9984 if job.on_gpu else 320), 4)
    numbers = torch.rand(200, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    settings = SamplingSettings(temperature=0.8, top_k=50)
    pairs = zip(scores.numpy(), numbers.tolist(), strict=True)
    expected = np.array([filtered(row, settings, {}, ()).token(number) for row, number in pairs])
    found = draw(scores.to(job.device), numbers.to(job.device), 0.8, 50).cpu().numpy()
    same = int((found == expected).sum())
    assert same >= 199, f"{same} of 200 are the same"  # a sum in another order may move a border
    return {"same": same, "of": 200}


def _numbers(size: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def _tokens(entries: int, rows: int, length: int) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(entries, (rows, length), generator=generator)


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
