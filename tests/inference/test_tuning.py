"""What is chosen for a machine is chosen once."""

import copy
import json

import pytest
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.inference import tuning
from mgpt_tui.inference.loading import engine_of, load_engine
from mgpt_tui.inference.precisions import is_available, precisions_of
from mgpt_tui.inference.request import DecodingSettings
from mgpt_tui.inference.tuning import Choice, choice_file, tuned
from mgpt_tui.model.checkpoint import Checkpoint


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def measured(monkeypatch):
    """Small models count, and every measurement is noted."""
    monkeypatch.setattr(tuning, "SMALL", 0)
    made = []

    def seconds(decoder):
        made.append(Choice(decoder.precision, torch.get_num_threads()))
        return {"fp32": 3.0, "bf16": 1.0, "int8": 2.0, "native": 4.0}[decoder.precision]

    monkeypatch.setattr(tuning, "_seconds", seconds)
    return made


def available():
    cpu = torch.device("cpu")
    return {name for name in precisions_of(cpu) if is_available(name, cpu)}


def test_the_fastest_is_chosen_and_not_measured_again(tiny_model, measured):
    first = tuned(tiny_model)
    assert first.precision == "bf16"
    assert {choice.precision for choice in measured} == available()
    assert torch.get_num_threads() == 1
    measured.clear()
    assert tuned(tiny_model) == first
    assert measured == []


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"format": 1, "choices": {}}', '{"format": 2, "choices": {"KEY": {"a": 1}}}',
     '{"format": 1, "choices": {"KEY": {"precision": "int8", "threads": 1}}}',
     '{"format": 2, "choices": {"KEY": {"precision": "int3", "threads": 1}}}',
     '{"format": 2, "choices": {"KEY": {"precision": [], "threads": 1}}}',
     '{"format": 2, "choices": {"KEY": {"precision": "int8", "threads": 0}}}'],
)  # fmt: skip
def test_a_damaged_memory_is_made_anew(tiny_model, measured, content):
    key = tuning._key(tiny_model.config, torch.device("cpu"))
    choice_file().parent.mkdir(parents=True)
    choice_file().write_text(content.replace("KEY", key))
    assert tuned(tiny_model).precision == "bf16"
    assert json.loads(choice_file().read_text())["choices"][key]["precision"] == "bf16"


def test_a_cache_that_cannot_be_written_is_no_error(tiny_model, measured):
    choice_file().parent.parent.mkdir(parents=True)
    choice_file().parent.write_text("in the way")
    assert tuned(tiny_model).precision == "bf16"


def test_a_real_measurement(tiny_model, monkeypatch):
    monkeypatch.setattr(tuning, "SMALL", 0)
    assert tuned(tiny_model).precision in available()


def test_small_models_are_not_measured(tiny_model):
    assert tuned(tiny_model) == Choice("fp32", 1)
    assert not choice_file().exists()


def test_what_is_asked_for_counts(tiny_checkpoint, measured):
    loaded = load_engine(tiny_checkpoint, DecodingSettings(precision="int8", threads=1))
    assert loaded.choice == Choice("int8", 1)
    assert loaded.engine.decoder.precision == "int8"
    assert measured == []
    assert load_engine(tiny_checkpoint, DecodingSettings(threads=1)).choice == Choice("bf16", 1)
    assert load_engine(tiny_checkpoint, spare_cores=99).choice == Choice("bf16", 1)


def test_a_device_without_the_precision_is_told(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr("mgpt_tui.inference.precisions.formats_on", lambda device: ["fp32"])
    with pytest.raises(UserError, match="cannot decode in int8"):
        load_engine(tiny_checkpoint, DecodingSettings(precision="int8"))


def test_a_compiler_that_is_new_is_tried(tiny_model, measured, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr("mgpt_tui.inference.compiling.found", lambda: "")
        without.setattr("mgpt_tui.inference.compiling.is_available", lambda: False)
        tuned(tiny_model)
    assert "native" not in {choice.precision for choice in measured}
    measured.clear()
    tuned(tiny_model)
    assert {choice.precision for choice in measured} == available()


def test_a_choice_that_is_not_possible_any_more_is_made_anew(tiny_model, measured, monkeypatch):
    key = tuning._key(tiny_model.config, torch.device("cpu"))
    choice_file().parent.mkdir(parents=True)
    choice_file().write_text(
        json.dumps({"format": 2, "choices": {key: {"precision": "native", "threads": 1}}})
    )
    monkeypatch.setattr("mgpt_tui.inference.compiling.is_available", lambda: False)
    assert tuned(tiny_model).precision == "bf16"
    assert {choice.precision for choice in measured} == {"fp32", "bf16", "int8"}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_told(tiny_model, byte_tokenizer, bad):
    broken = copy.deepcopy(tiny_model)
    broken.blocks[0].attention.qkv.weight.data[3, 4] = bad
    checkpoint = Checkpoint(broken, byte_tokenizer, None)
    with pytest.raises(UserError, match="not finite"):
        engine_of(checkpoint)
