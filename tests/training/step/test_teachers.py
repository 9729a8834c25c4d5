"""The loss that follows teachers, against the plain formula."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.model.gpt import GPT
from tests.training.step.test_loss import Largest
from training.config import TeachingSettings
from training.step import loss as module
from training.step.loss import ROWS, TrainingLoss, linear_cross_entropy
from training.step.teachers import Teacher, Teachers

ENTRIES = 300
SHAPE = replace(SHAPES["tiny"], vocab_size=ENTRIES, block_size=64)
WIDTHS = (16, 32)
"""Of two teachers."""


def teachers_of(dtype=torch.float32, **settings):
    """Two random teachers, their weights large enough to have opinions."""
    models = []
    for seed, width in enumerate(WIDTHS):
        model = GPT(replace(SHAPE, n_embd=width), torch.Generator().manual_seed(seed))
        for weight in model.parameters():
            weight.data *= 8
        models.append(Teacher(f"teacher-{seed}", f"{seed}", model))
    return Teachers(models, TeachingSettings(**settings), torch.device("cpu"), dtype)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    rows = 34 * 64  # more than two chunks
    assert rows > 2 * ROWS
    hidden = torch.randn(rows, 24, generator=generator)
    weight = torch.randn(ENTRIES, 24, generator=generator)
    tokens = torch.randint(ENTRIES, (2, 34, 64), generator=generator)
    return hidden, weight, tokens[0], tokens[1].flatten()


def plain(hidden, weight, inputs, targets, teachers, share, temperature=1.0):
    """-(q . log softmax(z)), q = (1 - share) onehot(y) + share mean softmax(t / temperature)."""
    believed = [model.double()(inputs).flatten(0, 1) / temperature for model in teachers.models]
    mean = sum(torch.softmax(logits, -1) for logits in believed) / len(believed)
    wanted = share * mean + (1 - share) * F.one_hot(targets, ENTRIES)
    return -(wanted * torch.log_softmax(hidden @ weight.T, -1)).sum(-1).mean()


def agree(batch, near, dtype=torch.float32, **settings):
    hidden, weight, inputs, targets = batch
    teachers = teachers_of(dtype, **settings)
    ours = [tensor.to(dtype).requires_grad_() for tensor in (hidden, weight)]
    theirs = [tensor.detach().double().requires_grad_() for tensor in ours]
    loss = linear_cross_entropy(*ours, targets, teachers.lesson(inputs))
    given = settings.get("teacher_share", 0.8), settings.get("teacher_temperature", 1.0)
    expected = plain(*theirs, inputs, targets, teachers, *given)
    (3 * loss).backward()
    (3 * expected).backward()
    torch.testing.assert_close(loss.double(), expected, **near)
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad.double(), other.grad, **near)


@pytest.mark.parametrize("piece", [module.PIECE, 1000])
@pytest.mark.parametrize(("share", "temperature"), [(0.8, 1.0), (1.0, 2.0), (0.0, 1.0)])
def test_loss_and_gradients_equal_the_plain_formula(batch, piece, share, temperature, monkeypatch):
    monkeypatch.setattr(module, "PIECE", piece)
    near = {"atol": 1e-6, "rtol": 1e-4}
    agree(batch, near, teacher_share=share, teacher_temperature=temperature)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gpus_form_with_a_vocabulary_that_is_filled_up(batch, dtype, monkeypatch):
    monkeypatch.setattr(module, "_sizes", lambda device, entries: (1500, module._aligned(entries)))
    exact = dtype == torch.float32
    near = {"atol": 1e-6, "rtol": 1e-4} if exact else {"atol": 2e-2, "rtol": 0.1}
    agree(batch, near, dtype)


def test_there_is_never_a_tensor_of_all_logits(batch):
    hidden, weight, inputs, targets = batch
    teachers = teachers_of()
    with Largest() as largest:
        lesson = teachers.lesson(inputs)
    widest = largest.numel  # the teachers' own activations
    with Largest() as largest:
        loss = linear_cross_entropy(
            hidden.requires_grad_(), weight.requires_grad_(), targets, lesson
        )
        loss.backward()
    assert largest.numel == ROWS * ENTRIES
    assert widest < 34 * 64 * 4 * max(WIDTHS) + 1


def test_teachers_neither_learn_nor_draw():
    teachers = teachers_of()
    model = GPT(SHAPE, torch.Generator().manual_seed(9))
    subject, inputs = TrainingLoss(model, teachers), torch.arange(60).view(2, 30)
    before, random = [model.state_dict() for model in teachers.models], torch.get_rng_state()
    subject(inputs, inputs).backward()
    assert torch.equal(torch.get_rng_state(), random)
    assert {name for name, _ in subject.named_parameters()} == {
        f"model.{name}" for name, _ in model.named_parameters()
    }
    for teacher, state in zip(teachers.models, before, strict=True):
        assert all(weight.grad is None for weight in teacher.parameters())
        for name, weight in teacher.state_dict().items():
            assert torch.equal(weight, state[name])


def test_a_teachers_own_head_counts():
    """Whether or not it is the token embedding."""
    config = GPTConfig(
        vocab_size=ENTRIES, block_size=8, n_layer=1, n_head=2, n_embd=16, tied_head=False
    )
    model = GPT(config, torch.Generator().manual_seed(0)).eval()
    settings = TeachingSettings(teacher_share=1.0)
    teachers = Teachers([Teacher("one", "", model)], settings, torch.device("cpu"), torch.float32)
    inputs = torch.arange(8)[None]
    wanted = teachers.lesson(inputs).wanted(slice(0, 8), inputs.view(-1, 1))
    torch.testing.assert_close(wanted, torch.softmax(model(inputs)[0], -1))
