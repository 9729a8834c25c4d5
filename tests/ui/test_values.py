"""Settings as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings_fields import Declared, declared
from mgpt_tui.text import clean_text
from mgpt_tui.ui.values import in_panel, label, meaning, parse, value_text

ALL = {setting.name: setting for setting in declared(SamplingSettings)}
STOP = ALL["stop"]


@pytest.mark.parametrize("setting", ALL.values(), ids=list(ALL))
def test_a_default_comes_back(setting: Declared) -> None:
    assert parse(setting, value_text(setting, setting.default)) == setting.default
    assert label(setting)
    assert meaning(setting)


def test_the_panel_calls_every_setting_otherwise() -> None:
    names = [label(setting) for setting in in_panel().values()]
    assert len(set(names)) == len(names)
    assert "ban" not in names


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("The end", ("The end",)),
        (" The end | Once upon ", ("The end", "Once upon")),
        (r"\n\n", ("\n\n",)),
        (r"\sthe|a\tb", (" the", "a\tb")),
        (r"a\|b | \\n", ("a|b", r"\n")),
        ("|a||", ("a",)),
        ("a, b", ("a, b",)),
    ],
)
def test_stop_strings_stand_in_one_line(text: str, parts: tuple[str, ...]) -> None:
    assert parse(STOP, text) == parts


@pytest.mark.parametrize("text", ["\\x", "a\\", "\\ b"])
def test_an_escape_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="new line"):
        parse(STOP, text)


@given(st.lists(st.text(min_size=1).map(clean_text), max_size=4))
def test_stop_strings_come_back(parts: list[str]) -> None:
    line = value_text(STOP, tuple(parts))
    assert "\n" not in line
    assert parse(STOP, line) == tuple(parts)


@pytest.mark.parametrize("text", ["", "2", "perhaps", "none"])
def test_a_switch_is_on_or_off(text: str) -> None:
    with pytest.raises(UserError, match="on or off"):
        parse(ALL["finish_sentence"], text)
