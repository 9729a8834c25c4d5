"""Save and load a model of torch: weights as safetensors, everything else as JSON and ranks.

What needs the weights but no torch reads them by `contents.read_contents`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from mgpt_tui.files import atomic_folder, atomic_path, atomic_write
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.contents import Contents, damaged, read_contents, stated
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.manifest import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    CheckpointInfo,
    fingerprints,
)
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.model.weights import SCALE, Weights, int8_rows


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint: the model in fp32 and evaluation mode, its tokenizer, its config."""

    model: GPT
    tokenizer: Tokenizer
    info: CheckpointInfo


def pack(state: dict[str, Tensor], weights: str) -> dict[str, Tensor]:
    """Weights in a storage format; norms and biases stay fp32, being few and touchy.

    "int8" keeps matrices as `weights.int8_rows`.
    """
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        tensor = tensor.detach().to("cpu", torch.float32)
        if tensor.dim() < 2 or weights == "fp32":
            packed[name] = tensor.contiguous()
        elif weights == "bf16":
            packed[name] = tensor.to(torch.bfloat16).contiguous()
        else:
            integers, scale = map(torch.from_numpy, int8_rows(tensor.numpy()))
            packed[name], packed[name + SCALE] = integers, scale
    return packed


def weights_of(model: GPT) -> Weights:
    """The weights of a model as arrays, which share its memory where it is on the CPU in fp32."""
    state = {name: tensor.detach().float() for name, tensor in model.state_dict().items()}
    return Weights({name: tensor.numpy(force=True) for name, tensor in state.items()})


def gpt_of(config: GPTConfig, weights: Weights, device: torch.device | str = "cpu") -> GPT:
    """A model of these weights, in fp32 and evaluation mode.

    Raises:
        RuntimeError: where they are not those of such a model.
    """
    with torch.device("meta"), _nothing_drawn():
        model = GPT(config)
    state = {name: torch.tensor(array) for name, array in weights.items()}
    model.load_state_dict(state, assign=True)
    return model.to(device).eval()


def save_checkpoint(
    folder: Path,
    model: GPT,
    tokenizer: Tokenizer,
    training: dict[str, Any],
    weights: str = "fp32",
) -> CheckpointInfo:
    """Write a checkpoint into `folder`, config last; rename the folder afterwards if need be.

    Raises:
        UserError: where the folder cannot be written or the device is full.
    """
    state = pack(model.state_dict(), weights)
    return write_checkpoint(folder, model.config, state, tokenizer, training, weights)


def save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, whole or not at all, without a copy of it in memory.

    Raises:
        UserError: where it cannot be written or the device is full.
    """
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # which has the system's only in its words
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from None


def write_checkpoint(
    folder: Path,
    config: GPTConfig,
    state: dict[str, Tensor],
    tokenizer: Tokenizer,
    training: dict[str, Any],
    weights: str,
) -> CheckpointInfo:
    """`save_checkpoint` of weights that are packed already, which no model need hold."""
    save_tensors(state, folder / WEIGHTS_FILE)
    tokenizer.save(folder / TOKENIZER_FILE)
    ranks = (folder / TOKENIZER_FILE).read_bytes()
    info = CheckpointInfo(
        config=config,
        stated=config.to_dict(),
        tokenizer=stated(tokenizer),
        training=training,
        weights=weights,
    )
    info = info.with_fingerprints(
        fingerprints(folder / WEIGHTS_FILE, ranks, info.stated, info.tokenizer)
    )
    atomic_write(folder / CONFIG_FILE, info.to_json())
    return info


def export_checkpoint(sources: Sequence[Path], folder: Path, weights: str) -> CheckpointInfo:
    """Copy a checkpoint, or the mean of several of one run, to a new `folder`.

    The copy is written beside `folder` and renamed, so `folder` is whole or not there.

    Args:
        sources: as `load_mean` takes them.
        weights: storage format, one of `manifest.WEIGHT_FORMATS`.

    Raises:
        UserError: as `load_mean`, and where the target cannot be written.
    """
    mean = load_mean(sources)
    with atomic_folder(folder) as temporary:
        return save_checkpoint(temporary, mean.model, mean.tokenizer, mean.info.training, weights)


def read_mean(sources: Sequence[Path]) -> Contents:
    """The same as `load_mean`, as arrays."""
    if len(sources) == 1:
        return read_contents(sources[0])
    mean = load_mean(sources)
    return Contents(mean.info, weights_of(mean.model), mean.tokenizer)


def load_mean(sources: Sequence[Path]) -> Checkpoint:
    """A checkpoint, or one with the mean weights of several of one run.

    The mean of late checkpoints predicts better than the last one, where the learning rate is
    still falling (Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018).

    Args:
        sources: at least one; all but the weights is that of the last.

    Raises:
        UserError: where a source is damaged, or shapes or vocabularies differ.
    """
    checkpoint = load_checkpoint(sources[-1])
    if len(sources) == 1:
        return checkpoint
    training = checkpoint.info.training | _average_into(checkpoint, sources[:-1])
    return replace(checkpoint, info=replace(checkpoint.info, training=training))


def _average_into(checkpoint: Checkpoint, others: Sequence[Path]) -> dict[str, Any]:
    """Give `checkpoint` the mean weights of all, summed in float64; its training record."""
    total = {name: weight.double() for name, weight in checkpoint.model.state_dict().items()}
    shape = replace(checkpoint.info.config, dropout=0)
    steps = []
    for folder in others:
        other = load_checkpoint(folder)
        same_vocabulary = stated(other.tokenizer) == stated(checkpoint.tokenizer)
        if replace(other.info.config, dropout=0) != shape or not same_vocabulary:
            raise damaged(folder, "it is of another shape or vocabulary than the last one")
        for name, weight in other.model.state_dict().items():
            total[name] += weight
        steps.append(other.info.training.get("step"))
    count = len(others) + 1
    checkpoint.model.load_state_dict({name: sums / count for name, sums in total.items()})
    steps.append(checkpoint.info.training.get("step"))
    return {"mean_of_steps": steps, "validation": None}  # the score is not that of the mean


def load_checkpoint(folder: Path, device: torch.device | str = "cpu") -> Checkpoint:
    """Load a checkpoint, checking that it is whole and fits its own config.

    Raises:
        UserError: where a file is missing, damaged, foreign, or of other shapes.
    """
    contents = read_contents(folder)
    model = gpt_of(contents.info.config, contents.weights, device)
    return Checkpoint(model, contents.tokenizer, contents.info)


@contextmanager
def _nothing_drawn() -> Iterator[None]:
    """Embeddings stay empty: to draw them without memory, torch would import its compiler first.

    That takes three times as long as all the rest of loading.
    """
    draw = nn.Embedding.reset_parameters
    nn.Embedding.reset_parameters = lambda self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Embedding.reset_parameters = draw  # type: ignore[method-assign]
