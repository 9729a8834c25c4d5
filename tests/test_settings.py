"""The remembered settings: they come back, and a damaged file costs nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings import Settings, load_settings, save_settings, settings_file


def test_settings_come_back() -> None:
    assert load_settings() == Settings()
    settings = Settings(
        sampling=SamplingSettings(
            temperature=0,
            top_k=None,
            max_tokens=9,
            seed=7,
            finish_sentence=False,
            stop=("The end", "\n"),
        ),
        theme="nord",
        keys={"send": "ctrl+g"},
    )
    save_settings(settings)
    assert load_settings() == settings


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format": 2}', "\0", "[" * 100_000, '{"format": 1}']
)
def test_a_damaged_file_gives_the_defaults(text: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(text, encoding="utf-8")
    assert load_settings() == Settings()


def test_one_bad_value_costs_no_other() -> None:
    save_settings(Settings(theme="nord"))
    content = json.loads(settings_file().read_text("utf-8"))
    content["sampling"] |= {"temperature": -1, "top_k": 7, "seed": "x", "more": 1}
    content["sampling"] |= {"finish_sentence": "no", "stop": "text"}
    content["keys"] = {"send": 3, "stop": "f9"}
    settings_file().write_text(json.dumps(content), encoding="utf-8")
    settings = load_settings()
    assert settings.sampling == SamplingSettings(top_k=7)
    assert settings.theme == "nord"
    assert settings.keys == {"stop": "f9"}


def test_a_damaged_file_is_set_aside_not_lost() -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('{"format": 1, "theme": "nord",}', encoding="utf-8")
    save_settings(Settings())
    aside = settings_file().with_suffix(".damaged.json")
    assert aside.read_text("utf-8") == '{"format": 1, "theme": "nord",}'
    save_settings(Settings(theme="nord"))
    assert aside.exists()


def test_a_folder_that_cannot_be_written_is_said(home: Path) -> None:
    home.mkdir()
    (home / "config").write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError):
        save_settings(Settings())
