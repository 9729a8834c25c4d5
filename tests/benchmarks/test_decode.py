"""`benchmarks/decode.py`: its files for llama.cpp, its ratios, and what runs without any peer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import decode
import numpy as np
import pytest
from decode_parts.cold import to_first_output
from decode_parts.sides import compared
from llama_cpp_peer import FORMS, form_of, tensors, write_gguf

from mgpt_tui.model.contents import Contents, read_contents
from mgpt_tui.model.tokenizer import Tokenizer
from tests.family.models import checkpoint_of

LARGEST_STEP = {"f16": 2**-11, "q8_0": 0.51 / 127, "q4_0": 1.01 / 8}
"""By how much a weight may be off, as a share of the largest one of its row."""


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Contents:
    return read_contents(tiny_checkpoint)


@pytest.mark.parametrize(
    ("name", "shape", "kept"),
    [
        ("token_embd.weight", (9984, 384), "q4_0"),
        ("blk.0.ffn_down.weight", (384, 1536), "q4_0"),
        ("blk.0.ffn_down.weight", (384, 1500), "f16"),
        ("blk.0.ffn_down.bias", (384,), "f32"),
        ("output_norm.weight", (384,), "f32"),
        ("position_embd.weight", (256, 384), "f32"),
    ],
)
def test_a_tensor_is_kept_in_the_form_of_the_file_where_its_rows_are_whole_blocks(
    name: str, shape: tuple[int, ...], kept: str
) -> None:
    assert form_of(name, shape, "q4_0") == kept


@pytest.mark.parametrize("form", FORMS)
def test_a_file_for_llama_cpp_has_all_weights_as_near_as_its_form_allows(
    form: str, checkpoint: Contents, tmp_path: Path
) -> None:
    gguf = pytest.importorskip("gguf")
    write_gguf(checkpoint, tmp_path / "model.gguf", form)
    wanted = tensors(checkpoint)
    read = gguf.GGUFReader(tmp_path / "model.gguf").tensors
    assert {tensor.name for tensor in read} == set(wanted)
    kinds = set()
    for tensor in read:
        array = wanted[tensor.name]
        kept = form_of(tensor.name, array.shape, form)
        kinds.add(kept)
        assert tensor.tensor_type.name.lower() == kept
        found = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(array.shape)
        step = 0.0 if kept == "f32" else LARGEST_STEP[kept]
        bound = step * np.abs(array).max(axis=-1, keepdims=True)
        assert (np.abs(found - array) <= bound).all(), tensor.name
    assert form in kinds


def test_a_file_for_llama_cpp_has_the_shape_of_its_model(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    shape = {"mlp_width": 96, "norm_epsilon": 1e-3, "tied_head": False}
    checkpoint_of(tmp_path / "ours", Tokenizer.gpt2().trimmed({}, 257), **shape)
    made = read_contents(tmp_path / "ours")
    write_gguf(made, tmp_path / "model.gguf", "f16")
    fields = gguf.GGUFReader(tmp_path / "model.gguf").fields
    assert fields["gpt2.feed_forward_length"].contents() == 96
    assert fields["gpt2.attention.layer_norm_epsilon"].contents() == pytest.approx(1e-3)
    assert np.array_equal(tensors(made)["output.weight"], made.weights["unembedding.weight"])


def test_ratios_are_to_every_peer_and_to_the_best_of_llama_cpp_at_each_figure() -> None:
    def row(one: float, eight: float, prefill: float) -> dict[str, float]:
        return {"one": one, "eight": eight, "prefill": prefill}

    table = {
        "ours": row(100, 200, 300),
        "hugging_face": row(10, 10, 10),
        "llama_cpp_f16": row(20, 100, 50),
        "llama_cpp_q4_0": row(40, 50, 100),
    }
    told = compared(table)
    assert told["ratios"]["llama_cpp_f16"] == row(5, 2, 6)
    assert told["ratios"]["best_of_llama_cpp"] == row(2.5, 2, 3)
    assert told["eight_to_one"]["ours"] == 2
    del table["llama_cpp_f16"], table["llama_cpp_q4_0"]
    assert set(compared(table)["ratios"]) == {"hugging_face"}


def test_medians_are_of_numbers_alone() -> None:
    rounds = [{"one": one, "precision": "native", "threads": 2} for one in (1.0, 9.0, 2.0)]
    assert decode.medians(rounds) == {"one": 2.0, "precision": "native", "threads": 2}


def test_beside_a_busy_loop_both_ways_are_compared_and_the_loop_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loops = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            loops.append(self)

    class Child:
        def in_turn(self, who, rounds, *arguments):
            assert loops[0].poll() is None
            return {side: dict.fromkeys(("one", "eight", "prefill"), 6.0) for side in who}

    monkeypatch.setattr(subprocess, "Popen", Noted)
    told = decode.under_load(Child(), 1, "trimmed", "60")
    assert told["auto_to_one_thread"] == {"one": 1, "eight": 1, "prefill": 1}
    assert loops[0].returncode


def test_a_command_that_fails_is_no_fast_start() -> None:
    command = [sys.executable, "-c", "print('once'); raise SystemExit(3)"]
    with pytest.raises(AssertionError, match="failed"):
        to_first_output(command, dict(os.environ))


def test_every_precision_scores_a_file_of_stories_nearly_alike(tmp_path: Path) -> None:
    told = "Once upon a time there was a fox.\n<|endoftext|>\nTom had a red ball.\n"
    (tmp_path / "stories.txt").write_text(told)
    command = [sys.executable, decode.__file__, "--child", "score", str(tmp_path / "stories.txt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    scores = json.loads(done.stdout)
    assert "fp32" in scores
    assert list(scores.values()) == pytest.approx([scores["fp32"]] * len(scores), abs=0.02)
