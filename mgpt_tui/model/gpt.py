"""MrityunjayaGPT: the whole language model in one file, to be read from top to bottom.

A GPT-2-style decoder (Radford et al., "Language Models are Unsupervised Multitask Learners",
2019): token and position embeddings, `n_layer` blocks that each add attention and an MLP to a
residual stream, a final norm, and a head that shares its weights with the token embedding. Where
others of GPT-2's family differ from that, `config.py` says how. At the bottom stand the two things
that are done with it: the loss that it learns from, and the loop that makes it write. What makes
them fast stands elsewhere (`kv_cache.py`, `inference/`, `training/`).

Shapes are written with these letters:

    B  sequences in the batch            C  n_embd, width of the residual stream
    T  tokens read in this call          H  n_head, attention heads
    S  tokens seen: cached ones + T      D  C / H, width of one head
    V  vocab_size                        F  neurons of an MLP, 4 C as a rule

Behind each part stands the name that GPT-2's own weights give it. Whoever wants to look inside, or
to change what is computed there, passes a `Hook`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.kv_cache import KVCache

Hook = Callable[[str, int, Tensor], Tensor]
"""Sees what is computed, by name and number, and returns what is used: the same, or another.

    stream     0 .. 2 n_layer        (B, T, C)     the residual stream: the embedding sum, then
                                                   after every part (attention, MLP, attention ...)
    mean       0 .. 2 n_layer        (B, T, 1)     of the norm that reads stream 0, 1 ..
    rstd       0 .. 2 n_layer        (B, T, 1)     1 / standard deviation of the same
    keys       0 .. n_layer - 1      (B, H, T, D)  as this call adds them to the cache
    values     0 .. n_layer - 1      (B, H, T, D)  likewise
    attention  0 .. n_layer - 1      (B, H, T, S)  how much each query takes of each value
    gathered   0 .. n_layer - 1      (B, H, T, D)  what each head takes, before the projection
    neurons    0 .. n_layer - 1      (B, T, F)     of the MLP, after GELU
    added      0 .. 2 n_layer - 1    (B, T, C)     by every part to the stream
    logits     0                     (B, T, V)

With a hook, attention and norms take their written-out forms.
"""


def untouched(name: str, number: int, x: Tensor) -> Tensor:
    """The hook of nobody: what is computed is used."""
    return x


def causal_mask(n_new: int, n_seen: int, device: torch.device, window: int = 0) -> Tensor:
    """Which keys each query may look at: itself and what came before.

    With a local `window` other than 0, only the nearest so many, itself among them.

    Returns:
        bool (T, S), True where looking is allowed. Query t stands at position S - T + t.
    """
    positions = torch.arange(n_seen, device=device)
    queries = positions[n_seen - n_new :, None]
    allowed = positions[None, :] <= queries
    return allowed & (positions[None, :] > queries - window) if window else allowed


def written_out_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dropout: nn.Dropout,
    scaled: bool = True,
    window: int = 0,
    hook: Hook = untouched,
    layer: int = 0,
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(D)) V with a causal mask, step by step.

    Formula (1) of Vaswani et al., "Attention Is All You Need" (2017).

    Args:
        q: (B, H, T, D); k, v: (B, H, S, D).

    Returns:
        What each query gathered (B, H, T, D), and the weights it used (B, H, T, S).
    """
    scores = q @ k.transpose(-2, -1)  # (B, H, T, S)
    if scaled:
        scores = scores / math.sqrt(q.shape[-1])
    allowed = causal_mask(q.shape[-2], k.shape[-2], q.device, window)  # (T, S)
    scores = scores.masked_fill(~allowed, float("-inf"))
    weights = torch.softmax(scores, dim=-1)  # (B, H, T, S), each row sums to 1
    weights = hook("attention", layer, weights)
    return dropout(weights) @ v, weights  # (B, H, T, D)


def fused_attention(
    q: Tensor, k: Tensor, v: Tensor, dropout: float, scaled: bool = True, window: int = 0
) -> Tensor:
    """The same sum by torch's fused kernel, which never writes the (T, S) weights down.

    Dao et al., "FlashAttention" (2022). Shapes as in `written_out_attention`.
    """
    attend = partial(F.scaled_dot_product_attention, dropout_p=dropout, scale=None if scaled else 1)
    n_new, n_seen = q.shape[-2], k.shape[-2]
    if window:  # what no query sees is left out
        n_seen = min(n_seen, n_new - 1 + window)
        k, v = k[..., -n_seen:, :], v[..., -n_seen:, :]
    if n_new == n_seen and not 0 < window < n_seen:
        return attend(q, k, v, is_causal=True)
    mask = None if n_new == 1 else causal_mask(n_new, n_seen, q.device, window)
    return attend(q, k, v, attn_mask=mask)


