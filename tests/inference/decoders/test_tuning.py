"""What is chosen for a machine is chosen once, and without torch where compiled code runs."""

import copy
import json
import shutil

import pytest
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders import compiling, tuning
from mgpt_tui.inference.decoders.tuning import Tuning, choice_file, tuned
from mgpt_tui.inference.loading import engine_of, load_engine
from mgpt_tui.inference.request import TORCH_PRECISIONS, DecodingSettings
from mgpt_tui.model.checkpoint import save_checkpoint, weights_of
from mgpt_tui.model.contents import Contents, read_contents

needs_compiler = pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler")


@pytest.fixture
def measured(monkeypatch):
    """Small models count, on four cores of a quiet machine, and every measurement is noted.

    Two threads are the fastest, and of the precisions bf16.
    """
    monkeypatch.setattr(tuning, "SMALL", 0)
    monkeypatch.setattr(tuning, "cores", lambda: 4)
    monkeypatch.setattr(tuning, "are_busy", lambda: False)
    monkeypatch.setattr(tuning, "seconds_waited", lambda: 0.0)
    made = []

    def seconds(decoder, cache):
        made.append(Tuning(decoder.precision, decoder.threads))
        slow = {"fp32": 3.0, "bf16": 1.0, "int8": 2.0, "native": 4.0}[decoder.precision]
        return [slow + abs(decoder.threads - 2)] * 3 + [1e9]  # one of them was held up

    monkeypatch.setattr(tuning, "_seconds", seconds)
    return made


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setattr(compiling, "is_available", lambda: False)


@pytest.fixture
def choose(tiny_model):
    """`tuned` for the tiny model."""

    def run(spare_cores=0, **asked):
        weights = weights_of(tiny_model)
        return tuned(DecodingSettings(**asked), tiny_model.config, weights, spare_cores=spare_cores)

    return run


def ways(precisions):
    return {Tuning(name, threads) for name in precisions for threads in (1, 2, 4)}


@needs_compiler
def test_where_compiled_code_runs_only_its_threads_are_measured(choose, measured):
    assert choose() == Tuning("native", 2)
    assert set(measured) == ways(["native"])
    measured.clear()
    assert choose() == Tuning("native", 2)
    assert measured == []


def test_elsewhere_the_fastest_precision_is_chosen_and_not_measured_again(
    choose, measured, no_compiler
):
    assert choose() == Tuning("bf16", 2)
    assert set(measured) == ways(TORCH_PRECISIONS)
    assert torch.get_num_threads() == 1
    measured.clear()
    assert choose() == Tuning("bf16", 2)
    assert measured == []


def test_all_have_their_turns_and_no_single_time_decides(choose, measured, no_compiler):
    choose(precision="int8")
    assert measured == [Tuning("int8", threads) for threads in (1, 2, 4)] * tuning.ROUNDS


@needs_compiler
def test_a_busy_moment_is_not_remembered(choose, measured, monkeypatch):
    """It would say that one thread is enough; all of them cost nothing in compiled code."""
    waited = iter(range(100))
    with monkeypatch.context() as busy:
        busy.setattr(tuning, "are_busy", lambda: True)
        assert choose() == Tuning("native", 4)
    assert measured == []
    with monkeypatch.context() as busy:
        busy.setattr(tuning, "seconds_waited", lambda: float(next(waited)))
        assert choose() == Tuning("native", 4)
    assert measured and not choice_file().exists()
    assert choose() == Tuning("native", 2)
    assert choice_file().exists()


def test_with_torch_a_choice_is_kept_however_busy_the_machine_is(
    choose, measured, no_compiler, monkeypatch
):
    """Another one would change texts."""
    monkeypatch.setattr(tuning, "are_busy", lambda: True)
    assert choose() == Tuning("bf16", 2)
    measured.clear()
    assert choose() == Tuning("bf16", 2) and measured == []


