"""A model as the folder of a nanoGPT run, which its `sample.py` and `train.py` open.

    python sample.py --out_dir=FOLDER --start="<|endoftext|>"
    python train.py --out_dir=FOLDER --init_from=resume ...

`ckpt.pt` is a pickle of tensors, numbers and text, as nanoGPT's own. It has no tokenizer;
`tokenizer.tiktoken` beside it tells what the tokens are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mgpt_tui.family.exporting.holding import with_biases
from mgpt_tui.family.names import NANOGPT
from mgpt_tui.files import atomic_writer
from mgpt_tui.model.contents import Contents
from mgpt_tui.model.manifest import TOKENIZER_FILE
from mgpt_tui.model.registry import ModelEntry
from mgpt_tui.model.summary import ModelSummary

CHECKPOINT_FILE = "ckpt.pt"
_UNKNOWN_LOSS = 1e9
"""What nanoGPT begins with, so that the first evaluation is an improvement."""


def write(contents: Contents, folder: Path, form: str, name: str) -> None:
    """Write `ckpt.pt` and the ranks into `folder`, which is there.

    Args:
        contents: the model.
        form: of the weights: "fp32" alone.
        name: what the model is called.

    Raises:
        UserError: where a file cannot be written.
    """
    info = contents.info
    # There, biases are everywhere or nowhere.
    some = any(weight.endswith(".bias") for weight in contents.weights)
    whole = with_biases(info.config) if some else info.config
    state = {part: torch.tensor(array) for part, array in NANOGPT.given(whole, contents.weights)}
    state["lm_head.weight"] = state["transformer.wte.weight"]  # one tensor by two names, as there
    shape = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size", "dropout")
    summary = ModelSummary(entry=ModelEntry(name, folder), info=info, error="", written=None)
    checkpoint = {
        "model": state,
        "model_args": {entry: getattr(whole, entry) for entry in shape} | {"bias": some},
        "optimizer": _fresh_optimizer(list(state.values())[:-1]),
        "iter_num": summary.step or 0,
        "best_val_loss": _UNKNOWN_LOSS if summary.loss is None else summary.loss,
        "config": {},
    }
    with atomic_writer(folder / CHECKPOINT_FILE) as stream:
        torch.save(checkpoint, stream)
    contents.tokenizer.save(folder / TOKENIZER_FILE)


def _fresh_optimizer(weights: list[Tensor]) -> dict[str, Any]:
    """The state of an AdamW that has done nothing, grouped as nanoGPT groups its own.

    To go on training, it loads one: weights that decay, then those that do not.
    """
    decaying = [weight for weight in weights if weight.dim() >= 2]
    others = [weight for weight in weights if weight.dim() < 2]
    groups = [
        {"params": decaying, "weight_decay": 0.1},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=6e-4, betas=(0.9, 0.95)).state_dict()