class Norm(nn.LayerNorm):
    """Every token's vector to mean 0 and standard deviation 1, times learned weights.

    Ba et al., "Layer Normalization" (2016).

    Args:
        config: the shape.
        number: which norm it is, by the station of the stream that it reads.
    """

    def __init__(self, config: GPTConfig, number: int) -> None:
        super().__init__(config.n_embd, eps=config.norm_epsilon, bias=config.has_bias("norm"))
        self.number = number

    def forward(self, x: Tensor, hook: Hook = untouched) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        if hook is untouched:
            return super().forward(x)  # the same in one call
        mean = hook("mean", self.number, x.mean(-1, keepdim=True))  # (B, T, 1)
        variance = (x - mean).square().mean(-1, keepdim=True)
        rstd = hook("rstd", self.number, torch.rsqrt(variance + self.eps))
        normed = (x - mean) * rstd * self.weight
        return normed if self.bias is None else normed + self.bias


class CausalSelfAttention(nn.Module):
    """Every token gathers what it needs from the tokens before it.

    Args:
        config: the shape.
        layer: which block it stands in, from 0.
    """

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        C = config.n_embd
        self.layer, self.n_head = layer, config.n_head
        self.scaled, self.window = config.scaled_scores, config.local_window(layer)
        self.qkv = nn.Linear(C, 3 * C, bias=config.has_bias("qkv"))  # c_attn
        self.proj = nn.Linear(C, C, bias=config.has_bias("proj"))  # c_proj
        self.attention_dropout = nn.Dropout(config.dropout)
        self.residual_dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, cache: KVCache | None, hook: Hook, fused: bool) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head)  # (B, T, 3, H, D)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, T, D)
        k, v = hook("keys", self.layer, k), hook("values", self.layer, v)
        if cache is not None:
            k, v = cache.append(self.layer, k, v)  # each (B, H, S, D)
        if fused and hook is untouched:
            y = self.attend(q, k, v)  # (B, H, T, D)
        else:
            kind = self.attention_dropout, self.scaled, self.window
            y, _ = written_out_attention(q, k, v, *kind, hook, self.layer)
        y = hook("gathered", self.layer, y)
        y = y.transpose(1, 2).reshape(B, T, C)  # heads side by side again
        added: Tensor = self.residual_dropout(self.proj(y))
        return added

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What each query gathers, by the fast way: q (B, H, T, D), k, v (B, H, S, D) -> as q.

        Training has a faster one on some machines, in a class of its own.
        """
        dropout = self.attention_dropout.p if self.training else 0.0
        return fused_attention(q, k, v, dropout, self.scaled, self.window)


class MLP(nn.Module):
    """For every token by itself: four times as wide, GELU (as a rule by tanh), and back to C."""

    def __init__(self, config: GPTConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        C, F, bias = config.n_embd, config.neurons, config.has_bias("mlp")
        self.approximate = "none" if config.exact_gelu else "tanh"
        self.fc = nn.Linear(C, F, bias=bias)  # c_fc
        self.proj = nn.Linear(F, C, bias=bias)  # c_proj
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, hook: Hook) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        hidden = F.gelu(self.fc(x), approximate=self.approximate)  # (B, T, F)
        hidden = hook("neurons", self.layer, hidden)
        added: Tensor = self.dropout(self.proj(hidden))
        return added


class Block(nn.Module):
    """Attention, then MLP; each reads a normed copy and adds its result to the stream."""

    def __init__(self, config: GPTConfig, layer: int, attention: type[CausalSelfAttention]) -> None:
        super().__init__()
        self.layer = layer
        self.attention_norm = Norm(config, 2 * layer)  # ln_1
        self.attention = attention(config, layer)  # attn
        self.mlp_norm = Norm(config, 2 * layer + 1)  # ln_2
        self.mlp = MLP(config, layer)  # mlp

    def forward(self, x: Tensor, cache: KVCache | None, hook: Hook, fused: bool) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        first, second = 2 * self.layer, 2 * self.layer + 1
        added = self.attention(self.attention_norm(x, hook), cache, hook, fused)
        x = hook("stream", first + 1, x + hook("added", first, added))
        added = self.mlp(self.mlp_norm(x, hook), hook)
        return hook("stream", second + 1, x + hook("added", second, added))


class GPT(nn.Module):
    """Tokens in, a score for every possible next token out.

    Args:
        config: the shape.
        generator: source of the initial weights; without one they stay as torch made them,
            which is right where a checkpoint is about to be loaded.
        attention: one with another `attend`, which computes the same.
    """

    def __init__(
        self,
        config: GPTConfig,
        generator: torch.Generator | None = None,
        attention: type[CausalSelfAttention] = CausalSelfAttention,
    ) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)  # wte
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)  # wpe
        self.embedding_dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(  # h
            Block(config, layer, attention) for layer in range(config.n_layer)
        )
        self.final_norm = Norm(config, 2 * config.n_layer)  # ln_f
        self.unembedding = None  # lm_head; as a rule it is tied to wte
        if not config.tied_head:
            self.unembedding = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if generator is not None:
            self.init_weights(generator)

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator) -> None:
        """Draw the weights as GPT-2 does: N(0, 0.02), smaller where a block adds to the stream.

        There are two additions per block, so their standard deviation shrinks by
        sqrt(2 * n_layer) and the stream keeps its scale at any depth.
        """
        small = 0.02 / math.sqrt(2 * self.config.n_layer)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = small if name.endswith("proj.weight") else 0.02
                weight.normal_(0.0, std, generator=generator)
            elif name.endswith("bias"):
                weight.zero_()
            else:
                weight.fill_(1.0)

    def hidden(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        hook: Hook = untouched,
        fused: bool = True,
    ) -> Tensor:
        """The residual stream after the final norm: what the head reads.

        Args:
            tokens: int64 (B, T).
            cache: what was read before; it is extended by these T tokens.
            hook: sees what is computed, and may change it.
            fused: False takes the written-out attention.

        Returns:
            (B, T, C).

        Raises:
            ValueError: where cached and new tokens together exceed `block_size`.
        """
        T = tokens.shape[1]
        start = 0 if cache is None else cache.length
        if start + T > self.config.block_size:
            raise ValueError(f"{start + T} tokens exceed the block size {self.config.block_size}")
        positions = torch.arange(start, start + T, device=tokens.device)  # (T,)
        x = self.token_embedding(tokens) + self.position_embedding(positions)  # (B, T, C)
        x = hook("stream", 0, self.embedding_dropout(x))
        for block in self.blocks:
            x = block(x, cache, hook, fused)
        if cache is not None:
            cache.advance(T)
        normed: Tensor = self.final_norm(x, hook)
        return normed

    @property
    def head_weight(self) -> Tensor:
        """(V, C), what the head looks for: as a rule each token's embedding."""
        own = self.unembedding
        return self.token_embedding.weight if own is None else own.weight

    def head(self, hidden: Tensor) -> Tensor:
        """(..., C) -> logits (..., V): how well each token's row matches the stream."""
        return F.linear(hidden, self.head_weight)

    def forward(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        hook: Hook = untouched,
        fused: bool = True,
    ) -> Tensor:
        """Logits of the next token at every position: (B, T, V). Arguments as in `hidden`."""
        return hook("logits", 0, self.head(self.hidden(tokens, cache, hook, fused)))

    def loss(self, tokens: Tensor) -> Tensor:
        """How surprised the model is by `tokens`, int64 (B, T): mean of -log p(next), in nats.

        Every token but the last is asked for the one after it. `training.step.loss` computes
        the same without ever holding the (B, T, V) logits.
        """
        logits = self(tokens[:, :-1])  # (B, T - 1, V)
        return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

    @torch.no_grad()
    def generate(
        self, tokens: Tensor, n_new: int, generator: torch.Generator, temperature: float = 1.0
    ) -> Tensor:
        """Write on: `tokens` int64 (B, T) with `n_new` drawn ones after them, (B, T + n_new).

        The whole of decoding, and all that a language model does, in its plainest form: read
        everything, draw the next token, append it, and do it again. The engine draws the same
        way, and reads each token once (`inference/`).
        """
        for _ in range(n_new):
            logits = self(tokens[:, -self.config.block_size :])[:, -1]  # (B, V)
            chances = torch.softmax(logits / temperature, dim=-1)
            drawn = torch.multinomial(chances, 1, generator=generator)  # (B, 1)
            tokens = torch.cat([tokens, drawn], dim=1)
        return tokens
