"""A model as a folder that transformers loads, its tokenizer included, with no code of ours.

`AutoModelForCausalLM` and `AutoTokenizer` read it: `config.json` and `model.safetensors` of the
architecture `gpt2` or `gpt_neo`, a `tokenizer.json`, and a card for people, `README.md`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from mgpt_tui.errors import UserError
from mgpt_tui.family.byte_level import merges_of, spelled
from mgpt_tui.family.exporting.card import card
from mgpt_tui.family.exporting.holding import hf_architecture, with_biases
from mgpt_tui.family.names import GPT2, GPT_NEO
from mgpt_tui.files import atomic_write
from mgpt_tui.model.checkpoint import save_tensors
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.contents import Contents
from mgpt_tui.model.split_pattern import GPT2_PATTERN
from mgpt_tui.model.tokenizer import END_OF_TEXT, Tokenizer

_TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_END_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def write(contents: Contents, folder: Path, form: str, name: str) -> None:
    """Write all files into `folder`, which is there.

    Args:
        contents: the model.
        form: of the weights: "fp32", "fp16" or "bf16".
        name: what the card calls the model.

    Raises:
        UserError: where a weight is too large for its form, or a file cannot be written.
    """
    _write_weights(contents, folder / "model.safetensors", form)
    config = _config(contents, form)
    end = contents.tokenizer.end_token
    texts = {
        "config.json": _json(config),
        "generation_config.json": _json(dict.fromkeys(_END_IDS, end)),
        "tokenizer.json": _json(tokenizer_json(contents.tokenizer)),
        "tokenizer_config.json": _json(_tokenizer_config(contents)),
        "README.md": card(contents, name, config["model_type"]),
    }
    for file, text in texts.items():
        atomic_write(folder / file, text)


def _write_weights(contents: Contents, path: Path, form: str) -> None:
    shape = contents.info.config
    if hf_architecture(shape) == "gpt2":
        naming, whole = GPT2, with_biases(shape)
    else:
        naming, whole = GPT_NEO, with_biases(shape, qkv=False)
    tensors = {
        name: torch.tensor(array).to(_TYPES[form])
        for name, array in naming.given(whole, contents.weights)
    }
    if not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise UserError("Some weights are too large for 16 bits.", "Give --weights fp32.")
    save_tensors(tensors, path, {"format": "pt"})


def _config(contents: Contents, form: str) -> dict[str, Any]:
    shape = contents.info.config
    own = _gpt2_config(shape) if hf_architecture(shape) == "gpt2" else _gpt_neo_config(shape)
    return {
        **own,
        "vocab_size": shape.vocab_size,
        "activation_function": "gelu" if shape.exact_gelu else "gelu_new",  # the latter by tanh
        "layer_norm_epsilon": shape.norm_epsilon,
        "tie_word_embeddings": shape.tied_head,
        "bos_token_id": contents.tokenizer.end_token,
        "eos_token_id": contents.tokenizer.end_token,
        "torch_dtype": str(_TYPES[form]).removeprefix("torch."),
    }


def _gpt2_config(shape: GPTConfig) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "n_positions": shape.block_size,
        "n_layer": shape.n_layer,
        "n_head": shape.n_head,
        "n_embd": shape.n_embd,
        "n_inner": shape.mlp_width,
        "scale_attn_weights": shape.scaled_scores,
        "resid_pdrop": shape.dropout,
        "embd_pdrop": shape.dropout,
        "attn_pdrop": shape.dropout,
    }


def _gpt_neo_config(shape: GPTConfig) -> dict[str, Any]:
    return {
        "architectures": ["GPTNeoForCausalLM"],
        "model_type": "gpt_neo",
        "max_position_embeddings": shape.block_size,
        "num_layers": shape.n_layer,
        "num_heads": shape.n_head,
        "hidden_size": shape.n_embd,
        "intermediate_size": shape.mlp_width,
        "attention_types": [
            [["local" if window else "global"], 1] for window in shape.local_windows
        ],
        "window_size": max(shape.local_windows),
        "resid_dropout": shape.dropout,
        "embed_dropout": shape.dropout,
        "attention_dropout": shape.dropout,
    }


def tokenizer_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """A vocabulary as the library `tokenizers` reads it: byte-level BPE by merges.

    It gives the ids that `Tokenizer.encode` gives, but that `<|endoftext|>` in a text is the token.
    """
    pairs, unmade = merges_of(tokenizer)
    end = {
        "id": tokenizer.end_token,
        "content": END_OF_TEXT,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    bytes_alone = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    if tokenizer.pattern == GPT2_PATTERN:
        split: dict[str, Any] = bytes_alone | {"use_regex": True}  # its own is the same
    else:
        pieces = {"pattern": {"Regex": tokenizer.pattern}, "behavior": "Isolated", "invert": False}
        split = {
            "type": "Sequence",
            "pretokenizers": [{"type": "Split"} | pieces, bytes_alone | {"use_regex": False}],
        }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [end],
        "normalizer": None,
        "pre_tokenizer": split,
        "post_processor": None,
        "decoder": bytes_alone | {"use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            # Whether a piece that is a token is taken as it is, as tiktoken does. Where merges make
            # every token it comes to the same.
            "ignore_merges": bool(unmade),
            "vocab": {
                **{spelled(token): rank for token, rank in tokenizer.ranks.items()},
                END_OF_TEXT: tokenizer.end_token,
            },
            "merges": [[spelled(left), spelled(right)] for left, right in pairs],
        },
    }


def _tokenizer_config(contents: Contents) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",  # which takes tokenizer.json as it is
        "model_max_length": contents.info.config.block_size,
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "clean_up_tokenization_spaces": False,
    }


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
