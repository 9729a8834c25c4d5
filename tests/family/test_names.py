"""The one table of names holds both ways, and is that of the formats themselves."""

from dataclasses import replace

import numpy as np
import pytest

from mgpt_tui.family import names
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.weights import shapes

CONFIG = replace(SHAPES["tiny"], vocab_size=300, block_size=8, n_embd=6, n_head=2, bias=True)


@pytest.mark.parametrize("naming", [names.GPT2, names.GPT_NEO, names.NANOGPT, names.GGUF])
def test_what_is_given_is_taken_again(naming):
    numbers = np.random.default_rng(0)
    weights = {name: numbers.normal(size=size) for name, size in shapes(CONFIG).items()}
    entries = list(naming.entries(CONFIG))
    theirs = {}
    for entry in entries:
        given = entry.given(weights[entry.ours])
        assert {part.shape for part in given.values()} == {entry.their_shape}
        theirs |= given
    assert len(theirs) == sum(len(entry.theirs) for entry in entries)
    for entry in entries:
        np.testing.assert_array_equal(entry.taken(theirs), weights[entry.ours])


def test_hugging_face_has_these_names_and_shapes():
    from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoConfig, GPTNeoForCausalLM

    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_positions=8, n_embd=6, n_layer=2, n_head=2))
    neo = GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=300,
            max_position_embeddings=8,
            hidden_size=6,
            num_layers=2,
            num_heads=2,
            attention_types=[[["global", "local"], 1]],
        )
    )
    for naming, theirs in ((names.GPT2, gpt2), (names.GPT_NEO, neo)):
        found = {name: tuple(weight.shape) for name, weight in theirs.named_parameters()}
        expected = {
            name: entry.their_shape for entry in naming.entries(CONFIG) for name in entry.theirs
        }
        for name in ("q_proj", "k_proj", "v_proj"):  # which have no biases there
            for layer in range(2):
                expected.pop(f"transformer.h.{layer}.attn.attention.{name}.bias", None)
        assert found == expected
        masks = [name for name in theirs.state_dict() if names.MASK.fullmatch(name)]
        assert not set(masks) & set(found)
