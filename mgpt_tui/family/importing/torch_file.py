"""A checkpoint of nanoGPT, or a bare state dict with its names, as the original scripts wrote.

What they differ in is not in the weights: nanoGPT computes GELU itself, the original scripts its
approximation by tanh, and these do not tell how many heads there are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.family.importing.foreign import Foreign, shape_of
from mgpt_tui.family.importing.vocabulary import Vocabulary, beside, gpt2_for
from mgpt_tui.family.importing.weights_files import Stored, of_state, unpickled
from mgpt_tui.family.names import NANOGPT

HEAD_SIZE = 64
"""Width of a head in the original scripts, as in GPT-2."""

PREFIXES = ("module.", "_orig_mod.")
"""What training in several processes, and torch.compile, put in front of names."""

TANH = ("gelu", "tanh")
"""An entry of a checkpoint's `config`: its model, unlike nanoGPT's own, has GELU by tanh."""

STATED = ("n_layer", "n_embd", "block_size", "vocab_size")
"""What nanoGPT's `model_args` state and weights have, too."""

_LAYER = re.compile(r"transformer\.h\.(\d{1,4})\.")


def read_file(
    path: Path,
    origin: dict[str, Any],
    n_head: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Foreign:
    """The model in a file.

    Args:
        path: the file.
        origin: what is known of where it is from.
        n_head: heads in a layer, where the file does not say; else they are `HEAD_SIZE` wide.
        vocabulary: in place of a tokenizer that lies beside the file, or GPT-2's.

    Raises:
        UserError: where it holds something else, or more than weights.
    """
    content = unpickled(path)
    trained: dict[str, Any] = {}
    if isinstance(content, Mapping) and isinstance(content.get("model_args"), Mapping):
        tensors = of_state(content.get("model"), path, PREFIXES)
        settings = _nanogpt(content, path)
        step = content.get("iter_num")
        trained = {"step": step} if type(step) is int and step >= 0 else {}
        form = "nanoGPT"
    else:
        tensors = of_state(content, path, PREFIXES)
        settings, form = {} if n_head is None else {"n_head": n_head}, "state dict"
    shape = _measured(tensors, path, settings)
    stated = content["model_args"] if form == "nanoGPT" else {}
    for name, found in shape.items():
        if name in STATED and stated.get(name, found) != found:
            raise UserError(
                f"{path} states {name} {stated[name]!r:.20}, and its weights have {found:,}.",
                "Take another file.",
            )
    config = shape_of(path, **shape)
    return Foreign(
        source=path,
        naming=NANOGPT,
        config=config,
        tensors=tensors,
        vocabulary=vocabulary or beside(path.parent) or gpt2_for(config.vocab_size, path),
        origin={"format": form, **origin},
        trained=trained,
    )


def _nanogpt(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What a checkpoint of nanoGPT tells beside its weights."""
    stated, run = content["model_args"], content.get("config")
    heads, dropout = stated.get("n_head"), stated.get("dropout", 0.0)
    if type(heads) is not int:
        raise UserError(f"{path} does not say how many heads it has.", "Take another file.")
    if type(dropout) not in (int, float) or not 0 <= dropout < 1:
        raise UserError(f"{path} has a dropout of {dropout!r:.20}.", "Take another file.")
    by_tanh = isinstance(run, Mapping) and run.get(TANH[0]) == TANH[1]
    return {"n_head": heads, "dropout": float(dropout), "exact_gelu": not by_tanh}


def _measured(
    tensors: Mapping[str, Stored], path: Path, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The shape that the weights have, and what else is known of it."""
    sizes = []
    for name in (
        "transformer.wte.weight",
        "transformer.wpe.weight",
        "transformer.h.0.mlp.c_fc.weight",
    ):
        shape = tensors[name].shape if name in tensors else ()
        if len(shape) != 2:
            raise UserError(f"{path} has no weights with GPT-2's names.", "Take another file.")
        sizes.append(shape)
    (entries, width), (context, _), (neurons, _) = sizes
    if width % HEAD_SIZE and "n_head" not in settings:
        raise UserError(
            f"{path} does not say how many heads there are in its width of {width}.",
            "Say so with --n-head.",
        )
    layers = {int(found[1]) for name in tensors if (found := _LAYER.match(name))}
    return {
        "vocab_size": entries,
        "block_size": context,
        "n_layer": max(layers) + 1,
        "n_embd": width,
        "n_head": max(1, width // HEAD_SIZE),
        "mlp_width": neurons,
        "dropout": 0.0,
        **settings,
    }
