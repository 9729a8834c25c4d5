"""`mgpt-tui export --to`: what other programs make of what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from mgpt_tui.model.checkpoint import Checkpoint, save_checkpoint
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import shortened
from tests.conftest import Outcome
from tests.family.models import KINDS, VOCABULARY, WITHOUT_SETTINGS, checkpoint_of
from tests.family.nanogpt import resumed
from tests.family.texts import random_texts

TOKENS = torch.arange(3, 35)[None]  # one sequence of the whole context


@pytest.fixture
def ours(request: pytest.FixtureRequest, tmp_path: Path, trimmed: Tokenizer) -> Checkpoint:
    """The model that is exported, from `tmp_path / "ours"`."""
    kind = getattr(request, "param", "trained here")
    return checkpoint_of(tmp_path / "ours", trimmed, **KINDS[kind])


of_kinds = partial(pytest.mark.parametrize, "ours", indirect=True)
"""Takes the kinds for which a test is run."""


Export = Callable[..., Path]


@pytest.fixture
def export(mgpt: Callable[..., Outcome], tmp_path: Path) -> Export:
    """Exports it; gives what was written."""

    def run(*options: str) -> Path:
        out = tmp_path / "out"
        outcome = mgpt("export", tmp_path / "ours", out, *options)
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith(f"{out}: ")
        return out

    return run


@of_kinds(KINDS)
def test_transformers_computes_the_same(ours: Checkpoint, export: Export) -> None:
    from transformers import AutoModelForCausalLM

    out = export("--to", "hf")
    model, about = AutoModelForCausalLM.from_pretrained(out, output_loading_info=True)
    assert not any(about.values()), about  # nothing is missing, and nothing too much
    with torch.no_grad():
        torch.testing.assert_close(model(TOKENS).logits, ours.model(TOKENS), rtol=0, atol=1e-5)
    assert model.generation_config.eos_token_id == ours.tokenizer.end_token
    card = (out / "README.md").read_text()
    assert "# out\n" in card and "640 tokens in 5 steps" in card
    assert f" {shortened(ours.info.config.parameters())} parameters" in card


def test_transformers_has_the_same_tokens(ours: Checkpoint, export: Export) -> None:
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(export("--to", "hf"))
    assert len(theirs) == VOCABULARY
    for text in random_texts(300, seed=0):
        ids = theirs(text, verbose=False)["input_ids"]
        assert ids == ours.tokenizer.encode(text), ascii(text)
        assert theirs.decode(ids) == text
    mark = "<|endoftext|>"
    assert theirs(mark)["input_ids"] == [theirs.eos_token_id] == [VOCABULARY - 1]
    as_text = theirs(mark, split_special_tokens=True)["input_ids"]
    assert as_text == ours.tokenizer.encode(mark)


def test_another_split_pattern_goes_along(tmp_path: Path, trimmed: Tokenizer) -> None:
    from tokenizers import Tokenizer as Theirs

    from mgpt_tui.family.exporting.to_hf import tokenizer_json

    ours = Tokenizer(trimmed.ranks, r"\p{N}| ?\p{L}+|\s+|[^\s\p{L}\p{N}]+")
    theirs = Theirs.from_str(json.dumps(tokenizer_json(ours)))
    for text in ("It was  1984, and 7 hens sang.", "  x 25 \n"):
        assert theirs.encode(text).ids == ours.encode(text) != trimmed.encode(text)


@of_kinds(WITHOUT_SETTINGS)
def test_nanogpt_goes_on_from_it(ours: Checkpoint, export: Export) -> None:
    out = export("--to", "nanogpt")
    model, optimizer, checkpoint = resumed(out / "ckpt.pt")
    apart = 1e-5 if ours.info.config.exact_gelu else 5e-3  # its GELU is the exact one
    with torch.no_grad():
        torch.testing.assert_close(model(TOKENS), ours.model(TOKENS), rtol=0, atol=apart)
    assert torch.equal(model.lm_head.weight, ours.model.token_embedding.weight)
    optimizer.step()
    assert checkpoint["iter_num"] == 5
    assert Tokenizer.load(out / "tokenizer.tiktoken").digest == ours.tokenizer.digest


@pytest.mark.parametrize("weights", ["bf16", "fp16"])
def test_transformers_reads_16_bits(
    tmp_path: Path, trimmed: Tokenizer, export: Export, weights: str
) -> None:
    from transformers import AutoModelForCausalLM

    ours = checkpoint_of(tmp_path / "ours", trimmed)
    model = AutoModelForCausalLM.from_pretrained(export("--to", "hf", "--weights", weights))
    assert model.dtype in (torch.bfloat16, torch.float16)
    torch.testing.assert_close(
        model.transformer.wte.weight, ours.model.token_embedding.weight.to(model.dtype)
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--to hf --weights q8_0", "Give --weights fp32 or bf16 or fp16."),
        ("--to gguf --weights int8", "Give --weights f16 or f32 or q8_0."),
        ("--weights q8_0", "--to"),
        ("--to hf --weights fp16", "too large for 16 bits"),
        ("--to gguf", "too large for 16 bits"),
        ("--to gguf --weights q8_0", "too large for 16 bits"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    mgpt: Callable[..., Outcome], tmp_path: Path, trimmed: Tokenizer, options: str, reason: str
) -> None:
    loaded = checkpoint_of(tmp_path / "ours", trimmed)
    with torch.no_grad():
        loaded.model.blocks[0].mlp.fc.weight[0, 0] = 1e8
    save_checkpoint(tmp_path / "ours", loaded.model, trimmed, {})
    outcome = mgpt("export", tmp_path / "ours", tmp_path / "out", *options.split())
    assert outcome.code == 2 and reason in outcome.err, outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


@pytest.mark.parametrize("options", [[], ["--to", "hf"], ["--to", "gguf"]])
def test_a_link_that_leads_nowhere_is_there(
    mgpt: Callable[..., Outcome],
    tmp_path: Path,
    tiny_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    monkeypatch.setattr("mgpt_tui.model.checkpoint.read_contents", None)  # nothing is read before
    (tmp_path / "out").symlink_to("nowhere")
    outcome = mgpt("export", tiny_checkpoint, tmp_path / "out", *options)
    assert outcome.code == 2 and f"There is {tmp_path / 'out'} already." in outcome.err


@pytest.mark.parametrize(
    ("to", "shape", "reason"),
    [
        ("hf", {"local_windows": (0, 4)}, "does not scale"),
        ("hf", {"local_windows": (3, 4), "scaled_scores": False}, "several lengths"),
        ("hf", {"local_windows": (0, 4), "scaled_scores": False, "bias": True}, "no biases of q"),
        ("gguf", {"local_windows": (0, 4)}, "local attention"),
        ("gguf", {"scaled_scores": False}, "not scaled"),
        ("nanogpt", {"local_windows": (0, 4)}, "local attention"),
        ("nanogpt", {"scaled_scores": False}, "not scaled"),
        ("nanogpt", {"tied_head": False}, "weights of its own"),
        ("nanogpt", {"mlp_width": 32}, "four times"),
        ("nanogpt", {"norm_epsilon": 1e-3}, "0.001"),
    ],
)
def test_a_shape_that_a_format_cannot_hold_is_refused(
    mgpt: Callable[..., Outcome],
    tmp_path: Path,
    byte_tokenizer: Tokenizer,
    to: str,
    shape: dict[str, object],
    reason: str,
) -> None:
    checkpoint_of(tmp_path / "ours", byte_tokenizer, **shape)
    outcome = mgpt("export", tmp_path / "ours", tmp_path / "out", "--to", to)
    assert outcome.code == 2 and reason in outcome.err, outcome.err
    assert outcome.err.count("\n") == 2 and not (tmp_path / "out").exists()


def test_another_split_pattern_is_not_for_llama_cpp(
    mgpt: Callable[..., Outcome], tmp_path: Path, byte_tokenizer: Tokenizer
) -> None:
    checkpoint_of(tmp_path / "ours", Tokenizer(byte_tokenizer.ranks, r"\S+|\s+"))
    outcome = mgpt("export", tmp_path / "ours", tmp_path / "out", "--to", "gguf")
    assert outcome.code == 2 and "splits texts otherwise" in outcome.err


def test_no_numbers_are_not_exported(
    mgpt: Callable[..., Outcome], tmp_path: Path, trimmed: Tokenizer
) -> None:
    loaded = checkpoint_of(tmp_path / "ours", trimmed)
    with torch.no_grad():
        loaded.model.final_norm.weight[0] = float("nan")
    save_checkpoint(tmp_path / "ours", loaded.model, trimmed, {})
    outcome = mgpt("export", tmp_path / "ours", tmp_path / "out", "--to", "gguf")
    assert outcome.code == 2 and "no numbers" in outcome.err
