"""A GPT written anew in numpy, in fp64, and texts and decoders to look into."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.model.config import GPTConfig

SHAPE = GPTConfig(n_layer=3, n_head=4, n_embd=32, block_size=32, vocab_size=257, dropout=0.0)


class ByHand:
    """All that a model computes for some tokens, from its weights by plain formulas.

    Its attributes are what is looked at: numbers of layers, heads and tokens come first.

    Args:
        model: in fp64.
        tokens: to read.
        skip: layers that are left out.
        instead: what to put in the place of what a part computes, by its name in the grammar.
    """

    def __init__(self, model, tokens, skip=(), instead=None):
        instead = instead or {}
        self.weights = {name: w.detach().numpy() for name, w in model.named_parameters()}
        self.config, T = model.config, len(tokens)
        C, H, D = self.config.n_embd, self.config.n_head, self.config.head_size
        x = self.get("token_embedding.weight")[list(tokens)]
        x = x + self.get("position_embedding.weight")[:T]
        self.stations, self.attention, self.moved, self.heads = [x], [], [], []
        self.mlps, self.active, self.biases, self.gathered = [], [], [], []
        for layer in range(self.config.n_layer):
            of = f"blocks.{layer}"
            normed = self.norm(x, f"{of}.attention_norm")
            q, k, v = np.split(self.linear(normed, f"{of}.attention.qkv"), 3, axis=-1)
            out, scores = self.get(f"{of}.attention.proj.weight"), []
            heads, moved = np.zeros((H, T, C)), np.zeros((H, T, T, C))
            for h in range(H):
                own = slice(h * D, (h + 1) * D)
                a = q[:, own] @ k[:, own].T / D**0.5
                a[np.triu_indices(T, 1)] = -np.inf
                a = np.exp(a - a.max(-1, keepdims=True))
                a /= a.sum(-1, keepdims=True)
                scores.append(a)
                for t in range(T):
                    for s in range(t + 1):
                        moved[h, t, s] = out[:, own] @ (a[t, s] * v[s, own])
                heads[h] = moved[h].sum(1)
                if f"L{layer + 1}H{h + 1}" in instead:
                    heads[h] = out[:, own] @ instead[f"L{layer + 1}H{h + 1}"]
            self.attention.append(scores)
            taken = [a @ v[:, h * D : (h + 1) * D] for h, a in enumerate(scores)]
            self.gathered.append(np.concatenate(taken, axis=1))
            self.moved.append(moved)
            self.heads.append(heads)
            bias = self.bias(f"{of}.attention.proj", C)
            if layer not in skip:
                x = x + instead.get(f"A{layer + 1}", heads.sum(0) + bias)
            self.stations.append(x)
            z = self.linear(self.norm(x, f"{of}.mlp_norm"), f"{of}.mlp.fc")
            z = 0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
            for name, value in instead.items():
                if name.startswith(f"N{layer + 1}."):
                    z[:, int(name.split(".")[1]) - 1] = value
            self.active.append(z)
            self.mlps.append(z @ self.get(f"{of}.mlp.proj.weight").T)
            self.biases += [bias, self.bias(f"{of}.mlp.proj", C)]
            if layer not in skip:
                x = x + instead.get(f"M{layer + 1}", self.mlps[-1] + self.biases[-1])
            self.stations.append(x)
        self.logits = self.read_out(x)
        self.logprobs = np.log(softmax(self.logits))

    def get(self, name):
        return self.weights[name]

    def bias(self, name, size):
        return self.get(f"{name}.bias") if self.config.bias else np.zeros(size)

    def linear(self, x, name):
        weight = self.get(f"{name}.weight")
        return x @ weight.T + self.bias(name, len(weight))

    def norm(self, x, name):
        normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return normed * self.get(f"{name}.weight") + self.bias(name, x.shape[-1])

    def read_out(self, x):
        return self.norm(x, "final_norm") @ self.get("token_embedding.weight").T


def softmax(logits):
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def sequence(length, seed=0, few=257):
    """Tokens that begin as every story does; `few` to draw from, so that some come again."""
    rng = np.random.default_rng(seed)
    return [256, *rng.integers(0, few, length - 1).tolist()]


@pytest.fixture(scope="session", params=[False, True], ids=["plain", "biased"])
def case(request, random_model):
    """A model in fp64, a text, what is found in it and what is by hand."""
    model = random_model(replace(SHAPE, bias=request.param), 5).to(torch.float64)
    tokens = sequence(20, few=9)
    decoder = PlainDecoder(model)
    return SimpleNamespace(
        model=model,
        decoder=decoder,
        tokens=tokens,
        reading=Reading(decoder, tokens),
        weights=Weights(decoder),
        hand=ByHand(model, tokens),
    )


@pytest.fixture(scope="session")
def by_hand():
    return ByHand


@pytest.fixture(scope="session")
def sequences():
    return sequence
