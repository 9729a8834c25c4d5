"""Settings as people type them, in one way wherever they do."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from mgpt_tui.cli.given.options import given as given_options
from mgpt_tui.cli.given.options import setting_options
from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.settings import check_settings, settings_file
from mgpt_tui.settings_fields import Declared, arguments_from, declared
from mgpt_tui.settings_text import parse, value_text
from mgpt_tui.text import clean_text
from mgpt_tui.ui.arguments import read_setting
from mgpt_tui.ui.values import in_panel, label, meaning
from training.config import read_toml

ALL = {setting.name: setting for setting in declared(SamplingSettings)}
STOP = ALL["stop"]


@pytest.mark.parametrize("setting", ALL.values(), ids=list(ALL))
def test_a_default_comes_back(setting: Declared) -> None:
    assert parse(setting, value_text(setting, setting.default)) == setting.default
    assert label(setting)
    assert meaning(setting)


@pytest.mark.parametrize("text", ["\u2028", "a\r\nb", "\u2029x", "\x85", "\x1b[31m\n"])
def test_a_text_is_shown_on_one_line(text: str) -> None:
    shown = value_text(STOP, (text,))
    assert len(shown.splitlines()) == 1
    assert value_text(STOP, parse(STOP, shown)) == shown


def test_the_panel_calls_every_setting_otherwise() -> None:
    names = [label(setting) for setting in in_panel().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("The end", ("The end",)),
        ("The end | Once upon", ("The end", "Once upon")),
        (" The end | Once upon ", (" The end", "Once upon ")),  # a shell's quotes are gone
        ('"The end"', ("The end",)),
        ("'The end' | \" the\"", ("The end", " the")),
        (r'"a|b\"c" | d', ('a|b"c', "d")),
        ('"Yes" or "no"', ('"Yes" or "no"',)),
        ('"', ('"',)),
        ("it's | can't", ("it's", "can't")),
        ("off", ()),
        (" OFF ", ()),
        ('"off"', ("off",)),
        ("off | on", ("off", "on")),
        ("''", ()),
        ('""', ()),
        (" ", (" ",)),
        (r"\n\n", ("\n\n",)),
        (r"\sthe|a\tb", (" the", "a\tb")),
        (r"a\|b | \\n", ("a|b", r"\n")),
        ("|a||", ("a",)),
        ("a, b", ("a, b",)),
    ],
)
def test_stop_strings_stand_in_one_line(text: str, parts: tuple[str, ...]) -> None:
    assert parse(STOP, text) == parts


@pytest.mark.parametrize("text", ["\\x", "a\\", "\\ b", "|", " | ", "''|"])
def test_an_escape_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="new line"):
        parse(STOP, text)


@given(
    st.lists(
        st.one_of(st.text(min_size=1), st.text("\"' |\\nofF\n\t", min_size=1)).map(clean_text),
        max_size=4,
    )
)
@example(["off"])
@example(['"a', 'b"'])
@example([" ", "|"])
def test_stop_strings_come_back(parts: list[str]) -> None:
    line = value_text(STOP, tuple(parts))
    assert "\n" not in line
    assert parse(STOP, line) == parse(STOP, line.strip()) == tuple(parts)


@pytest.mark.parametrize("text", ["", "2", "perhaps", "none"])
def test_a_switch_is_on_or_off(text: str) -> None:
    with pytest.raises(UserError, match="on or off"):
        parse(ALL["finish_sentence"], text)


def by_option(flag: str, *values: str) -> object:
    """What the command line makes of an option."""
    found: list[object] = []

    @click.command()
    @setting_options(SamplingSettings)
    @setting_options(DecodingSettings)
    def command(**options: object) -> None:
        found.append(given_options(options).get(flag.replace("-", "_"), "not given"))

    arguments = [part for value in values for part in (f"--{flag}", value)]
    outcome = CliRunner().invoke(command, arguments)
    if outcome.exception is not None:
        raise outcome.exception
    return found[0]


SAME = [
    ("stop", r"\n", ("\n",)),
    ("stop", "off", ()),
    ("stop", "''", ()),
    ("stop", '"The end"', ("The end",)),
    ("stop", "The end | Once", ("The end", "Once")),
    ("seed", "random", None),
    ("seed", "Random", None),
    ("seed", "-1", None),
    ("seed", "off", None),
    ("seed", "7", 7),
    ("seed", '"7"', 7),
    ("top-k", "off", None),
    ("top-k", "OFF", None),
    ("top-k", "'off'", None),
    ("top-p", "'0.5'", 0.5),
    ("top-p", " off ", None),
    ("min-p", "off", None),
    ("temperature", '"0.9"', 0.9),
]


@pytest.mark.parametrize(("name", "text", "value"), SAME)
def test_what_is_typed_means_the_same_in_every_place(name: str, text: str, value: object) -> None:
    assert by_option(name, text) == value
    assert read_setting(f"{name} {text}")[1] == value
    setting = next(one for one in in_panel().values() if one.flag == f"--{name}")
    assert parse(setting, text) == value  # as the panel does
    assert by_option(name, value_text(setting, value)) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stop", r"\x"),
        ("stop", "|"),
        ("seed", "-2"),
        ("seed", "soon"),
        ("top-k", "0"),
        ("top-k", ""),
    ],
)
def test_what_cannot_be_is_refused_in_every_place(name: str, text: str) -> None:
    with pytest.raises(UserError, match="cannot be"):
        by_option(name, text)
    with pytest.raises(UserError, match=r"cannot be|needs a value"):
        read_setting(f"{name} {text}")


def test_an_option_that_is_given_several_times_counts_from_its_last_off_on() -> None:
    assert by_option("stop", "a", "b | c") == ("a", "b", "c")
    assert by_option("stop", "a", "off") == ()
    assert by_option("stop", "a", "", "b") == ("b",)
    assert by_option("ban", " cat", r"\n", '" dog"') == (" cat", "\n", " dog")
    assert by_option("bias", " cat=-2") == (" cat=-2",)
    assert by_option("threads", "AUTO") is None
    assert by_option("stop") == "not given"


def test_a_file_has_texts_as_they_are_and_the_same_words_for_off() -> None:
    settings_file().parent.mkdir(parents=True)
    sampling = {"stop": ["off", "", '"a" | b', "\\n"], "seed": -1, "top_k": "off", "min_p": "Off"}
    settings_file().write_text(json.dumps({"sampling": sampling}), encoding="utf-8")
    found, wrong = check_settings()
    assert not wrong
    assert found.sampling.stop == ("off", '"a" | b', "\\n")
    assert found.sampling.seed is found.sampling.top_k is found.sampling.min_p is None
    assert arguments_from(SamplingSettings, {"seed": "random"}) == {"seed": None}
    assert arguments_from(SamplingSettings, {"seed": True, "more": 1}) == {"seed": True, "more": 1}


def test_an_empty_text_never_reaches_the_model() -> None:
    with pytest.raises(UserError, match="stop cannot be"):
        SamplingSettings(stop=("",))


def test_a_toml_file_takes_the_words_of_the_flags(tmp_path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('patience = "Off"\nkeep = "all"\n[report]\neval-stories = "all"\n', "utf-8")
    assert read_toml(file) == {"patience": None, "keep": None, "eval_stories": None}
