"""Checkpoints: what is saved is what is loaded, and nothing damaged or foreign is taken."""

import copy
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.model.checkpoint import (
    export_checkpoint,
    load_checkpoint,
    pack,
    save_checkpoint,
    unpack,
)
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.manifest import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, read_info


def test_round_trip(tiny_checkpoint, tiny_model, byte_tokenizer):
    loaded = load_checkpoint(tiny_checkpoint)
    assert loaded.info.config == tiny_model.config
    assert loaded.info.training == {"step": 3}
    assert loaded.tokenizer.digest == byte_tokenizer.digest
    assert not loaded.model.training
    for name, weight in tiny_model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name])


def test_config_says_all_that_is_promised(tiny_checkpoint):
    config = json.loads((tiny_checkpoint / CONFIG_FILE).read_text())
    assert config["format"] == 1
    assert config["model"]["vocab_size"] == 257
    assert config["tokenizer"]["special_tokens"] == {"<|endoftext|>": 256}
    assert "pattern" in config["tokenizer"]
    assert len(config["fingerprint"]) == 64
    assert {path.name for path in tiny_checkpoint.iterdir()} == {
        CONFIG_FILE,
        TOKENIZER_FILE,
        WEIGHTS_FILE,
    }


@pytest.mark.parametrize(("weights", "tolerance"), [("fp32", 0), ("bf16", 4e-3), ("int8", 4e-3)])
def test_storage_formats_stay_close(tiny_model, weights, tolerance):
    state = tiny_model.state_dict()
    restored = unpack(pack(state, weights))
    assert restored.keys() == state.keys()
    for name, weight in state.items():
        bound = tolerance * float(weight.abs().max())
        assert float((restored[name] - weight).abs().max()) <= bound, name


def test_int8_rounds_each_row_to_its_own_scale():
    weight = torch.tensor([[1.0, -0.5, 0.25], [1e-3, 0.0, -2e-3], [0.0, 0.0, 0.0]])
    packed = pack({"w": weight}, "int8")
    assert packed["w"].dtype == torch.int8
    error = (unpack(packed)["w"] - weight).abs()
    assert bool((error <= packed["w.scale"][:, None] / 2 + 1e-9).all())


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
    (folder / CONFIG_FILE).write_text('{"format": 2}')


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
