"""What looking inside tells, held against TransformerLens on the weights of the embedded model.

`make peers` runs it in an environment of its own, for TransformerLens brings much along. Printed is
the largest difference of each kind, and its bound; where one is exceeded, the exit code is 1.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.inspection.attention import weights_of
from mgpt_tui.inference.inspection.lens import lens
from mgpt_tui.inference.inspection.mute import muted_logits
from mgpt_tui.inference.inspection.names import Part
from mgpt_tui.inference.inspection.parts import parts
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.registry import find_model

HEAD = Part("head", 2, 3)
"""Which is muted."""


def hooked(ours: GPT) -> Any:
    """A `HookedTransformer` with our weights as they are: nothing is folded or centred."""
    shape = ours.config
    H, C, D = shape.n_head, shape.n_embd, shape.head_size
    theirs = HookedTransformer(
        HookedTransformerConfig(
            n_layers=shape.n_layer,
            d_model=C,
            n_ctx=shape.block_size,
            d_head=D,
            n_heads=H,
            d_mlp=4 * C,
            d_vocab=shape.vocab_size,
            act_fn="gelu_new",
            normalization_type="LN",
            eps=1e-5,
            device="cpu",
        )
    )
    own = {name: weight.detach() for name, weight in ours.named_parameters()}

    def bias(name: str, size: int) -> torch.Tensor:
        return own.get(f"{name}.bias", torch.zeros(size))

    state = {
        "embed.W_E": own["token_embedding.weight"],
        "pos_embed.W_pos": own["position_embedding.weight"],
        "ln_final.w": own["final_norm.weight"],
        "ln_final.b": bias("final_norm", C),
        "unembed.W_U": own["token_embedding.weight"].T,
        "unembed.b_U": torch.zeros(shape.vocab_size),
    }
    for layer in range(shape.n_layer):
        of, to = f"blocks.{layer}", f"blocks.{layer}"
        projections = own[f"{of}.attention.qkv.weight"].chunk(3)
        biases = bias(f"{of}.attention.qkv", 3 * C).chunk(3)
        for name, weight, offset in zip("QKV", projections, biases, strict=True):
            state[f"{to}.attn.W_{name}"] = weight.view(H, D, C).transpose(1, 2)
            state[f"{to}.attn.b_{name}"] = offset.view(H, D)
        state[f"{to}.attn.W_O"] = own[f"{of}.attention.proj.weight"].T.reshape(H, D, C)
        state[f"{to}.attn.b_O"] = bias(f"{of}.attention.proj", C)
        for number, norm in enumerate(("attention_norm", "mlp_norm"), 1):
            state[f"{to}.ln{number}.w"] = own[f"{of}.{norm}.weight"]
            state[f"{to}.ln{number}.b"] = bias(f"{of}.{norm}", C)
        for name, linear, size in (("in", "fc", 4 * C), ("out", "proj", C)):
            state[f"{to}.mlp.W_{name}"] = own[f"{of}.mlp.{linear}.weight"].T
            state[f"{to}.mlp.b_{name}"] = bias(f"{of}.mlp.{linear}", size)
    missing, unknown = theirs.load_state_dict(state, strict=False)
    assert not unknown and all("mask" in name or "IGNORE" in name for name in missing), missing
    return theirs.eval()


@torch.no_grad()
def differences() -> list[tuple[str, float, float]]:
    """What was compared, the largest difference, and its bound."""
    checkpoint = load_checkpoint(find_model().path)
    tokenizer, model = checkpoint.tokenizer, checkpoint.model.eval()
    tokens = [tokenizer.end_token, *tokenizer.encode(shipped_stories()[0])]
    tokens = tokens[: model.config.block_size]
    number, row, target = len(tokens) - 1, len(tokens) - 2, tokens[-1]
    theirs = hooked(model)
    read = torch.tensor([tokens])
    logits, cache = theirs.run_with_cache(read, prepend_bos=False)
    decoder = PlainDecoder(model)
    reading, weights = Reading(decoder, tokens), Weights(decoder)
    window = reading.window(number)
    record = window.record("stream", "neurons", "gathered", "logits")
    layers = range(model.config.n_layer)

    streams = [cache["hook_embed"] + cache["hook_pos_embed"]]
    for layer in layers:
        streams += [cache["resid_mid", layer], cache["resid_post", layer]]
    stream = np.stack([each[0].numpy() for each in streams])
    pattern = np.stack([cache["pattern", layer][0, :, row, :number].numpy() for layer in layers])
    gathered = np.stack([cache["z", layer][0].flatten(-2).numpy() for layer in layers])
    neurons = np.stack([cache["post", layer][0].numpy() for layer in layers])
    chances = torch.softmax(
        theirs.unembed(theirs.ln_final(torch.stack([each[0, row] for each in streams])[None]))[0],
        -1,
    )[:, target].numpy()
    lenses = np.array([each.p for each in lens(window, number, weights, target, str)])

    scale = cache["ln_final.hook_scale"][0, row]
    look_for = theirs.ln_final.w * theirs.unembed.W_U[:, target]
    adds = []
    for layer in layers:
        each = torch.einsum("hd,hdc->hc", cache["z", layer][0, row], theirs.blocks[layer].attn.W_O)
        adds.append(((each - each.mean(-1, keepdim=True)) / scale) @ look_for)
    found = np.array(parts(window, number, weights, target).heads)

    def mute(z: torch.Tensor, hook: object) -> torch.Tensor:
        z[:, :, HEAD.index - 1] = 0
        return z

    name = f"blocks.{HEAD.layer - 1}.attn.hook_z"
    muted = theirs.run_with_hooks(read, prepend_bos=False, fwd_hooks=[(name, mute)])[0]
    without = muted_logits(reading, range(1, number + 1), [HEAD])
    return [
        ("attention", _most(weights_of(window, number), pattern), 1e-6),
        ("stream, relative", _most(record.stream, stream) / float(np.abs(stream).max()), 1e-5),
        ("what heads gather", _most(record.gathered.reshape(gathered.shape), gathered), 1e-4),
        ("neurons", _most(record.neurons, neurons), 1e-4),
        ("logits", _most(record.logits, logits[0].numpy()), 1e-4),
        ("chances by the lens", _most(lenses, chances), 1e-5),
        ("what heads add to a logit", _most(found, torch.stack(adds).numpy()), 1e-4),
        (f"logits without {HEAD}", _most(without, muted[:number].numpy()), 1e-4),
    ]


def _most(ours: Any, theirs: Any) -> float:
    return float(np.abs(np.asarray(ours, np.float64) - theirs).max())


def main() -> None:
    """Compare, and say how much they differ."""
    found = differences()
    for what, difference, bound in found:
        print(f"{what:<28}{difference:10.1e}   bound {bound:.0e}")
    sys.exit(any(difference > bound for _, difference, bound in found))


if __name__ == "__main__":
    main()
