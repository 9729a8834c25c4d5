"""Checkpoints: what is saved is what is loaded, and nothing damaged or foreign is taken."""

import copy
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_tensors
from safetensors.torch import save_file

from mgpt_tui.errors import UserError
from mgpt_tui.model.checkpoint import (
    export_checkpoint,
    load_checkpoint,
    pack,
    save_checkpoint,
)
from mgpt_tui.model.contents import read_contents, stated
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.manifest import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    fingerprints,
    read_info,
)
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import END_OF_TEXT, Tokenizer
from mgpt_tui.model.weights import Weights


def test_round_trip(tiny_checkpoint, tiny_model, byte_tokenizer):
    loaded = load_checkpoint(tiny_checkpoint)
    assert loaded.info.config == tiny_model.config
    assert loaded.info.training == {"step": 3}
    assert loaded.tokenizer.digest == byte_tokenizer.digest
    assert not loaded.model.training
    for name, weight in tiny_model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name])


def test_shapes_of_the_family_come_back_and_usual_ones_are_stated_as_ever(
    tmp_path, tiny_model, byte_tokenizer
):
    assert list(tiny_model.config.to_dict())[-1] == "bias"
    config = replace(
        tiny_model.config,
        norm_bias=True,
        local_windows=(0, 5),
        tied_head=False,
        mlp_width=24,
        norm_epsilon=1e-6,
    )
    model = GPT(config, torch.Generator().manual_seed(0))
    save_checkpoint(tmp_path / "own", model, byte_tokenizer, {}, "int8")
    loaded = load_checkpoint(tmp_path / "own")
    assert loaded.info.config == config
    assert loaded.model.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    "settings", [{"local_windows": (0,)}, {"local_windows": (3, 99)}, {"norm_epsilon": -1.0}]
)
def test_a_shape_that_cannot_be_is_refused(tiny_model, settings):
    with pytest.raises(UserError):
        replace(tiny_model.config, **settings)


def test_config_says_all_that_is_promised(tiny_checkpoint):
    config = json.loads((tiny_checkpoint / CONFIG_FILE).read_text())
    assert config["format"] == 2
    assert config["model"]["vocab_size"] == 257
    assert config["tokenizer"]["special_tokens"] == {"<|endoftext|>": 256}
    assert "pattern" in config["tokenizer"]
    assert len(config["fingerprint"]) == 64
    assert {path.name for path in tiny_checkpoint.iterdir()} == {
        CONFIG_FILE,
        TOKENIZER_FILE,
        WEIGHTS_FILE,
    }


def stored(state, weights):
    """As they come back from a file."""
    return Weights.parse(save_tensors(pack(state, weights)))


@pytest.mark.parametrize(("weights", "tolerance"), [("fp32", 0), ("bf16", 4e-3), ("int8", 4e-3)])
def test_storage_formats_stay_close(tiny_model, weights, tolerance):
    state = tiny_model.state_dict()
    restored = stored(state, weights)
    assert restored.keys() == state.keys()
    for name, weight in state.items():
        bound = tolerance * float(weight.abs().max())
        assert np.abs(restored[name] - weight.numpy()).max() <= bound, name


def test_int8_rounds_each_row_to_its_own_scale():
    weight = torch.tensor([[1.0, -0.5, 0.25], [1e-3, 0.0, -2e-3], [0.0, 0.0, 0.0]])
    packed = pack({"w": weight}, "int8")
    assert packed["w"].dtype == torch.int8
    error = np.abs(stored({"w": weight}, "int8")["w"] - weight.numpy())
    assert (error <= packed["w.scale"][:, None].numpy() / 2 + 1e-9).all()


def test_export_keeps_the_words_and_shrinks_the_file(tiny_checkpoint, tmp_path):
    info = export_checkpoint([tiny_checkpoint], tmp_path / "small", "int8")
    assert info.training == {"step": 3}
    assert load_checkpoint(tmp_path / "small").info == info
    small, large = tmp_path / "small" / WEIGHTS_FILE, tiny_checkpoint / WEIGHTS_FILE
    assert small.stat().st_size < 0.5 * large.stat().st_size
    assert not list(tmp_path.glob(".tmp-*"))


def test_fingerprint_tells_weights_apart(tiny_checkpoint, tiny_model, byte_tokenizer, tmp_path):
    first = read_info(tiny_checkpoint).fingerprint
    same = save_checkpoint(tmp_path / "same", tiny_model, byte_tokenizer, {"step": 9})
    assert same.fingerprint == first
    changed = load_checkpoint(tiny_checkpoint).model
    with torch.no_grad():
        changed.final_norm.weight[0] += 1
    other = save_checkpoint(tmp_path / "other", changed, byte_tokenizer, {})
    assert other.fingerprint != first


def change(folder, edit):
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text())
    edit(config)
    path.write_text(json.dumps(config))


