"""What each format can hold of a model, and what it holds otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mgpt_tui.errors import UserError
from mgpt_tui.family.byte_level import merges_of
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.contents import Contents
from mgpt_tui.model.split_pattern import GPT2_PATTERN

USUAL_EPSILON = GPTConfig().norm_epsilon
"""nanoGPT's too, which has no setting for it."""


def check(contents: Contents, to: str) -> None:
    """Refuse a model that a format cannot hold.

    Raises:
        UserError: with the reason.
    """
    reasons = {"hf": _not_in_hf, "gguf": _not_in_gguf, "nanogpt": _not_in_nanogpt}[to]
    for reason in reasons(contents):
        remedy = "hf holds it: --to hf." if to != "hf" else "Leave out --to."
        raise UserError(f"This model cannot be exported to {to}: {reason}.", remedy)
    if not contents.weights.are_finite():
        raise UserError(
            "Some weights of this model are infinite, or no numbers.", "Take another checkpoint."
        )


def told(shape: GPTConfig, to: str) -> str:
    """What is computed a little differently there, as a sentence; nothing where all is the same."""
    exact = {"nanogpt": True, "gguf": False}.get(to, shape.exact_gelu)
    if exact == shape.exact_gelu:
        return ""
    ways = ("by tanh", "by the error function")
    return f"This model has GELU {ways[not exact]}, {to} {ways[exact]}: scores differ slightly."


def hf_architecture(shape: GPTConfig) -> str:
    """What transformers calls a model of this shape: `gpt_neo` where it has local attention."""
    return "gpt_neo" if any(shape.local_windows) else "gpt2"


def with_biases(shape: GPTConfig, qkv: bool = True) -> GPTConfig:
    """The same shape with all biases, or with all but those of queries, keys and values.

    So formats have it that know no model without; zeros in them change no score.
    """
    return replace(shape, norm_bias=True, qkv_bias=qkv, proj_bias=True, mlp_bias=True)


def _not_in_hf(contents: Contents) -> Iterator[str]:
    shape = contents.info.config
    if hf_architecture(shape) == "gpt2":
        return
    if shape.scaled_scores:
        yield "GPT-Neo, which has local attention, does not scale its scores"
    if shape.has_bias("qkv"):
        yield "GPT-Neo, which has local attention, has no biases of queries, keys and values"
    if len({window for window in shape.local_windows if window}) > 1:
        yield "its layers have local windows of several lengths, and GPT-Neo has one length"


def _not_in_gguf(contents: Contents) -> Iterator[str]:
    shape = contents.info.config
    if any(shape.local_windows):
        yield "llama.cpp knows no local attention in a model of this kind"
    if not shape.scaled_scores:
        yield "its attention scores are not scaled, and llama.cpp scales them"
    if contents.tokenizer.pattern != GPT2_PATTERN:
        yield "its tokenizer splits texts otherwise than GPT-2's"
    if merges_of(contents.tokenizer)[1]:
        yield "some of its tokens are made by no merges"


def _not_in_nanogpt(contents: Contents) -> Iterator[str]:
    shape = contents.info.config
    if any(shape.local_windows):
        yield "nanoGPT knows no local attention"
    if not shape.scaled_scores:
        yield "its attention scores are not scaled, and nanoGPT scales them"
    if not shape.tied_head:
        yield "its head has weights of its own, and nanoGPT's has those of the token embedding"
    if shape.neurons != 4 * shape.n_embd:
        yield "its MLPs are not four times as wide as its stream, and nanoGPT's are"
    if shape.norm_epsilon != USUAL_EPSILON:
        yield f"its norms add {shape.norm_epsilon:g} to the variance, and nanoGPT's 1e-05"
    if contents.tokenizer.pattern != GPT2_PATTERN:
        yield "its tokenizer splits texts otherwise than GPT-2's, and ranks alone do not tell"
