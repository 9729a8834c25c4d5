"""The remembered settings: they come back, and a damaged file costs nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings import (
    ROOM,
    Settings,
    ShowingSettings,
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
        showing=ShowingSettings(reading_speed=4.5),
        theme="nord",
        keys={"send": "ctrl+g"},
    )
    save_settings(settings)
    assert load_settings() == settings


def test_the_room_writes_a_few_sentences_unless_it_was_told_otherwise() -> None:
    assert load_settings().sampling == ROOM
    assert ROOM.max_tokens < SamplingSettings().max_tokens
    write({"theme": "nord"})
    assert load_settings().sampling == ROOM
    write({"sampling": {"max_tokens": 200}})  # as a version without the others has left it
    assert load_settings().sampling == SamplingSettings()


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
        pytest.param("[" * 100_000, "it is nested deeper", id="deep"),
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
    asides = []
    for _ in range(2):  # the second does not cost the first
        write(text)
        asides.append(aside_file())
        save_settings(Settings())
        save_settings(Settings(theme="nord"))
    assert [aside.read_text("utf-8") for aside in asides] == [text, text]
    assert load_settings().theme == "nord"


def test_a_folder_that_cannot_be_written_is_said(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config").write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError):
        save_settings(Settings())


def test_a_byte_order_mark_is_no_part_of_the_settings() -> None:
    for encoding in ("utf-8-sig", "utf-16"):
        write("")
        settings_file().write_bytes('{"theme": "nörd"}'.encode(encoding))
        assert check_settings() == (Settings(theme="nörd"), ())


def test_half_a_character_costs_no_setting_and_is_never_kept() -> None:
    write('{"format":1,"sampling":{"stop":["\\ud800"],"top_k":7},"theme":"\\udfff"}')
    settings, wrong = check_settings()
    assert (settings.sampling.stop, settings.theme, wrong) == (("\ufffd",), "\ufffd", ())
    save_settings(settings)
    assert load_settings() == settings
    save_settings(Settings(theme="\ud800", keys={"send": "f9"}))  # wherever it came from
    assert load_settings().keys == {"send": "f9"}


@pytest.mark.parametrize("number", ["1e999", "-Infinity", "NaN", "1" + "0" * 4000])
def test_a_number_that_is_none_costs_no_other_setting(number: str) -> None:
    write(f'{{"theme": "nord", "sampling": {{"temperature": {number}, "top_k": 7}}}}')
    settings, wrong = check_settings()
    assert settings == Settings(sampling=SamplingSettings(top_k=7), theme="nord")
    assert len(wrong) == 1
    assert len(wrong[0]) < 80


@pytest.mark.skipif(os.name != "posix", reason="links and modes")
def test_a_link_to_the_settings_is_written_through_and_modes_stay(tmp_path: Path) -> None:
    mine = tmp_path / "dotfiles" / "mgpt.json"
    mine.parent.mkdir()
    mine.write_text('{"format": 1, "thme": ""}', encoding="utf-8")
    mine.chmod(0o600)
    settings_file().parent.mkdir(parents=True)
    settings_file().symlink_to(mine)
    aside = aside_file()
    save_settings(Settings(theme="nord"))
    assert settings_file().is_symlink()
    assert json.loads(mine.read_text("utf-8"))["theme"] == "nord"
    assert "thme" in aside.read_text("utf-8")
    mine.chmod(0o640)
    save_settings(Settings(theme="dracula"))
    assert mine.stat().st_mode & 0o777 == 0o640
    settings_file().unlink()
    settings_file().symlink_to(settings_file())
    assert check_settings()[0] == Settings()
    with pytest.raises(UserError):
        save_settings(Settings())


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_or_a_huge_file_does_not_stop_the_app() -> None:
    settings_file().parent.mkdir(parents=True)
    os.mkfifo(settings_file())
    assert "no regular file" in check_settings()[1][0]
    settings_file().unlink()
    with settings_file().open("wb") as stream:
        stream.truncate(200 * 2**30)
    assert "larger than" in check_settings()[1][0]
