"""Training speed: ours against Hugging Face's GPT-2 with AdamW, on the same batches.

    python benchmarks/train_step.py --source stories.txt [--rounds 3] [--steps 10]

The peer is what one would run otherwise: `GPT2LMHeadModel` in fp32, all its dropouts at 0.2,
`torch.optim.AdamW`. Ours is the product's own trainer with the `small` preset, its dropout of
0.2 on embeddings and on what is added to the residual stream, without dropout of attention
weights ("ours") and with it ("ours_all_dropouts"). Both begin with the same weights, and read
the same batches of 16 x 256 tokens: once with GPT-2's vocabulary, once with it trimmed to
`--vocab-size` entries ("trimmed"). Each side runs in a process of its own, in turn.

The first two steps of a process are not timed. In a last turn every side trains `--loss-steps`
steps from the same start; then the losses are compared, in nats per token: that on the same
held-out text, and the mean training loss of the last ten steps. There ours also trains with other
options: the channel form of dropout, and Muon.

One JSON line on standard output: medians of tokens/s, ratios to the peer, peak memory of each
process in bytes, losses, and the share of the machine's peak that ours reaches (MFU).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WARM_UP = 2
BATCH = 16
BLOCK = 256
DROPOUT = 0.2
LEARNING_RATE = 3e-4
HELD_OUT = 32
"""Windows of held-out text that the losses are of, where there are so many."""

SETTINGS = {
    "preset": "small",
    "block_size": BLOCK,
    "batch_size": BATCH,
    "dropout": DROPOUT,
    "learning_rate": LEARNING_RATE,
    "warmup_steps": 0,
    "decay_share": 0.0,
    "eval_every": 10**9,
    "max_steps": 10**9,
}
OURS = SETTINGS | {"attention_dropout": 0.0}
SIDES = {
    "ours": OURS,
    "ours_all_dropouts": SETTINGS,
    "peer": None,
}
OPTIONS = {
    "ours_channel": OURS | {"dropout_form": "channel"},
    "ours_muon": OURS | {"optimizer": "muon", "learning_rate": 2e-3},
}
"""What changes the mathematics: compared in their losses alone."""
VOCABULARIES = ("full", "trimmed")


def measure(side: str, folder: Path, steps: int) -> dict[str, Any]:
    """Train one side in this process; its speed, memory and losses."""
    import numpy as np
    import torch

    from training.config import TrainConfig
    from training.data.prepared import read_prepared
    from training.step.machine import keep_freed_memory, memory_used

    settings = (SIDES | OPTIONS)[side]
    if settings is not None:
        keep_freed_memory()
    data = read_prepared(folder)
    config = TrainConfig().updated(settings or SETTINGS)
    make = _ours if settings is not None else _peer
    train, loss_of, device = make(config, data)
    seconds, losses, extra = [], [], {}
    for loss, spent, told in itertools.islice(train, steps):
        extra.update(told)
        losses.append(loss)
        seconds.append(spent)
    peak = memory_used(device)[1]
    windows = min(HELD_OUT, (len(data.val.tokens) - 1) // BLOCK)
    tokens = np.asarray(data.val.tokens[: windows * BLOCK + 1], dtype=np.int64)
    inputs = torch.from_numpy(tokens[:-1]).view(windows, 1, BLOCK).to(device)
    targets = torch.from_numpy(tokens[1:]).view(windows, 1, BLOCK).to(device)
    with torch.no_grad():
        held_out = [float(loss_of(*pair)) for pair in zip(inputs, targets, strict=True)]
    timed = seconds[WARM_UP:]
    return {
        "tokens_per_second": BATCH * BLOCK / statistics.median(timed) if timed else None,
        "peak_memory_bytes": peak,
        "train_loss": statistics.mean(losses[-10:]),
        "held_out_loss": statistics.mean(held_out),
        **extra,
    }


def _ours(config: Any, data: Any) -> tuple[Iterator[tuple[float, float, dict[str, Any]]], Any, Any]:
    """The product's trainer: steps, a loss function for held-out text, and the device."""
    import torch.nn.functional as F

    from training.runs.checkpoints import RunFolder
    from training.trainer import Trainer

    trainer = Trainer(config, data, RunFolder("benchmark"))

    def steps() -> Iterator[tuple[float, float, dict[str, Any]]]:
        for metrics in trainer.steps():
            spent = trainer.tokens_per_step / metrics.tokens_per_second
            dtype = str(trainer.dtype).removeprefix("torch.")
            yield metrics.loss, spent, {"mfu": metrics.mfu, "dtype": dtype}

    def loss_of(inputs: Any, targets: Any) -> Any:
        logits = trainer.model.eval()(inputs)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    return steps(), loss_of, trainer.device


