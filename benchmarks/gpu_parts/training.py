"""How fast a model trains, beside what one would run otherwise.

On paper, for a token of `storyteller` (6 layers, 384 wide, 9,984 entries): 94 MFLOP take 0.10
microseconds at the published 989 TFLOP/s of an H100. Beside its products a layer reads and writes
some 260 numbers for each of its 384 channels, forward and backward, of one to four bytes: 0.6 MB a
token for six layers where the compiler fuses what it can, so 0.2 microseconds at 3 TB/s. The head
adds 12 bytes for each entry: 0.04 microseconds here, and 0.2 with GPT-2's vocabulary. So memory and
not arithmetic bounds a model of this width, and an MFU of 25 to 30 % is what there is to be had. A
step of 8,192 tokens then takes 3 ms, about as long as its calls take the CPU: hence CUDA graphs.

All sides train in bf16 without dropout, with the fused AdamW, on the same batches, which come from
pinned memory, and none reads a loss in a step. Each takes the batch that is best for it without
compiling.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peers import hugging_face

from gpu_parts.job import Job, Skipped, last_lines, tidy, wait
from gpu_parts.material import made_up, settings, shape
from gpu_parts.nano import Nano
from gpu_parts.profiling import profile
from mgpt_tui.model.gpt import GPT
from training.config import TrainConfig
from training.data.batches import BatchSampler
from training.runs.checkpoints import RunFolder
from training.step import loss as loss_module
from training.step.distributed import ALONE
from training.step.dropout import Dropout
from training.step.feed import BatchFeed
from training.step.machine import flops_per_token, memory_used, peak_flops, prepare_device
from training.trainer import Trainer

BATCHES = (32, 128, 256, 512)
COMPILES = 30.0
"""Seconds to keep for a side that compiles."""
OPTIMIZER = {"lr": 3e-4, "betas": (0.9, 0.95), "weight_decay": 0.1}

Step = Callable[[], None]
"""Asks for one step more."""


def run(job: Job) -> None:
    """See `Part`."""
    model = job.part.removeprefix("training-")
    prepare_device(job.device, torch.bfloat16)
    if not job.thorough:
        torch.compile = partial(torch.compile, backend="aot_eager")
    sides = SIDES if job.thorough or model == "storyteller" else {"ours": ours}
    best = {side: _best_batch(job, side, partial(sides[side], job, model, False)) for side in sides}
    batch = best["ours"]

    def timed(name: str, batch: int, make: Callable[..., Step], **more: Any) -> None:
        step = partial(make, job, model, True, batch, **more)
        job.check(name, partial(_compiled, step=step, model=model, batch=batch))

    job.check("ours, compiled", partial(_ours_compiled, model=model, batch=batch))
    if not job.thorough:
        return
    for side in ("plain loop", "Hugging Face"):
        timed(f"{side}, compiled", best[side], SIDES[side])
    timed("ours with Muon", batch, ours, optimizer="muon")
    timed("ours with Muon, 32 sequences", 32, ours, optimizer="muon")
    if job.on_gpu:  # masks as a CPU makes them are not compiled
        timed("ours with dropout", batch, ours, dropout=0.1)
        for name, change in VARIANTS.items():
            job.check(f"ours, {name}", partial(_variant, change=change, model=model, batch=batch))


def _best_batch(job: Job, side: str, make: Callable[[int], Step]) -> int:
    """The batch that a side trains fastest with, not compiled; all of them are told."""
    rates: dict[int, float] = {}
    peaks: dict[int, int] = {}
    for batch in BATCHES if job.on_gpu else (4,):
        try:
            step = make(batch)
            rates[batch] = _tokens_per_second(job, step, batch)
            peaks[batch] = memory_used(job.device)[1] or 0
        except torch.OutOfMemoryError:
            break
        except Exception as error:
            job.failed = True
            job.tell(f"{side}, eager", ok=False, error=last_lines(error))
            return BATCHES[0]
        finally:
            step = None
            tidy(job.device)
    if not rates:
        job.failed = True
        job.tell(f"{side}, eager", ok=False, error="not one batch fits")
        return BATCHES[0]
    best = max(rates, key=lambda batch: rates[batch])
    figures = _figures(job, job.part.removeprefix("training-"), rates[best], best)
    every = {str(batch): round(rate) for batch, rate in rates.items()}
    job.tell(f"{side}, eager", ok=True, **figures | {"memory": peaks[best]}, batches=every)
    return best


def _compiled(job: Job, step: Callable[[], Step], model: str, batch: int) -> dict[str, Any]:
    if not job.has_time(COMPILES):
        raise Skipped("no time left")
    began = time.perf_counter()
    work = step()
    rate = _tokens_per_second(job, work, batch)
    return _figures(job, model, rate, batch) | {
        "all of it, seconds": round(time.perf_counter() - began, 1)
    }


def _ours_compiled(job: Job, model: str, batch: int) -> dict[str, Any]:
    """Our compiled step, and where its time goes."""
    made: list[Step] = []

    def make() -> Step:
        made.append(ours(job, model, True, batch))
        return made[0]

    figures = _compiled(job, make, model, batch)
    job.tell("profile", **profile(job, made[0], 5 if job.on_gpu else 2))
    return figures


def _figures(job: Job, model: str, rate: float, batch: int) -> dict[str, Any]:
    peak = peak_flops(job.device, torch.bfloat16)
    return {
        "tokens_per_second": round(rate),
        "mfu": round(rate * flops_per_token(shape(job, model)) / peak, 4),
        "memory": memory_used(job.device)[1],
        "batch": batch,
    }


def _tokens_per_second(job: Job, step: Step, batch: int) -> float:
    """Over steps that are timed together, once all that is done only once is done."""
    block = 256 if job.on_gpu else 32
    for _ in range(5 if job.on_gpu else 2):
        step()
    wait(job.device)
    count, began = 0, time.perf_counter()
    while count < 5 or (job.on_gpu and time.perf_counter() - began < 0.4 and count < 400):
        step()
        count += 1
        if count % 20 == 0:
            wait(job.device)
    wait(job.device)
    return count * batch * block / (time.perf_counter() - began)


def ours(job: Job, model: str, compile: bool, batch: int, **changes: Any) -> Step:
    """The product's own trainer, as `mgpt-tui train` runs it but for the screen."""
    values = settings(job, model, batch_size=batch, compile=compile, dtype="bf16", **changes)
    folder = RunFolder(f"{job.part}-speed")
    trainer = Trainer(TrainConfig().updated(values), made_up(job, model), folder)
    assert trainer.compile_problem is None, trainer.compile_problem
    steps = trainer.steps()
    return lambda: (next(steps), None)[1]


