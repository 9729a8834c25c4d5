"""Tiny random models of other programs, each in its own folder, with a tokenizer of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer as TheirTokenizer
from tokenizers import decoders, models, pre_tokenizers, trainers

from mgpt_tui.family.byte_level import CHARACTERS
from mgpt_tui.text import END_OF_TEXT

TEXT = "Once upon a time there was a little girl who lived in a small house near the woods. " * 9
CONTEXT = 32


@pytest.fixture(scope="session")
def their_tokenizer() -> TheirTokenizer:
    """Byte-level BPE with 300 entries, <|endoftext|> the first of them."""
    tokenizer = TheirTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=list(CHARACTERS.values()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def stirred(model: Any, seed: int = 0) -> Any:
    """The model with weights far from uniform, its biases and norms among them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            size = 0.1 if weight.dim() == 2 else 0.2
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=size)
    return model.eval()


GPT2 = {
    "gpt2": {},
    "narrow": {
        "n_inner": 40,
        "n_head": 1,
        "layer_norm_epsilon": 1e-3,
        "activation_function": "gelu",
    },
    "unscaled": {"scale_attn_weights": False},
    "untied": {"tie_word_embeddings": False},
}
NEO = {
    "gpt_neo": {"window_size": 5, "attention_types": [[["global", "local"], 2]]},
    "local": {"window_size": 5, "attention_types": [[["local"], 4]], "intermediate_size": 50},
}
SHAPES = [*GPT2, *NEO]


def made(shape: str) -> Any:
    """A model of transformers by the name of its shape."""
    from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoConfig, GPTNeoForCausalLM

    if shape in GPT2:
        sizes = {"vocab_size": 300, "n_positions": CONTEXT, "n_embd": 24, "n_layer": 3, "n_head": 2}
        make = partial(GPT2LMHeadModel, GPT2Config(**sizes | GPT2[shape]))
    else:
        sizes = {"vocab_size": 300, "max_position_embeddings": CONTEXT, "hidden_size": 24}
        sizes |= {"num_layers": 4, "num_heads": 2}
        make = partial(GPTNeoForCausalLM, GPTNeoConfig(**sizes | NEO[shape]))
    with torch.random.fork_rng():  # they draw from the global one
        torch.manual_seed(0)
        return stirred(make())


@dataclass
class Theirs:
    """A model of transformers, and where it is saved.

    Attributes:
        model: as it was saved.
        folder: with all of its files.
        tokenizer: its own.
    """

    model: Any
    folder: Path
    tokenizer: TheirTokenizer

    def ids(self, tokens: Sequence[int], vocabulary: Sequence[bytes]) -> list[int]:
        """Tokens of ours as it numbers them."""
        spelled = ["".join(map(CHARACTERS.__getitem__, token)) for token in vocabulary]
        whole = [self.tokenizer.token_to_id(token or END_OF_TEXT) for token in spelled]
        return [whole[token] for token in tokens]

    @torch.inference_mode()
    def logits(self, ids: Sequence[int]) -> torch.Tensor:
        """(T, V), as it numbers tokens."""
        return self.model(torch.tensor([list(ids)])).logits[0]


@pytest.fixture
def theirs(
    tmp_path: Path, their_tokenizer: TheirTokenizer, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Theirs]:
    """Makes a model by the name of its shape, and saves it as safetensors."""

    def save(shape: str, **how: Any) -> Theirs:
        model, folder = made(shape), tmp_path / shape
        model.save_pretrained(folder, **how)
        their_tokenizer.save(str(folder / "tokenizer.json"))
        capfd.readouterr()  # what their libraries have to say
        return Theirs(model, folder, their_tokenizer)

    return save


def change_json(path: Path, **changes: Any) -> None:
    """Put other values into a JSON file; None takes one out."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