def _peer(config: Any, data: Any) -> tuple[Iterator[tuple[float, float, dict[str, Any]]], Any, Any]:
    """The same for GPT2LMHeadModel and AdamW, from our initial weights."""
    import torch
    import torch.nn.functional as F
    from peers import hugging_face

    from mgpt_tui.model.gpt import GPT
    from training.data.batches import BatchSampler
    from training.step.machine import choose_device

    shape = config.model.gpt_config(data.tokenizer.vocab_size)
    device = choose_device(config.machine.device)
    start = GPT(shape, torch.Generator().manual_seed(config.machine.seed))
    model = hugging_face(start, DROPOUT).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=LEARNING_RATE,
        betas=(config.optimizer.beta1, config.optimizer.beta2),
        weight_decay=config.optimizer.weight_decay,
    )
    sampler = BatchSampler(
        data.train.tokens, shape.block_size, BATCH, config.machine.seed, 0.0, shape.vocab_size - 1
    )

    def steps() -> Iterator[tuple[float, float, dict[str, Any]]]:
        model.train()
        step = 0
        while True:
            started = time.perf_counter()
            inputs, _ = sampler.batch(step, 0, 1)
            inputs = inputs.to(device)
            loss = model(input_ids=inputs, labels=inputs).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.optimizer.grad_clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            value = float(loss.detach())
            step += 1
            yield value, time.perf_counter() - started, {"dtype": "float32"}

    def loss_of(inputs: Any, targets: Any) -> Any:
        logits = model.eval()(input_ids=inputs).logits
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    return steps(), loss_of, device


def child(side: str, folder: Path, steps: int) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--child", side, "--data", str(folder)]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [*command, "--steps", str(steps)],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | {"MGPT_DATA_DIR": home, "TRANSFORMERS_VERBOSITY": "error"},
        )
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"{folder.name} {side}: {result}", file=sys.stderr, flush=True)
    return result


def prepare_both(source: str, vocab_size: int, folder: Path) -> None:
    """The text as tokens, in GPT-2's vocabulary and in a trimmed one, the same split."""
    from training.data.prepare import prepare
    from training.data.prepare_config import PrepareConfig

    for name, size in zip(VOCABULARIES, (None, vocab_size), strict=True):
        config = PrepareConfig(sources=(source,), out=folder / name, vocab_size=size)
        for _ in prepare(config):
            pass


def compared(results: dict[str, list[dict[str, Any]]], losses: dict[str, Any]) -> dict[str, Any]:
    """Medians of every side for one vocabulary."""
    return {
        side: {
            "tokens_per_second": round(
                statistics.median(result["tokens_per_second"] for result in rounds), 1
            ),
            "peak_memory_bytes": max(result["peak_memory_bytes"] for result in rounds),
            "held_out_loss": round(losses[side]["held_out_loss"], 4),
            "train_loss": round(losses[side]["train_loss"], 4),
            "dtype": rounds[0]["dtype"],
        }
        | (
            {"mfu": round(statistics.median(result["mfu"] for result in rounds), 3)}
            if "mfu" in rounds[0]
            else {}
        )
        for side, rounds in results.items()
    }


def ratios(table: dict[str, Any]) -> dict[str, Any]:
    """Tokens/s and memory of ours as shares of the peer's."""
    answer = {}
    for ours, vocabulary, peer in (
        ("ours", "full", "full"),
        ("ours", "trimmed", "full"),
        ("ours", "trimmed", "trimmed"),
        ("ours_all_dropouts", "full", "full"),
        ("ours_all_dropouts", "trimmed", "full"),
    ):
        mine, other = table[vocabulary][ours], table[peer]["peer"]
        answer[f"{ours}, {vocabulary} to peer, {peer}"] = {
            "speed": round(mine["tokens_per_second"] / other["tokens_per_second"], 2),
            "memory": round(mine["peak_memory_bytes"] / other["peak_memory_bytes"], 3),
        }
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="stories to train on: what `mgpt-tui prepare` takes")
    parser.add_argument("--vocab-size", type=int, default=9984)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each round")
    parser.add_argument("--loss-steps", type=int, default=60)
    parser.add_argument("--child", choices=SIDES | OPTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child, given.data, given.steps)))
        return
    if not given.source:
        parser.error("give --source, a text file of stories")
    table, results = {}, {name: {side: [] for side in SIDES} for name in VOCABULARIES}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare_both(given.source, given.vocab_size, folder)
        for _ in range(given.rounds):
            for name in VOCABULARIES:
                for side in SIDES:
                    result = child(side, folder / name, given.steps + WARM_UP)
                    results[name][side].append(result)
        for name in VOCABULARIES:
            losses = {
                side: child(side, folder / name, given.loss_steps) for side in SIDES | OPTIONS
            }
            table[name] = compared(results[name], losses) | {
                side: {key: round(losses[side][key], 4) for key in ("held_out_loss", "train_loss")}
                for side in OPTIONS
            }
    report = {
        "batch": [BATCH, BLOCK],
        "rounds": given.rounds,
        "steps": given.steps,
        "loss_steps": given.loss_steps,
        "vocab_sizes": {"full": 50257, "trimmed": given.vocab_size},
        "sides": table,
        "ratios": ratios(table),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