def transformers(job: Job, model: str, compile: bool, batch: int) -> Step:
    """Hugging Face's GPT-2."""
    start = GPT(shape(job, model), torch.Generator().manual_seed(1))
    network = hugging_face(start, 0.0).to(job.device).train()
    network.config.use_cache = False
    forward = torch.compile(network) if compile else network
    return _peer(job, model, batch, network, lambda x, y: forward(input_ids=x, labels=x).loss)


def nano(job: Job, model: str, compile: bool, batch: int) -> Step:
    """A plain loop after nanoGPT."""
    config = shape(job, model)
    network = Nano(
        config.vocab_size, config.block_size, config.n_layer, config.n_head, config.n_embd, 0.0
    ).to(job.device)
    return _peer(job, model, batch, network, torch.compile(network) if compile else network)


SIDES: dict[str, Callable[..., Step]] = {
    "ours": ours,
    "Hugging Face": transformers,
    "plain loop": nano,
}


def _peer(job: Job, model: str, batch: int, network: Any, loss_of: Callable[..., Any]) -> Step:
    """A loop around a model of others: bf16, fused AdamW, batches made ahead, no wait."""
    config, data = shape(job, model), made_up(job, model)
    matrices = [weight for weight in network.parameters() if weight.dim() >= 2]
    vectors = [weight for weight in network.parameters() if weight.dim() < 2]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, fused=True, **OPTIMIZER)
    sampler = BatchSampler(data.train.tokens, config.block_size, batch, 1337)
    feed, parameters = BatchFeed(sampler, job.device, ALONE, 1), list(network.parameters())

    def steps() -> Iterator[None]:
        step = 0
        while True:
            inputs, targets = feed.batch(step, 0)
            with torch.autocast(job.device.type, torch.bfloat16):
                loss = loss_of(inputs, targets)
            loss.backward()
            feed.prepare(step, 0)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            yield

    endless = steps()
    return lambda: next(endless)


@contextmanager
def _cudnn() -> Iterator[None]:
    """Attention by cuDNN's kernel."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel([SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION]):
        yield


@contextmanager
def _mode(name: str | None) -> Iterator[None]:
    """Another mode of torch.compile."""
    before, loss_module.GRAPHS = loss_module.GRAPHS, name
    try:
        yield
    finally:
        loss_module.GRAPHS = before


@contextmanager
def _stream() -> Iterator[None]:
    """The residual stream in bf16 instead of fp32."""
    before = Dropout.forward
    Dropout.forward = lambda self, x: before(self, x).bfloat16()  # type: ignore[method-assign]
    try:
        yield
    finally:
        Dropout.forward = before  # type: ignore[method-assign]


VARIANTS: dict[str, Callable[[], Any]] = {
    "no CUDA graphs": partial(_mode, None),
    "bf16 stream": _stream,
    "cuDNN attention": _cudnn,
    "max-autotune": partial(_mode, "max-autotune"),
}
"""What may pay, to be known once it has been measured; tried while there is time."""


def _variant(job: Job, change: Callable[[], Any], model: str, batch: int) -> dict[str, Any]:
    with change():
        torch._dynamo.reset()
        return _compiled(job, partial(ours, job, model, True, batch), model, batch)
