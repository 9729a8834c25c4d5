"""The remembered settings: they come back, and a damaged file costs nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings import (
    Settings,
    aside_file,
    check_settings,
    load_settings,
    save_settings,
    settings_file,
)


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


def write(content: object) -> None:
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    settings_file().write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "line 1 is no JSON"),
        ('{\n"theme": "nord",\n}', "line 3 is no JSON"),
        ("[]", "it is no JSON object"),
        ("null", "it is no JSON object"),
        ('{"format": 2}', "its format is 2, not 1"),
        ('{"format": null}', "its format is null, not 1"),
        ("\0", "line 1 is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("{}", ""),
        ('{"format": 1}', ""),
    ],
)
def test_a_damaged_file_gives_the_defaults_and_says_why(text: str, wrong: str) -> None:
    write(text)
    settings, said = check_settings()
    assert settings == Settings()
    assert len(said) == bool(wrong)
    assert "".join(said).startswith(wrong)


def test_a_file_that_cannot_be_read_says_so() -> None:
    settings_file().mkdir(parents=True)
    assert check_settings()[0] == Settings()
    assert str(settings_file()) in check_settings()[1][0]


def test_a_file_without_a_format_counts_as_of_this_one() -> None:
    write({"keys": {"send": "ctrl+g"}})
    assert check_settings() == (Settings(keys={"send": "ctrl+g"}), ())


def test_one_bad_value_costs_no_other_and_each_is_told() -> None:
    sampling = {"temperature": -1.5, "top_k": 7, "seed": "x", "more": 1}
    sampling |= {"finish_sentence": "no", "stop": "text"}
    write(
        {
            "theme": "nord",
            "sampling": sampling,
            "keys": {"send": 3, "stop": "f9", "help": ""},
            "thme": "",
        }
    )
    settings, wrong = check_settings()
    assert settings == Settings(
        sampling=SamplingSettings(top_k=7), theme="nord", keys={"stop": "f9", "help": ""}
    )
    assert wrong == (
        "it has no place for 'thme'",
        "sampling: temperature cannot be -1.5",
        "sampling: seed cannot be 'x'",
        "sampling has no 'more'",
        "sampling: finish_sentence cannot be 'no'",
        "sampling: stop cannot be 'text'",
        "keys.send cannot be 3",
    )
    write({"theme": 5, "sampling": [], "keys": "enter"})
    settings, wrong = check_settings()
    assert settings == Settings()
    assert wrong == ('keys cannot be "enter"', "sampling cannot be []", "theme cannot be 5")


@pytest.mark.parametrize("text", ['{"format": 1, "theme": "nord",}', '{"theme": 5}'])
def test_a_file_with_something_wrong_is_set_aside_not_lost(text: str) -> None:
    write(text)
    save_settings(Settings())
    assert aside_file().read_text("utf-8") == text
    save_settings(Settings(theme="nord"))
    assert aside_file().read_text("utf-8") == text


def test_a_folder_that_cannot_be_written_is_said(home: Path) -> None:
    home.mkdir()
    (home / "config").write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError):
        save_settings(Settings())
