"""Commands in the prompt line: what they ask for, what they say of mistakes, what is offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.ui.arguments import read_setting
from mgpt_tui.ui.keys import KEYS
from mgpt_tui.ui.slash import COMMANDS, as_text, as_typed, complete, is_command, read_command

NAMES = {"open": ["The key", "A door", "The [door]"], "models": ["storyteller", "mine/best"]}


def offers(id: str) -> list[str]:
    return NAMES.get(id, [])


def offered(line: str) -> list[str]:
    return [one.label for one in complete(line, offers)]


def test_every_command_is_read_and_no_name_means_two_things() -> None:
    names = [name for key in KEYS if key.slash for name in (key.slash, *key.aliases)]
    assert len(names) == len(set(names))
    arguments = {"SETTING VALUE": "temperature 0.9", "N": "3"}
    for name, key in COMMANDS.items():
        given = arguments.get(key.argument.strip("[]"), "calm" if key.argument else "")
        assert read_command(f"{name} {given}".rstrip()) == (key, given)
        assert read_command(f"{name.upper()}  {given} ") == (key, given)
        if not key.needs_argument:
            assert read_command(name) == (key, "")


@pytest.mark.parametrize(
    ("line", "message", "remedy"),
    [
        ("/sav", "/sav is no command.", "Did you mean /save?"),
        ("/ser", "/ser is no command.", "Did you mean /set?"),
        ("/unod now", "/unod is no command.", "Did you mean /undo?"),
        ("/", "/ is no command.", "/help lists them"),
        ("/home/me/story.txt", "/home/me/story.txt is no command.", "// writes a / as text"),
        ("/" + "x" * 500, f"/{'x' * 19}… is no command.", "/help"),
        ("/undo twice", "Nothing stands after /undo.", "Type /undo alone."),
        ("/rename", "/rename needs more: /rename NAME", ""),
        ("/preset", "/preset needs more: /preset NAME", "calm, balanced, wild"),
        ("/preset mad", "There is no preset 'mad'.", "calm, balanced, wild"),
        ("/compare many", "/compare [N] takes a whole number, not 'many'.", ""),
        ("/set", "/set needs more: /set SETTING VALUE", "temperature, top-k"),
        ("/set warmth 3", "There is no setting 'warmth'.", "temperature, top-k"),
        ("/set temperatur 3", "There is no setting 'temperatur'.", "Did you mean temperature?"),
        ("/set temperature 20", "temperature cannot be '20'.", "a number from 0 to 10"),
        ("/set temperature", "temperature needs a value.", "a number from 0 to 10"),
        ("/set top_k none", "top-k cannot be 'none'.", "a whole number, 1 or more, or off"),
        ("/set finish-sentence maybe", "finish cannot be 'maybe'.", "on or off"),
        ("/save a\nstory", "A command is one line.", "//"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(line: str, message: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        read_command(line)
    assert caught.value.message == message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("argument", "setting"),
    [
        ("temperature 0.9", ("temperature", 0.9)),
        ("Temperature  0", ("temperature", 0.0)),
        ("top-k off", ("top_k", None)),
        ("top_k 7", ("top_k", 7)),
        ("length 40", ("max_tokens", 40)),
        ("max_tokens 40", ("max_tokens", 40)),
        ("--repetition-penalty 1.1", ("repetition_penalty", 1.1)),
        ("seed", ("seed", None)),
        ("seed off", ("seed", None)),
        ("seed 7", ("seed", 7)),
        ("finish-sentence off", ("finish_sentence", False)),
        ("finish_sentence YES", ("finish_sentence", True)),
    ],
)
def test_a_setting_is_read_as_people_type_it(argument: str, setting: tuple[str, object]) -> None:
    assert read_setting(argument) == setting


def test_the_commands_that_a_line_may_become_are_offered() -> None:
    assert offered("/sa") == ["/save [NAME]"]
    assert offered("/lib") == ["/library [NAME]"]
    assert offered("/SET") == ["/settings", "/set SETTING VALUE"]
    assert len(offered("/")) == len([key for key in KEYS if key.slash])
    assert all(one.help for one in complete("/", offers))
    assert [one.line for one in complete("/sa", offers)] == ["/save "]
    assert [one.line for one in complete("/und", offers)] == ["/undo"]
    for line in ("", "undo", " /undo", "//undo", "/undo\n", "/no such"):
        assert offered(line) == []


def test_the_names_that_may_stand_after_a_command_are_offered() -> None:
    assert offered("/open ") == NAMES["open"]
    assert offered("/open door") == ["A door", "The [door]"]
    assert offered("/open the") == ["The key", "The [door]"]
    assert [one.line for one in complete("/stories the k", offers)] == ["/stories The key"]
    assert offered("/model b") == ["mine/best"]
    assert offered("/preset c") == ["calm", "balanced"]
    assert offered("/open nothing") == ["/open [NAME]"]
    assert [one.line for one in complete("/rename x", offers)] == ["/rename x"]


def test_settings_and_their_values_are_offered() -> None:
    assert offered("/set tem") == ["temperature"]
    assert [one.line for one in complete("/set tem", offers)] == ["/set temperature "]
    assert offered("/set temperature ") == ["a number from 0 to 10 (0 is greedy)"]
    assert offered("/set finish ")[:2] == ["on", "off"]
    assert next(one.line for one in complete("/set top_k o", offers)) == "/set top_k off"
    assert offered("/set nothing 3") == ["/set SETTING VALUE"]


@given(st.text())
def test_any_text_can_be_typed(text: str) -> None:
    line = as_typed(text)
    assert not is_command(line)
    assert as_text(line) == text


@given(st.text(max_size=30))
def test_any_line_is_read_or_refused(text: str) -> None:
    complete(f"/{text}", offers)
    complete(f"/set {text}", offers)
    for line in (f"/{text}", f"/set {text}", f"/compare {text}"):
        try:
            key, _ = read_command(line)
        except UserError:
            continue
        assert key in KEYS


@given(st.sampled_from(sorted(COMMANDS)), st.data())
def test_completing_ends_at_a_command(name: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(name)))
    lines = [one.line.rstrip() for one in complete(name[:cut], offers)]
    assert lines
    assert all(line in COMMANDS for line in lines)
