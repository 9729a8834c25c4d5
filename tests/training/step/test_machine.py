"""What the machine can give, and what a token costs."""

import ast
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mgpt_tui.model.config import SHAPES, GPTConfig
from mgpt_tui.model.gpt import GPT
from training.step import machine
from training.step.machine import choose_dtype, flops_per_token, memory_used, peak_flops

CPU = torch.device("cpu")


@pytest.mark.parametrize("bias", [False, True])
def test_flops_count_every_matrix_product_of_the_model(bias):
    config = GPTConfig(
        vocab_size=300, block_size=16, n_layer=3, n_head=2, n_embd=8, dropout=0.0, bias=bias
    )
    model = GPT(config, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        # The written-out attention counts as two products of (T, C) by (C, T), like the formula.
        model(torch.zeros(1, 16, dtype=torch.int64), fused=False).sum().backward()
    assert counter.get_total_flops() == 16 * flops_per_token(config)


def test_flops_of_the_small_preset():
    n = 6 * 12 * 384**2 + 50257 * 384
    assert flops_per_token(SHAPES["small"]) == 6 * n + 12 * 6 * 384 * 256


def test_the_peak_of_a_cpu_is_measured_once():
    machine.peak_flops.cache_clear()
    peak = peak_flops(CPU, torch.float32)
    assert 1e8 < peak < 1e15
    assert peak_flops(CPU, torch.float32) == peak


def test_a_product_that_is_held_up_does_not_lower_the_peak(monkeypatch):
    def seconds(dtype, device, shape, repeats):
        return 1.0 if shape[0] == 256 else 2 * shape[0] ** 3 / 1e12

    monkeypatch.setattr(machine, "_product_seconds", seconds)
    assert machine._measured_peak(CPU, torch.float32) == pytest.approx(1e12)


@pytest.mark.parametrize(
    ("name", "major", "dtype", "peak"),
    [
        ("NVIDIA H200", 9, torch.bfloat16, 989e12),
        ("NVIDIA H100 80GB HBM3", 9, torch.bfloat16, 989e12),
        ("NVIDIA H100 PCIe", 9, torch.float16, 756e12),
        ("NVIDIA A100-SXM4-40GB", 8, torch.bfloat16, 312e12),
        ("NVIDIA A100 80GB PCIe", 8, torch.bfloat16, 312e12),
        ("NVIDIA L40S", 8, torch.bfloat16, 362e12),
        ("NVIDIA L4", 8, torch.bfloat16, 121e12),
        ("NVIDIA GeForce RTX 4090", 8, torch.bfloat16, 165e12),
        ("Tesla T4", 7, torch.float16, 65e12),
        ("Tesla T4", 7, torch.bfloat16, 1.0),  # it emulates bf16
        ("NVIDIA GeForce RTX 4090 Laptop GPU", 8, torch.bfloat16, 1.0),
        ("NVIDIA H200 MIG 1g.18gb", 9, torch.bfloat16, 1.0),
        ("NVIDIA H200", 9, torch.float32, 1.0),
        ("Something New", 12, torch.bfloat16, 1.0),
    ],
)
def test_the_peak_of_a_gpu_is_the_published_one_where_it_is_known(
    monkeypatch, name, major, dtype, peak
):
    properties = SimpleNamespace(name=name, major=major)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(machine, "_measured_peak", lambda device, dtype: 1.0)
    machine.peak_flops.cache_clear()
    assert peak_flops(torch.device("cuda:0"), dtype) == peak
    machine.peak_flops.cache_clear()


HOLDING = """
import torch
from training.step.machine import memory_used
device = torch.device("cpu")
figures = [memory_used(device)]
held = bytearray(b"x") * 200_000_000
figures.append(memory_used(device))
del held
figures.append(memory_used(device))
print(figures)
"""


def test_memory_counts_what_the_process_holds():
    # In a process of its own: this one may hold free memory, and keep what it has freed.
    outcome = subprocess.run([sys.executable, "-c", HOLDING], capture_output=True, check=True)
    (before, _), (now, peak), (after, peak_after) = ast.literal_eval(outcome.stdout.decode())
    if before is None:
        pytest.skip("this system does not tell")
    assert now - before > 150_000_000
    assert now - after > 150_000_000
    assert min(peak, peak_after) > now - 10_000_000  # the kernel counts in strides


@pytest.mark.parametrize(
    ("times", "dtype", "asked"),
    [
        ({64: 100.0, 1024: 100.0}, torch.float32, [64]),  # emulated without AVX-512
        ({64: 2.0, 1024: 1.5}, torch.float32, [64, 1024]),
        ({64: 2.0, 1024: 0.3}, torch.bfloat16, [64, 1024]),  # few rows are no measure
        ({64: 0.5, 1024: 0.3}, torch.bfloat16, [64, 1024]),
    ],
)
def test_a_cpu_trains_in_what_is_faster_there(monkeypatch, times, dtype, asked):
    """`times` are those of bf16, in times of fp32, by rows."""
    measured = []

    monkeypatch.setattr(machine, "PATIENCE", 0)

    def seconds(kind, device, shape, repeats):
        measured.append(shape[0])
        return times[shape[0]] if kind == torch.bfloat16 else 1.0

    machine._bf16_is_faster.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(machine, "_product_seconds", seconds)
        assert choose_dtype("auto", CPU) == choose_dtype("auto", CPU) == dtype
    machine._bf16_is_faster.cache_clear()
    assert sorted(set(measured)) == asked


def test_what_is_held_up_for_a_moment_is_not_slower(monkeypatch):
    """The first ten products in bf16 wait for something else."""
    left = 10

    def seconds(kind, device, shape, repeats):
        nonlocal left
        left -= kind == torch.bfloat16
        if kind == torch.float32:
            return 1.0
        return 100.0 if left >= 0 else 0.5

    machine._bf16_is_faster.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(machine, "_product_seconds", seconds)
        patch.setattr(machine, "PATIENCE", 60)
        assert choose_dtype("auto", CPU) == torch.bfloat16
    machine._bf16_is_faster.cache_clear()


@pytest.mark.parametrize(("emulated", "dtype"), [(True, torch.float16), (False, torch.bfloat16)])
def test_a_gpu_that_emulates_bf16_trains_in_fp16(monkeypatch, emulated, dtype):
    def supported(including_emulation=True):
        return including_emulation or not emulated

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert choose_dtype("auto", torch.device("cuda")) == dtype


def test_memory_where_there_is_no_proc(monkeypatch):
    def missing(*given, **more):
        raise FileNotFoundError

    monkeypatch.setattr(machine.Path, "read_text", missing)
    now, peak = memory_used(CPU)
    assert now is None
    assert machine.resource is None or peak > 10_000_000
    monkeypatch.setattr(machine, "resource", None)
    assert memory_used(CPU) == (None, None)
