"""Training settings from flags and TOML."""

import pytest

from mgpt_tui.errors import UserError
from training.config import SECTION_OF, TrainConfig, read_toml


def test_defaults_are_the_seeds():
    config = TrainConfig()
    assert config.model.preset == "small"
    assert (config.batch.batch_size, config.schedule.max_steps) == (64, 5000)
    assert (config.optimizer.optimizer, config.optimizer.learning_rate) == ("adamw", 3e-4)
    assert (config.schedule.warmup_steps, config.schedule.decay) == (100, "cosine")
    assert config.schedule.final_ratio == 0.1
    assert (config.optimizer.weight_decay, config.optimizer.grad_clip) == (0.1, 0.5)
    assert (config.report.eval_every, config.report.log_every) == (500, 100)


def test_flat_and_updated_are_inverse():
    changed = TrainConfig().updated({"max_steps": 7, "preset": "tiny", "eval_stories": None})
    assert TrainConfig().updated(changed.flat()) == changed
    assert changed.schedule.max_steps == 7
    assert set(changed.flat()) == set(SECTION_OF)


def test_unknown_settings_are_refused():
    with pytest.raises(UserError) as caught:
        TrainConfig().updated({"batchsize": 7})
    assert "batch_size" in caught.value.remedy


def test_toml_with_and_without_sections(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'max_steps = 9\n[model]\npreset = "tiny"\n[report]\nkeep = "all"\n[optimizer]\n'
        "learning_rate = 1\n"
    )
    config = TrainConfig().updated(read_toml(path))
    assert config.schedule.max_steps == 9
    assert config.model.preset == "tiny"
    assert config.report.keep is None
    assert config.optimizer.learning_rate == 1


def test_toml_takes_names_as_flags_have_them(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('max-steps = 9\neval-stories = "all"\n[optimizer]\nlearning-rate = 1\n')
    config = TrainConfig().updated(read_toml(path))
    assert (config.schedule.max_steps, config.report.eval_stories) == (9, None)
    assert config.optimizer.learning_rate == 1


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("max_step = 3\n", "max_steps"),
        ("max-setps = 3\n", "max_steps"),
        ("[schedule]\nmax-step = 3\n", "max_steps"),
        ("[model]\nmax-steps = 3\n", "[schedule]"),
        ("[shedule]\nmax-steps = 3\n", "[schedule]"),
        ("zzz = 3\n", "mgpt-tui train --help"),
        ("[zzz]\nyyy = 3\n", "Sections are"),
    ],
)
def test_the_nearest_name_is_proposed(tmp_path, text, nearest):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        TrainConfig().updated(read_toml(path))
    assert nearest in caught.value.remedy
    assert "\n" not in str(caught.value.remedy) and len(caught.value.remedy) < 120


@pytest.mark.parametrize(
    "text", ["max-steps = 3\nmax_steps = 4\n", "max_steps = 3\n[schedule]\nmax_steps = 4\n"]
)
def test_a_setting_that_stands_there_twice(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UserError, match="max_steps stands there twice"):
        read_toml(path)


@pytest.mark.parametrize(
    "text", ["[model]\nmax_steps = 3\n", "max_steps", "max_steps = 'x'\n", "[nowhere]\na = 1\n"]
)
def test_bad_toml_is_refused_with_a_remedy(tmp_path, text):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        TrainConfig().updated(read_toml(path))
    assert caught.value.remedy


def test_a_missing_toml(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_toml(tmp_path / "none.toml")


def test_a_preset_with_changes():
    settings = TrainConfig().updated({"preset": "tiny", "n_layer": 3, "dropout": 0.3}).model
    shape = settings.gpt_config(777)
    assert (shape.vocab_size, shape.n_layer, shape.n_embd, shape.dropout) == (777, 3, 64, 0.3)