def seal(folder):
    """Make the fingerprint match whatever the files have become."""

    def edit(config):
        weights, ranks = ((folder / name).read_bytes() for name in (WEIGHTS_FILE, TOKENIZER_FILE))
        found = fingerprints(weights, ranks, config["model"], config["tokenizer"])
        config["fingerprint"] = found[config["format"]]

    change(folder, edit)


def damage_truncate(folder):
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-100])


def damage_bit(folder):
    path = folder / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def damage_shape(folder):
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text())
    config["model"]["n_embd"] = 32
    path.write_text(json.dumps(config))


def damage_layers(folder):
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text())
    config["model"]["n_layer"] = 1
    path.write_text(json.dumps(config))


def damage_json(folder):
    (folder / CONFIG_FILE).write_text("{")


def damage_format(folder):
    (folder / CONFIG_FILE).write_text('{"format": 3}')


def damage_value(folder):
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text())
    config["model"]["n_head"] = "many"
    path.write_text(json.dumps(config))


def damage_missing_key(folder):
    (folder / CONFIG_FILE).write_text('{"format": 1, "model": {}}')


def damage_ranks(folder):
    (folder / TOKENIZER_FILE).write_text("not ranks")


def damage_no_weights(folder):
    (folder / WEIGHTS_FILE).unlink()


def damage_fingerprint(folder):
    change(folder, lambda config: config.update(fingerprint="f" * 64))


def damage_depth(folder):
    (folder / CONFIG_FILE).write_text("[" * 100_000)


def damage_kinds(folder):
    change(folder, lambda config: config.update(tokenizer="gpt2"))


def damage_setting(folder):
    change(folder, lambda config: config["model"].update(n_expert=3))


def damage_infinity(folder):
    change(folder, lambda config: config["model"].update(dropout=float("inf")))


def damage_pickle(folder):
    (folder / WEIGHTS_FILE).write_bytes(b"\x80\x04\x95pickle")


@pytest.mark.parametrize(
    "damage",
    [value for name, value in sorted(globals().items()) if name.startswith("damage_")],
    ids=lambda damage: damage.__name__,
)
def test_damaged_checkpoints_are_refused_with_a_remedy(tiny_checkpoint, damage):
    damage(tiny_checkpoint)
    with pytest.raises(UserError) as caught:
        load_checkpoint(tiny_checkpoint)
    assert str(tiny_checkpoint) in caught.value.message
    assert caught.value.remedy


@pytest.fixture(params=[1, 2])
def whole(request, tiny_checkpoint):
    """A checkpoint of either format."""
    change(tiny_checkpoint, lambda config: config.update(format=request.param))
    seal(tiny_checkpoint)
    load_checkpoint(tiny_checkpoint)
    return tiny_checkpoint


def test_no_bit_of_the_config_changes_what_a_model_is(whole):
    """A flip is told, or it is in what is written for people."""
    path = whole / CONFIG_FILE
    content, info = path.read_bytes(), read_contents(whole).info
    told = 0
    begin = content.index(b'"pattern"')
    end = content.index(b'"special_tokens"')
    bits = [*range(0, 8 * len(content), 31), *range(8 * begin, 8 * end, 2)]
    for bit in bits:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            found = read_contents(whole)
        except UserError:
            told += 1
            continue
        assert found.info.stated == info.stated
        assert found.info.fingerprint == info.fingerprint
        assert stated(found.tokenizer) == info.tokenizer
    assert told > 0.8 * len(bits)  # the rest is blanks, and what is written of the training


def test_a_setting_that_comes_later_damages_no_checkpoint(whole):
    """`bias` stands for it: what a file does not state is at its default."""
    change(whole, lambda config: config["model"].pop("bias"))
    seal(whole)
    assert load_checkpoint(whole).info.config.bias is False


def test_the_embedded_model_keeps_its_fingerprint():
    info = read_contents(find_model().path).info
    assert info.fingerprint.startswith("f520673f")


def test_a_model_is_known_by_its_older_fingerprint(tiny_checkpoint):
    new = load_checkpoint(tiny_checkpoint).info
    change(tiny_checkpoint, lambda config: config.update(format=1))
    seal(tiny_checkpoint)
    old = load_checkpoint(tiny_checkpoint).info
    assert old.fingerprint != new.fingerprint
    assert set(old.fingerprints) == set(new.fingerprints)


def test_the_split_pattern_is_part_of_the_fingerprint(tiny_model, byte_tokenizer, tmp_path):
    lines = Tokenizer(byte_tokenizer.ranks, r"[^\n]+|\n+")
    made = [
        save_checkpoint(tmp_path / f"{number}", tiny_model, tokenizer, {})
        for number, tokenizer in enumerate((byte_tokenizer, lines))
    ]
    assert made[0].fingerprint != made[1].fingerprint
    assert load_checkpoint(tmp_path / "1").tokenizer.pattern == lines.pattern


def absurd_ranks(folder):
    change(folder, lambda config: config["model"].update(vocab_size=258))


