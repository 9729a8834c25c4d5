"""What each format of the family calls the weights, and how it keeps them: for both directions.

Here and in PyTorch's `Linear` a matrix is (outputs, inputs). GPT-2's own code, and so Hugging Face,
has (inputs, outputs), its `Conv1D`: such ones are transposed on the way. GPT-Neo has queries, keys
and values apart, which lie here one below the other in one matrix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.weights import shapes

Array = NDArray[Any]

MATRICES = ("attention.qkv", "attention.proj", "mlp.fc", "mlp.proj")
"""Of a block, by their names in `model/gpt.py`."""

MASK = re.compile(r"(?:.*\.)?attn\.(?:attention\.)?(?:masked_)?bias")
"""Names of constants that older files have among the weights: which token sees which."""

_BLOCK = re.compile(r"blocks\.(\d+)\.(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One weight, here and there.

    Attributes:
        ours: its name in `model/gpt.py`.
        shape: its shape there.
        theirs: the names of what it is there, one below the other if there are several.
        transposed: whether it lies there the other way round.
    """

    ours: str
    shape: tuple[int, ...]
    theirs: tuple[str, ...]
    transposed: bool

    @property
    def their_shape(self) -> tuple[int, ...]:
        """The shape of each of `theirs`."""
        first, *rest = self.shape
        part = (first // len(self.theirs), *rest)
        return part[::-1] if self.transposed else part

    def taken(self, found: Mapping[str, Array]) -> Array:
        """The weight as it is here, out of what there is by their names."""
        parts = [found[name].T if self.transposed else found[name] for name in self.theirs]
        return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts))

    def given(self, weight: Array) -> dict[str, Array]:
        """The weight as it is there, by their names."""
        parts = np.split(weight, len(self.theirs))
        return {
            name: np.ascontiguousarray(part.T if self.transposed else part)
            for name, part in zip(self.theirs, parts, strict=True)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """The names of a format.

    Attributes:
        model: parts outside the blocks, ours to theirs, without ".weight" and ".bias".
        block: parts of a block likewise; a tuple stands for several, one below the other.
        layer: what stands before a block's parts, with `{}` for its number from 0.
        transposed: parts of a block whose matrices are (inputs, outputs) there.
    """

    model: Mapping[str, str]
    block: Mapping[str, str | tuple[str, ...]]
    layer: str
    transposed: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The head's matrix, which some files have though it is the token embedding's."""
        return f"{self.model['unembedding']}.weight"

    def entries(self, config: GPTConfig) -> Iterator[Entry]:
        """Every weight that a model of this shape has; a tied head is not among them."""
        for ours, shape in shapes(config).items():
            part, _, kind = ours.rpartition(".")
            found = _BLOCK.fullmatch(part)
            theirs = self.block[found[2]] if found else self.model[part]
            before = self.layer.format(found[1]) if found else ""
            several = (theirs,) if isinstance(theirs, str) else theirs
            yield Entry(
                ours=ours,
                shape=shape,
                theirs=tuple(f"{before}{one}.{kind}" for one in several),
                transposed=kind == "weight" and found is not None and found[2] in self.transposed,
            )

    def given(self, config: GPTConfig, weights: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        """All weights as they are there, by their names.

        Args:
            config: the shape that the format has room for.
            weights: ours, by our names; zeros stand for biases that are not among them.
        """
        for entry in self.entries(config):
            weight = weights.get(entry.ours)
            yield from entry.given(
                np.zeros(entry.shape, "f4") if weight is None else weight
            ).items()


_MODEL = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "final_norm": "transformer.ln_f",
    "unembedding": "lm_head",
}
_BLOCK_PARTS = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.proj": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.fc": "mlp.c_fc",
    "mlp.proj": "mlp.c_proj",
}

NANOGPT = Naming(model=_MODEL, block=_BLOCK_PARTS, layer="transformer.h.{}.")
"""nanoGPT's, and the original MrityunjayaGPT scripts'."""

GPT2 = Naming(model=_MODEL, block=_BLOCK_PARTS, layer="transformer.h.{}.", transposed=MATRICES)
"""Hugging Face's `gpt2`; files of the bare model lack "transformer."."""

GPT_NEO = Naming(
    model=_MODEL,
    block={
        **_BLOCK_PARTS,
        "attention.qkv": tuple(f"attn.attention.{part}_proj" for part in "qkv"),
        "attention.proj": "attn.attention.out_proj",
    },
    layer="transformer.h.{}.",
)
"""Hugging Face's `gpt_neo`."""

GGUF = Naming(
    model={
        "token_embedding": "token_embd",
        "position_embedding": "position_embd",
        "final_norm": "output_norm",
        "unembedding": "output",
    },
    block={
        "attention_norm": "attn_norm",
        "attention.qkv": "attn_qkv",
        "attention.proj": "attn_output",
        "mlp_norm": "ffn_norm",
        "mlp.fc": "ffn_up",
        "mlp.proj": "ffn_down",
    },
    layer="blk.{}.",
)
"""llama.cpp's for the architecture `gpt2`; the file tells sizes in the other order."""
