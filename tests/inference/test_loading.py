"""What is loaded can be looked into, and shows what drew the text."""

import numpy as np
import pytest

from mgpt_tui.cores import cores
from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.model.checkpoint import save_checkpoint

GREEDY = SamplingSettings(temperature=0, max_tokens=20, ignore_end=True, finish_sentence=False)
END = 256
CONTEXT = [END, 40, 41, 42]


@pytest.fixture(params=["native", "fp32", "bf16"])
def loaded(request, tmp_path, random_model, tiny_model, byte_tokenizer):
    if request.param == "native":
        request.getfixturevalue("native_decoder")  # or skip
    save_checkpoint(tmp_path / "random", random_model(tiny_model.config), byte_tokenizer, {})
    return load_engine(tmp_path / "random", DecodingSettings(precision=request.param, threads=1))


def test_a_look_shows_what_drew_the_text(loaded):
    """To the last bit in native, where it is the same decoder; else within rounding."""
    logits = []
    tokens = list(CONTEXT)
    for token in loaded.engine.tokens(CONTEXT, GREEDY, 1):
        logits.append(loaded.engine.next_logits(tokens))
        tokens.append(token)
    found = loaded.open_decoder.recorded(tokens[:-1], ["logits"]).logits[len(CONTEXT) - 1 :]
    if isinstance(loaded.open_decoder, NativeDecoder):
        assert loaded.open_decoder._model is loaded.engine.decoder._model
        assert np.array_equal(found, np.stack(logits))
        assert found[:, :END].argmax(-1).tolist() == tokens[len(CONTEXT) :]
    else:
        tolerance = 1e-4 if loaded.tuning.precision == "fp32" else 0.1
        np.testing.assert_allclose(found, np.stack(logits), rtol=0, atol=tolerance)


def test_whoever_looks_has_all_cores_or_as_many_as_were_asked_for(
    native_decoder, tmp_path, random_model, tiny_model, byte_tokenizer
):
    save_checkpoint(tmp_path / "random", random_model(tiny_model.config), byte_tokenizer, {})
    asked = DecodingSettings(precision="native")
    assert load_engine(tmp_path / "random", asked).open_decoder.threads == cores()
    asked = DecodingSettings(precision="native", threads=3)
    loaded = load_engine(tmp_path / "random", asked)
    assert loaded.open_decoder.threads == loaded.engine.decoder.threads == 3


def test_an_engine_writes_on_with_edits(loaded):
    edits = [Edit(part="head", layer=0, index=1, factor=0), Edit(part="mlp", layer=1, factor=3.0)]
    edited = loaded.open_decoder.edited(edits)
    text = list(Engine(edited, loaded.engine.tokenizer).tokens(CONTEXT, GREEDY, 1))
    tokens = list(CONTEXT)
    for _ in text:  # the same without a cache
        found = edited.recorded(tokens, ["logits"], [len(tokens) - 1]).logits
        tokens.append(int(found[0, :END].argmax()))
    assert tokens[len(CONTEXT) :] == text
    assert text != list(loaded.engine.tokens(CONTEXT, GREEDY, 1))


def test_memory_is_told_before_it_is_taken(tiny_checkpoint, monkeypatch, mgpt):
    import mgpt_tui.memory

    words = ("generate", "--model", tiny_checkpoint, "--prompt", "a")

    size = (tiny_checkpoint / "model.safetensors").stat().st_size
    for left, said in ((size - 1, "To read"), (size + 1000, "To decode")):
        monkeypatch.setattr(mgpt_tui.memory, "memory_left", lambda left=left: left)
        outcome = mgpt(*words, "--precision", "fp32")
        assert outcome.code == 2 and said in outcome.err and "MB are left" in outcome.err
    monkeypatch.setattr(mgpt_tui.memory, "memory_left", lambda: None)  # nobody knows
    assert mgpt(*words, "--max-tokens", 3).code == 0
