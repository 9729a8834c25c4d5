"""Save and load a model: weights as safetensors, everything else as JSON and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_folder, atomic_write, os_error
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.manifest import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    CheckpointInfo,
    fingerprint,
    read_info,
)
from mgpt_tui.model.tokenizer import Tokenizer

WEIGHT_FORMATS = ("fp32", "bf16", "int8")
SCALE = ".scale"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded checkpoint: the model in fp32 and evaluation mode, its tokenizer, its config."""

    model: GPT
    tokenizer: Tokenizer
    info: CheckpointInfo


def int8_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix (out, in) as 8-bit integers (out, in) and an fp32 scale a row, max |row| / 127."""
    scale = weight.abs().amax(dim=1).clamp_min(1e-12) / 127  # (out,)
    return torch.round(weight / scale[:, None]).to(torch.int8), scale


def pack(state: dict[str, Tensor], weights: str) -> dict[str, Tensor]:
    """Weights in a storage format; norms and biases stay fp32, being few and touchy.

    "int8" keeps matrices as `int8_rows`.
    """
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        tensor = tensor.detach().to("cpu", torch.float32)
        if tensor.dim() < 2 or weights == "fp32":
            packed[name] = tensor.contiguous()
        elif weights == "bf16":
            packed[name] = tensor.to(torch.bfloat16).contiguous()
        else:
            integers, scale = int8_rows(tensor)
            packed[name], packed[name + SCALE] = integers.contiguous(), scale.contiguous()
    return packed


def unpack(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `pack`: everything as fp32."""
    state: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name.endswith(SCALE):
            continue
        if tensor.dtype == torch.int8:
            tensor = tensor.float() * packed[name + SCALE].unsqueeze(1)
        state[name] = tensor.float()
    return state


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
    content = save_tensors(pack(model.state_dict(), weights))
    atomic_write(folder / WEIGHTS_FILE, content)
    tokenizer.save(folder / TOKENIZER_FILE)
    ranks = (folder / TOKENIZER_FILE).read_bytes()
    info = CheckpointInfo(
        config=model.config,
        tokenizer={
            "pattern": tokenizer.pattern,
            "special_tokens": {"<|endoftext|>": tokenizer.end_token},
            "vocab_size": tokenizer.vocab_size,
            "sha256": tokenizer.digest,
        },
        training=training,
        weights=weights,
        fingerprint=fingerprint(content, ranks, model.config),
    )
    atomic_write(folder / CONFIG_FILE, info.to_json())
    return info


def export_checkpoint(sources: Sequence[Path], folder: Path, weights: str) -> CheckpointInfo:
    """Copy a checkpoint, or the mean of several of one run, to a new `folder`.

    The mean of late checkpoints foretells better than the last one, where the learning rate is
    still falling (Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018). The copy is
    written beside `folder` and renamed, so `folder` is whole or not there.

    Args:
        sources: at least one; what the copy tells of its training is that of the last.
        weights: storage format, one of `WEIGHT_FORMATS`.

    Raises:
        UserError: where a source is damaged, shapes or vocabularies differ, or the target cannot
            be written.
    """
    checkpoint = load_checkpoint(sources[-1])
    training = checkpoint.info.training
    if len(sources) > 1:
        training = training | _average_into(checkpoint, sources[:-1])
    with atomic_folder(folder) as temporary:
        return save_checkpoint(temporary, checkpoint.model, checkpoint.tokenizer, training, weights)


def _average_into(checkpoint: Checkpoint, others: Sequence[Path]) -> dict[str, Any]:
    """Give `checkpoint` the mean weights of all, summed in float64; what is to be told of that."""
    total = {name: weight.double() for name, weight in checkpoint.model.state_dict().items()}
    shape = replace(checkpoint.info.config, dropout=0)
    steps = []
    for folder in others:
        other = load_checkpoint(folder)
        same_vocabulary = other.tokenizer.digest == checkpoint.tokenizer.digest
        if replace(other.info.config, dropout=0) != shape or not same_vocabulary:
            raise _damaged(folder, "it is of another shape or vocabulary than the last one")
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
    info = read_info(folder)
    try:
        content = (folder / WEIGHTS_FILE).read_bytes()
        ranks = (folder / TOKENIZER_FILE).read_bytes()
    except OSError as error:
        raise os_error(error, error.filename or folder) from error
    if fingerprint(content, ranks, info.config) != info.fingerprint:
        raise _damaged(folder, "its files do not match its fingerprint")
    pattern = info.tokenizer.get("pattern")
    if not isinstance(pattern, str):
        raise _damaged(folder, "its config has no split pattern")
    tokenizer = Tokenizer.load(folder / TOKENIZER_FILE, pattern)
    try:
        state = unpack(load_tensors(content))
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise _damaged(folder, f"its weights cannot be read ({error})") from None
    with torch.device("meta"), _nothing_drawn():
        model = GPT(info.config)
    _check_shapes(folder, model, state)
    if tokenizer.vocab_size != info.config.vocab_size:
        raise _damaged(
            folder,
            f"its tokenizer has {tokenizer.vocab_size} entries, "
            f"its config {info.config.vocab_size}",
        )
    model.load_state_dict(state, assign=True)
    return Checkpoint(model.to(device).eval(), tokenizer, info)


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


def _check_shapes(folder: Path, model: GPT, state: dict[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise _damaged(
                folder,
                f"{name} has shape {found.get(name, 'none')} "
                f"where its config asks for {expected.get(name, 'none')}",
            )


def _damaged(folder: Path, reason: str) -> UserError:
    return UserError(
        f"The checkpoint {folder} is damaged or foreign: {reason}.",
        "Take another one; `mgpt-tui models` lists them.",
    )
