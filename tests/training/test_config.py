"""Training settings from flags and TOML."""

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import declared
from training.config import SECTION_OF, SECTIONS, TrainConfig, fitting, read_toml


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


def test_the_learning_rate_fits_the_width():
    assert "learning_rate" not in fitting({"preset": "tiny", "n_embd": 768}, learnt=False)
    assert fitting({"n_embd": 32}, learnt=False)["learning_rate"] == 3e-3


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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_setting(tmp_path, encoding):
    path = tmp_path / "run.toml"
    path.write_text('preset = "tiny"\nmax_steps = 2\nsample_prompt = "Zoë"\n', encoding)
    found = read_toml(path)
    assert found == {"preset": "tiny", "max_steps": 2, "sample_prompt": "Zoë"}


DEEP = 50_000
ODD = {
    "deep lists": "max_steps = " + "[" * DEEP + "]" * DEEP,
    "deep tables": "max_steps = " + "{a=" * DEEP + "1" + "}" * DEEP,
    "deep headings": "[" + ".".join("a" * DEEP) + "]\nmax_steps = 1\n",
    "deep keys": ".".join("a" * DEEP) + " = 1\n",
    "a list of tables": "[[schedule]]\nmax_steps = 1\n",
    "tables in tables": "[schedule.more]\nmax_steps = 1\n",
    "digits": "max_steps = " + "9" * 5000,
    "a large number": "max_steps = 9223372036854775808",
    "a large float": "learning_rate = " + "9" * 400,
    "infinity": "learning_rate = inf",
    "less than nothing": "learning_rate = -inf",
    "a float beyond all": "learning_rate = 1e999",
    "no number": "learning_rate = nan",
    "an infinite count": "max_steps = inf",
    "a date": "max_steps = 1979-05-27",
    "a moment": "learning_rate = 1979-05-27T07:32:00Z",
    "a truth": "max_steps = true",
    "a list": "max_steps = [1]",
    "a NUL": 'sample_prompt = "a\\u0000b"\nmax_steps = "\\u0000"',
    "a surrogate": 'sample_prompt = "\\ud800"',
}


@pytest.mark.parametrize("what", ODD)
def test_odd_toml_is_told_in_a_line(tmp_path, what):
    path = tmp_path / "run.toml"
    path.write_text(ODD[what])
    with pytest.raises(UserError) as caught:
        TrainConfig().updated(read_toml(path))
    assert "\n" not in caught.value.message and len(caught.value.message) < 300
    assert caught.value.remedy


def test_toml_that_is_no_file_or_no_text(tmp_path):
    (tmp_path / "latin.toml").write_bytes(b'sample_prompt = "Zo\xeb"')
    for path in (tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(UserError):
            read_toml(path)


@pytest.mark.parametrize("name", sorted(SECTION_OF))
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e999", "9" * 400, "9" * 5000, "", "٣"])
def test_no_flag_takes_what_is_no_number(mgpt, name, value):
    entry = next(
        entry for section in SECTIONS.values() for entry in declared(section) if entry.name == name
    )
    if entry.type is bool or (entry.type is str and not entry.limits.choices):
        return
    outcome = mgpt("train", "--name", "x", entry.flag, value)
    assert outcome.code == 2
    if value != "٣":  # Arabic for 3, which is a number
        assert name in outcome.err and len(outcome.err.splitlines()) == 2


def test_a_preset_with_changes():
    settings = TrainConfig().updated({"preset": "tiny", "n_layer": 3, "dropout": 0.3}).model
    shape = settings.gpt_config(777)
    assert (shape.vocab_size, shape.n_layer, shape.n_embd, shape.dropout) == (777, 3, 64, 0.3)