def absurd_layers(folder):
    change(folder, lambda config: config["model"].update(n_layer=1000, n_embd=65000))


def absurd_count(folder):
    change(folder, lambda config: config["model"].update(n_layer=10**9))


def absurd_digits(folder):
    change(folder, lambda config: config["model"].update(vocab_size=10**400))


def absurd_pattern(folder):
    change(folder, lambda config: config["tokenizer"].update(pattern="("))


def absurd_no_pattern(folder):
    change(folder, lambda config: config["tokenizer"].pop("pattern"))


def absurd_end(folder):
    change(folder, lambda config: config["tokenizer"]["special_tokens"].update({END_OF_TEXT: 7}))


def absurd_size(folder):
    with (folder / WEIGHTS_FILE).open("ab") as stream:
        stream.truncate(2**40)  # of holes
    change(folder, lambda config: None)


def absurd_tokenizer_size(folder):
    with (folder / TOKENIZER_FILE).open("ab") as stream:
        stream.truncate(2**40)


def absurd_shapes(folder):
    tensors = {"token_embedding.weight": {"dtype": "F32", "shape": [2**62, 2**62]}}
    rewrite_header(folder, lambda header: header.update(tensors))


def absurd_offsets(folder):
    def edit(header):
        for entry in header.values():
            entry["data_offsets"] = [0, 2**63]

    rewrite_header(folder, edit)


def absurd_type(folder):
    save_file({"final_norm.weight": torch.ones(50_000, dtype=torch.int64)}, folder / WEIGHTS_FILE)


def absurd_scale(folder):
    rows = torch.ones(200, 200, dtype=torch.int8)
    save_file({"a": rows, "a.scale": torch.ones(200, 200)}, folder / WEIGHTS_FILE)


def rewrite_header(folder, edit):
    path = folder / WEIGHTS_FILE
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    edit(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


@pytest.mark.parametrize(
    "make",
    [value for name, value in sorted(globals().items()) if name.startswith("absurd_")],
    ids=lambda make: make.__name__,
)
def test_checksums_that_match_absurd_content(tiny_checkpoint, make):
    make(tiny_checkpoint)
    if all(path.stat().st_size < 2**30 for path in tiny_checkpoint.iterdir()):
        seal(tiny_checkpoint)
    with pytest.raises(UserError) as caught:
        load_checkpoint(tiny_checkpoint)
    assert str(tiny_checkpoint) in caught.value.message
    assert "None" not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("name", [CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
@pytest.mark.parametrize(
    "make",
    [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/zero"), Path.mkdir],
)
def test_what_is_no_file_is_not_waited_for(tiny_checkpoint, name, make):
    (tiny_checkpoint / name).unlink()
    make(tiny_checkpoint / name)
    with pytest.raises(UserError, match=name):
        load_checkpoint(tiny_checkpoint)


def test_a_folder_that_is_no_checkpoint(tmp_path):
    with pytest.raises(UserError, match="no checkpoint"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_can_be_moved(tiny_checkpoint, tmp_path):
    shutil.move(tiny_checkpoint, tmp_path / "elsewhere")
    assert load_checkpoint(tmp_path / "elsewhere").info.config.vocab_size == 257


def test_loading_does_without_torchs_compiler(tiny_checkpoint):
    """Importing it takes longer than reading the weights does."""
    code = (
        "import sys, pathlib\n"
        "from mgpt_tui.model.checkpoint import load_checkpoint\n"
        f"load_checkpoint(pathlib.Path({str(tiny_checkpoint)!r}))\n"
        "assert 'torch._dynamo' not in sys.modules\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


def test_the_mean_of_several(tiny_model, byte_tokenizer, tmp_path):
    models = [copy.deepcopy(tiny_model) for _ in range(3)]
    for number, model in enumerate(models):
        for weight in model.parameters():
            weight.data += number
        save_checkpoint(tmp_path / f"{number}", model, byte_tokenizer, {"step": number})
    sources = [tmp_path / f"{number}" for number in range(3)]
    info = export_checkpoint(sources, tmp_path / "mean", "fp32")
    assert info.training == {"step": 2, "mean_of_steps": [0, 1, 2], "validation": None}
    mean = load_checkpoint(tmp_path / "mean").model.state_dict()
    for name, weight in models[1].state_dict().items():
        torch.testing.assert_close(mean[name], weight)


def test_a_mean_of_different_shapes_is_refused(
    tiny_checkpoint, tiny_model, byte_tokenizer, tmp_path
):
    other = GPT(replace(tiny_model.config, n_layer=1), torch.Generator().manual_seed(0))
    save_checkpoint(tmp_path / "other", other, byte_tokenizer, {})
    with pytest.raises(UserError, match="another shape"):
        export_checkpoint([tmp_path / "other", tiny_checkpoint], tmp_path / "mean", "fp32")
    assert not (tmp_path / "mean").exists()
