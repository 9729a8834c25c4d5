"""Exported GGUF files in llama.cpp and its own reader, where these are installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import Tokenizer
from tests.conftest import Outcome
from tests.family.models import VOCABULARY, checkpoint_of
from tests.family.texts import random_texts

PROMPT = "Once upon a time, there was a little girl named Zoë 🦊."


def test_llama_cpp_writes_the_same_story(mgpt: Callable[..., Outcome], tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    out = tmp_path / "storyteller.gguf"
    assert mgpt("export", "storyteller", out, "--to", "gguf", "--weights", "f32").code == 0
    ours = load_checkpoint(find_model().path)
    tokens = [ours.tokenizer.end_token, *ours.tokenizer.encode(PROMPT)]
    with torch.no_grad():
        for _ in range(40):
            tokens.append(int(ours.model(torch.tensor([tokens]))[0, -1].argmax()))
    llama = llama_cpp.Llama(str(out), n_ctx=256, n_threads=1, verbose=False)
    try:
        written = llama.create_completion(PROMPT, max_tokens=40, temperature=0)
        assert PROMPT + written["choices"][0]["text"] == ours.tokenizer.decode(tokens)
        for text in random_texts(300, seed=2):
            ids = llama.tokenize(text.encode(), add_bos=False, special=False)
            assert ids == ours.tokenizer.encode(text), ascii(text)
    finally:
        llama.close()


@pytest.mark.parametrize(
    "shape",
    [{}, {"bias": True, "tied_head": False, "mlp_width": 96, "norm_epsilon": 1e-3}],
    ids=["trained here", "odd"],
)
def test_llama_cpp_computes_the_same(
    mgpt: Callable[..., Outcome], tmp_path: Path, trimmed: Tokenizer, shape: dict[str, object]
) -> None:
    llama_cpp = pytest.importorskip("llama_cpp")
    ours = checkpoint_of(tmp_path / "ours", trimmed, **shape)
    out = tmp_path / "ours.gguf"
    assert mgpt("export", tmp_path / "ours", out, "--to", "gguf", "--weights", "f32").code == 0
    tokens = list(range(3, 35))
    llama = llama_cpp.Llama(str(out), n_ctx=32, n_threads=1, logits_all=True, verbose=False)
    try:
        llama.eval(tokens)
        with torch.no_grad():
            expected = ours.model(torch.tensor([tokens]))[0].numpy()
        np.testing.assert_allclose(llama.scores[:32], expected, atol=5e-3)  # GELU in 16 bits
    finally:
        llama.close()


@pytest.mark.parametrize("form", ["f32", "f16", "q8_0"])
def test_its_reader_finds_what_its_writer_would_write(
    mgpt: Callable[..., Outcome], tmp_path: Path, trimmed: Tokenizer, form: str
) -> None:
    gguf = pytest.importorskip("gguf")
    weights = checkpoint_of(tmp_path / "ours", trimmed, tied_head=False).model.state_dict()
    out = tmp_path / "ours.gguf"
    assert mgpt("export", tmp_path / "ours", out, "--to", "gguf", "--weights", form).code == 0
    reader = gguf.GGUFReader(out)
    assert reader.get_field("general.architecture").contents() == "gpt2"
    assert len(reader.get_field("tokenizer.ggml.tokens").contents()) == VOCABULARY
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    for theirs, ours in {
        "output.weight": "unembedding.weight",
        "blk.1.ffn_down.weight": "blocks.1.mlp.proj.weight",
        "blk.0.attn_norm.weight": "blocks.0.attention_norm.weight",
        "position_embd.weight": "position_embedding.weight",
    }.items():
        weight, found = weights[ours].numpy(), tensors[theirs]
        kept = "F32" if weight.ndim == 1 or "position" in ours else form.upper()
        assert found.tensor_type.name == kept
        assert tuple(found.shape) == weight.shape[::-1]
        expected = gguf.quantize(weight, gguf.GGMLQuantizationType[kept])
        np.testing.assert_array_equal(found.data.view(np.uint8), expected.view(np.uint8))
