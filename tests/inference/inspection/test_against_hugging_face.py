"""The views in fp32 against Hugging Face's GPT-2, by its own outputs and by hooks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from peers import hugging_face

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.inspection.attention import carried, weights_of
from mgpt_tui.inference.inspection.lens import lens
from mgpt_tui.inference.inspection.neurons import neurons
from mgpt_tui.inference.inspection.parts import parts
from mgpt_tui.inference.inspection.surprise import Surprise
from mgpt_tui.inference.inspection.weights import Weights
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.model.config import GPTConfig

SHAPE = GPTConfig(n_layer=3, n_head=4, n_embd=32, block_size=32, vocab_size=257, dropout=0.0)


def test_every_view_tells_what_hugging_face_computes(random_model, byte_tokenizer, sequences):
    model = random_model(replace(SHAPE, bias=True), 2)
    tokens, number, target = sequences(30, 4), 21, 77
    row = number - 1
    theirs = hugging_face(model).eval()
    theirs.set_attn_implementation("eager")
    inputs, outputs, hooks = {}, {}, []
    for name, part in theirs.transformer.named_modules():

        def keep(_, given, made, name=name):
            if given and isinstance(made, torch.Tensor):
                inputs[name], outputs[name] = given[0][0].numpy(), made[0].numpy()

        hooks.append(part.register_forward_hook(keep))
    with torch.inference_mode():
        told = theirs(torch.tensor([tokens]), output_attentions=True, output_hidden_states=True)
        for hook in hooks:
            hook.remove()
        logits = told.logits[0]
        logprobs = torch.log_softmax(logits.double(), -1).numpy()
        states = [told.hidden_states[0][0], *(state[0] for state in told.hidden_states[1:-1])]
        middles = [torch.from_numpy(inputs[f"h.{layer}.ln_2"]) for layer in range(3)]
        # Of their states the last has the final norm already.
        states.append(torch.from_numpy(inputs["ln_f"]))
        stations = [state for pair in zip(states, [*middles, None], strict=True) for state in pair]
        lenses = [
            torch.softmax(theirs.lm_head(theirs.transformer.ln_f(x[row])).double(), -1).numpy()
            for x in stations[:-1]
        ]

    decoder = PlainDecoder(model)
    reading, weights = Reading(decoder, tokens), Weights(decoder)
    window = reading.window(number)
    scores = Surprise(reading, byte_tokenizer).scores
    came = logprobs[np.arange(29), tokens[1:]]
    assert np.abs(scores.logprobs - came).max() < 1e-4
    assert scores.ranks.tolist() == (1 + (logprobs[:-1] > came[:, None]).sum(-1)).tolist()
    entropies = -(np.exp(logprobs) * logprobs).sum(-1)
    assert np.abs(scores.entropies - entropies).max() < 1e-4

    attention = torch.stack(told.attentions)[:, 0, :, row, :number].numpy()
    assert np.abs(weights_of(window, number) - attention).max() < 1e-6

    for station, p in zip(lens(window, number, weights, target, str), lenses, strict=True):
        assert station.p == pytest.approx(p[target], abs=1e-6)
        assert station.rank == 1 + (p > p[target]).sum()
        assert [guess.token for guess in station.top] == np.argsort(-p)[:5].tolist()

    x = inputs["ln_f"][row]
    scale = theirs.transformer.ln_f.weight.numpy(force=True) / np.sqrt(x.var() + 1e-5)
    look_for = theirs.lm_head.weight.numpy(force=True)[target]
    found = parts(window, number, weights, target)
    assert found.logit == pytest.approx(float(logits[row, target]), abs=1e-4)
    assert abs(found.rounding) < 1e-4
    size = carried(window, number, weights)
    for layer in range(3):
        rows = theirs.transformer.h[layer].attn.c_proj.weight.numpy(force=True)
        value = outputs[f"h.{layer}.attn.c_attn"][:number, 64:]
        gathered = inputs[f"h.{layer}.attn.c_proj"][row]
        for head in range(4):
            own = slice(8 * head, 8 * head + 8)
            c = gathered[own] @ rows[own]
            adds = look_for @ (scale * (c - c.mean()))
            assert found.heads[layer][head] == pytest.approx(adds, abs=1e-5)
            moved = attention[layer, head][:, None] * (value[:, own] @ rows[own])
            assert np.abs(size[layer, head] - np.linalg.norm(moved, axis=-1)).max() < 1e-5
        active = outputs[f"h.{layer}.mlp.act"][row]
        for neuron in neurons(window, number, weights, target)[10 * layer : 10 * layer + 10]:
            assert neuron.layer == layer + 1
            assert neuron.activation == pytest.approx(active[neuron.neuron - 1], abs=1e-5)
            column = theirs.transformer.h[layer].mlp.c_proj.weight[neuron.neuron - 1]
            c = neuron.activation * column.numpy(force=True)
            assert neuron.towards == pytest.approx(look_for @ (scale * (c - c.mean())), abs=1e-5)
