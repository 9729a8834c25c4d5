"""Keys that `settings.json` changes: what may not be, and what the screen calls the others."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import ascii_letters, digits

import pytest

import mgpt_tui.ui
from mgpt_tui.settings import Settings, save_settings
from mgpt_tui.ui.declaration import Where
from mgpt_tui.ui.keymap import DIALOGS, EDITING, FIELDS, KeyNames, check_keys
from mgpt_tui.ui.keys import KEY, KEYS
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.screens.help import HelpScreen

MOVABLE = [key for key in KEYS if key.keys and key.where is not Where.TEXTUAL]
PRINTABLE = (
    *ascii_letters,
    *digits,
    "space",
    "full_stop",
    "comma",
    "ä",
    "shift+a",
    "minus",
    "slash",
    "?",
    "+",
)


@pytest.mark.parametrize("id", ["retry", "send", "stop", "quit", "complete"])
@pytest.mark.parametrize("name", PRINTABLE)
def test_no_key_that_types_is_taken_away(id: str, name: str) -> None:
    kept, wrong = check_keys({id: name, "redo": "f12"})
    assert kept == {"redo": "f12"}
    assert len(wrong) == 1
    assert wrong[0].startswith(f"keys: {id} cannot be ")
    assert wrong[0].endswith(", which types a character")


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"retry": "ctrl+m"}, "retry cannot be enter, which the settings and the dialogs need"),
        ({"retry": "return"}, "retry cannot be enter, which the settings and the dialogs need"),
        ({"newline": "ctrl+m"}, "newline cannot be enter, which is send"),
        ({"newline": "ctrl+i"}, "newline cannot be tab, which is complete"),
        ({"retry": "ctrl+h"}, "retry cannot be backspace, which the line needs"),
        ({"send": "left"}, "send cannot be left, which the line needs"),
        ({"quit": "escape"}, "quit cannot be escape, which the settings and the dialogs need"),
        ({"quit": "f10"}, "quit cannot be f10, which dialogs need"),
        (
            {"send": "shift+enter"},
            "send cannot be shift+enter alone, which not every terminal sends: add another",
        ),
        (
            {"send": "super+s,ctrl+enter"},
            "send cannot be super+s alone, which not every terminal sends: add another",
        ),
        ({"retry": "<any>"}, "retry cannot be '<any>', which is no key"),
    ],
)
def test_what_would_take_something_away_is_refused_with_the_reason(
    changed: dict[str, str], wrong: str
) -> None:
    kept, told = check_keys({**changed, "undo": "f12"})
    assert kept == {"undo": "f12"}
    assert told == (f"keys: {wrong}",)


def test_enter_can_be_a_new_line_where_something_else_sends() -> None:
    changed = {"send": "shift+enter,ctrl+g", "newline": "enter"}
    assert check_keys(changed) == (changed, ())
    assert check_keys({"send": "ctrl+g"}) == ({"send": "ctrl+g"}, ())
    assert check_keys({"stop": "f12", "end": "ctrl+end", "retry": "f12,ctrl+e"})[1] == (
        "keys: retry cannot be f12, which is stop",
    )


def test_no_key_of_the_whole_app_is_one_that_a_dialog_has_a_use_for() -> None:
    bound = {
        name
        for dialog in all_dialogs(Dialog)
        for _, binding in dialog._merge_bindings()
        for name in [binding.key]
        if len(name) > 1
    }
    assert bound <= EDITING | FIELDS | DIALOGS


def all_dialogs(of: type) -> set[type]:
    return {of, *(deeper for dialog in of.__subclasses__() for deeper in all_dialogs(dialog))}


async def test_a_refused_key_is_told_at_the_start_and_others_work(open_room, engine) -> None:
    save_settings(Settings(keys={"redo": "a", "retry": "f12", "send": "shift+enter"}))
    async with open_room(engine, (160, 48)) as writer:
        await writer.until(lambda: "redo cannot be a, which types a character" in writer.toasts)
        assert "send cannot be shift+enter alone" in writer.toasts
        await writer.type("a cat")
        assert writer.prompt.text == "a cat"
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 1 and not writer.app.session.is_busy)
        await writer.press("f12")
        await writer.until(lambda: len(engine.asked) == 2)


# What the keys are called.


def test_a_text_names_the_keys_in_force() -> None:
    names = KeyNames({"stop": "f12,ctrl+x", "retry": "a"})
    assert names.fill("{Stop} stops it, {retry} tries; {rename}") == (
        "F12 stops it, ctrl+r tries; /rename NAME"
    )
    assert names.fill("{no} {} {such thing}") == "{no} {} {such thing}"
    assert names.all("stop") == "f12 or ctrl+x"


OTHER = {
    key.id: f"ctrl+{'shift+' * (number > 24)}f{number % 24 or 24}"
    for number, key in enumerate(MOVABLE, 1)
} | {"send": "ctrl+g"}
KEY_WORD = re.compile(
    r"\b(?:ctrl|alt|shift)\+\w+|(?<!\w)\^[a-z]\b|\b[fF]\d{1,2}\b"
    r"|\b(?:esc|enter|tab|page up|page down)\b",
    re.IGNORECASE,
)


SAID = {"escape": "esc", "pageup": "page up", "pagedown": "page down"}
"""How texts call keys whose names are others."""


def named(screen: str) -> set[str]:
    """The keys that a screen names."""
    return {word.casefold() for word in KEY_WORD.findall(screen)}


async def test_the_screen_names_the_keys_as_they_are_changed(open_room, engine) -> None:
    kept, wrong = check_keys(OTHER)
    assert not wrong
    save_settings(Settings(keys=OTHER))
    allowed = named(" ".join(f"{keys} {keys.replace('ctrl+', '^')}" for keys in kept.values()))
    async with open_room(engine, (160, 48)) as writer:
        assert not named(writer.screen) - allowed
        await writer.sees("and press ctrl+g.")
        await writer.send("A key")
        await writer.press("ctrl+g")
        await writer.until(lambda: engine.asked and not writer.app.session.is_busy)
        await writer.sees("And then? Ctrl+g lets the model go on")
        for key in KEYS:
            if key.unless:
                writer.room.desk.say(writer.room.desk.names.fill(key.unless))
                await writer.settle()
                assert not named(writer.screen) - allowed, key.id
        ways = [command.help for command in writer.app.get_system_commands(writer.room)]
        assert not named("\n".join(ways)) - allowed
        writer.app.action_help()
        await writer.on(HelpScreen)
        said = "\n".join(str(text.content) for text in writer.app.screen.query("Plain"))
        assert named(said) - allowed <= {"esc", "ctrl+c", "shift"}  # of the list; of Textual


def test_no_text_has_the_name_of_a_key_that_may_be_changed() -> None:
    """Texts of the room name keys by what they do; a dialog may name those that it binds itself."""
    for path in sorted(Path(mgpt_tui.ui.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        screen = path.parent / "screen.py"  # binds for all views of its folder
        sources = [each.read_text("utf-8") for each in (path, screen) if each.exists()]
        bound = {name for each in sources for call in bindings_in(ast.parse(each)) for name in call}
        is_dialog = any(re.search(r"\((\w*Dialog|Picker)\[", each) for each in sources)
        own = {"enter", "esc"} if is_dialog else set()
        for line, text in texts_in(tree):
            if not KEY_WORD.fullmatch(text):  # else it is where a name is made
                assert named(text) <= own | bound, f"{path}:{line}: {text!r}"


def bindings_in(tree: ast.AST) -> list[list[str]]:
    """The keys of every `Binding(...)`, and of every view that has `keys` of its own."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    bound = [call.args[0] for call in calls if getattr(call.func, "id", "") == "Binding"]
    for call in calls:
        for given in call.keywords:
            if given.arg == "keys" and isinstance(given.value, ast.Dict):
                bound += filter(None, given.value.keys)
    return [
        [SAID.get(key, key) for key in str(name.value).split(",")]
        for name in bound
        if isinstance(name, ast.Constant)
    ]


def texts_in(tree: ast.AST) -> list[tuple[int, str]]:
    """Every text that has a blank in it, and so is for people; docstrings are not."""
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and " " in node.value.strip()
        and id(node) not in docs
    ]


def test_every_placeholder_is_the_id_of_a_key() -> None:
    for path in Path(mgpt_tui.ui.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "fill":
                for text in ast.walk(call):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        for id in re.findall(r"{(\w+)}", text.value):
                            assert id.lower() in KEY, (path, id)
    for key in KEYS:
        for id in re.findall(r"{(\w+)}", key.unless):
            assert id.lower() in KEY