def test_a_measurement_ends_in_time(choose, measured, no_compiler, monkeypatch):
    monkeypatch.setattr(tuning, "LONGEST", 0)
    choose()
    assert set(measured) == ways(TORCH_PRECISIONS) and len(measured) == len(set(measured))


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"format": 2, "choices": {}}', '{"format": 3, "choices": {"KEY": {"a": 1}}}',
     '{"format": 1, "choices": {"KEY": {"precision": "int8", "threads": 1}}}',
     '{"format": 3, "choices": {"KEY": {"precision": "int3", "threads": 1}}}',
     '{"format": 3, "choices": {"KEY": {"precision": [], "threads": 1}}}',
     '{"format": 3, "choices": {"KEY": {"precision": "int8", "threads": 0}}}',
     '{"format": 3, "choices": {"KEY": {"precision": "int8", "threads": 3}}}'],
)  # fmt: skip
def test_a_damaged_memory_is_made_anew(choose, measured, no_compiler, content):
    choose()
    [key] = json.loads(choice_file().read_text())["choices"]
    choice_file().write_text(content.replace("KEY", key))
    assert choose() == Tuning("bf16", 2)
    assert json.loads(choice_file().read_text())["choices"][key]["precision"] == "bf16"


def test_a_cache_that_cannot_be_written_is_no_error(choose, measured, no_compiler):
    shutil.move(choice_file().parent, choice_file().parent.with_name("shared"))
    choice_file().parent.write_text("in the way")
    assert choose().precision == "bf16"


@pytest.mark.parametrize(
    "precision", [pytest.param("native", marks=needs_compiler), *TORCH_PRECISIONS]
)
def test_a_real_measurement(choose, monkeypatch, precision):
    monkeypatch.setattr(tuning, "SMALL", 0)
    monkeypatch.setattr(tuning, "are_busy", lambda: False)
    monkeypatch.setattr(tuning, "cores", lambda: 2)
    assert choose(precision=precision) in {Tuning(precision, 1), Tuning(precision, 2)}


def test_what_is_asked_for_counts(tiny_checkpoint, measured, no_compiler):
    loaded = load_engine(tiny_checkpoint, DecodingSettings(precision="int8", threads=3))
    assert loaded.tuning == Tuning("int8", 3)
    decoder = loaded.engine.decoder
    assert (decoder.precision, decoder.threads) == ("int8", 3)
    assert measured == []
    assert load_engine(tiny_checkpoint, DecodingSettings(threads=3)).tuning == Tuning("bf16", 3)
    assert load_engine(tiny_checkpoint, spare_cores=99).tuning == Tuning("bf16", 1)
    assert load_engine(tiny_checkpoint, spare_cores=1).tuning == Tuning("bf16", 2)


@needs_compiler
def test_where_one_core_is_left_there_is_nothing_to_measure(choose, measured):
    assert choose(spare_cores=3) == Tuning("native", 1)
    assert choose(spare_cores=99) == Tuning("native", 1)
    assert measured == [] and not choice_file().exists()


def test_a_device_without_the_precision_is_told(tiny_checkpoint):
    settings = DecodingSettings(precision="int8")
    with pytest.raises(UserError, match="cuda cannot decode in int8") as raised:
        load_engine(tiny_checkpoint, settings, device="cuda:1")
    assert raised.value.remedy == "Give --precision auto or one of fp32, bf16."


@pytest.mark.parametrize(
    ("precision", "expected"),
    [pytest.param("auto", "native", marks=needs_compiler), ("bf16", "bf16")],
)
def test_small_models_are_not_measured(choose, precision, expected):
    assert choose(precision=precision) == Tuning(expected, 1)
    assert not choice_file().exists()


def test_small_models_without_compiled_code_run_as_they_are(choose, no_compiler):
    assert choose() == Tuning("fp32", 1)


@needs_compiler
def test_a_compiler_that_is_new_is_used(choose, measured, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(compiling, "is_available", lambda: False)
        assert choose() == Tuning("bf16", 2)
    assert choose() == Tuning("native", 2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_told(tiny_model, byte_tokenizer, tmp_path, bad):
    broken = copy.deepcopy(tiny_model)
    broken.blocks[0].attention.qkv.weight.data[3, 4] = bad
    save_checkpoint(tmp_path / "broken", broken, byte_tokenizer, {})
    contents = read_contents(tmp_path / "broken")
    with pytest.raises(UserError, match="not finite"):
        engine_of(contents)
    assert isinstance(contents, Contents)
