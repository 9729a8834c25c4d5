"""Hugging Face's GPT-2 with our weights, for the benchmarks to compare with."""

from __future__ import annotations

from typing import Any

import torch

from mgpt_tui.model.gpt import GPT

LAYERS = {
    "ln_1": "attention_norm",
    "attn.c_attn": "attention.qkv",
    "attn.c_proj": "attention.proj",
    "ln_2": "mlp_norm",
    "mlp.c_fc": "mlp.fc",
    "mlp.c_proj": "mlp.proj",
}


def hugging_face(ours: GPT, dropout: float = 0.0) -> Any:
    """A `GPT2LMHeadModel` that computes what `ours` does; what ours lacks (biases) is zero."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = ours.config
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=shape.vocab_size,
            n_positions=shape.block_size,
            n_embd=shape.n_embd,
            n_layer=shape.n_layer,
            n_head=shape.n_head,
            resid_pdrop=dropout,
            embd_pdrop=dropout,
            attn_pdrop=dropout,
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    transformer = model.transformer
    with torch.no_grad():
        transformer.wte.weight.copy_(ours.token_embedding.weight)
        transformer.wpe.weight.copy_(ours.position_embedding.weight)
        _copy(transformer.ln_f, ours.final_norm)
        for block, own in zip(transformer.h, ours.blocks, strict=True):
            for theirs, mine in LAYERS.items():
                _copy(block.get_submodule(theirs), own.get_submodule(mine))
    return model


def _copy(theirs: Any, mine: Any) -> None:
    weight = mine.weight
    theirs.weight.copy_(weight.T if weight.dim() == 2 else weight)  # Conv1D is transposed
    theirs.bias.zero_() if mine.bias is None else theirs.bias.copy_(mine.bias)
