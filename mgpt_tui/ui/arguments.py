"""What may stand after slash commands: what is offered there, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mgpt_tui.errors import UserError, did_you_mean
from mgpt_tui.model.registry import list_models
from mgpt_tui.presets import SAMPLING_PRESETS, find_preset
from mgpt_tui.settings_fields import OFF, ON, Declared
from mgpt_tui.settings_text import allowed, parse
from mgpt_tui.ui.declaration import Argument, Offer, Room, matching
from mgpt_tui.ui.themes import theme_names
from mgpt_tui.ui.values import in_panel, label, meaning, off_word


def _stories(room: Room) -> Iterable[str]:
    try:
        return [entry.name for entry in room.library.entries()]
    except UserError:  # opening says why
        return ()


def _presets(begun: str, names: Iterable[str]) -> Iterator[Offer]:
    return matching(begun, {preset.name: preset.help for preset in SAMPLING_PRESETS.values()})


def _settings(begun: str, names: Iterable[str]) -> Iterator[Offer]:
    """Settings, or the values of the one that is named."""
    name, blank, value = begun.partition(" ")
    if not blank:
        for one in matching(begun, {name: meaning(s) for name, s in in_panel().items()}):
            yield Offer(f"{one.text} ", one.label, one.help)
        return
    setting = _setting(name)
    if setting is None:
        return
    words = (ON, OFF) if setting.type is bool else (off_word(setting),)
    for one in matching(value, dict.fromkeys(filter(None, words), "")):
        yield Offer(f"{name} {one.text}", one.label)
    yield Offer(begun, allowed(setting), meaning(setting))


def _setting(name: str) -> Declared | None:
    """The setting that people call so, as the panel or the command line do."""
    wanted = name.casefold().removeprefix("--").replace("_", "-")
    for called, setting in in_panel().items():
        if wanted in (called, setting.flag.removeprefix("--")):
            return setting
    return None


def read_setting(argument: str) -> tuple[str, Any]:
    """The setting's name and the value that stand after `/set`.

    Raises:
        UserError: where there is no such setting or it cannot have that value.
    """
    name, _, text = argument.strip().partition(" ")
    setting = _setting(name)
    if setting is None:
        raise UserError(f"There is no setting {name!r}.", did_you_mean(name, in_panel()))
    text = text.strip()
    try:
        return setting.name, parse(setting, text)
    except UserError as error:
        wrong = f"cannot be {text!r}" if text else "needs a value"
        said = f"{label(setting)} {wrong}."
        if setting.limits.words:  # of which it says the one that cannot be
            said = error.message
        raise UserError(said, f"Give {allowed(setting)}.") from None


def _whole_number(argument: str, usage: str) -> None:
    if not argument.isdecimal():
        raise UserError(f"{usage} takes a whole number, not {argument!r}.")


def _to_copy(begun: str, names: Iterable[str]) -> Iterator[Offer]:
    return matching(begun, COPIES)


COPIES = {"story": "the whole story", "passage": "what was written last"}
"""What can be copied; a file may follow."""
TO_COPY = Argument(offers=_to_copy)
NUMBER = Argument(check=_whole_number)
STORY = Argument(names=_stories)
MODEL = Argument(names=lambda room: [entry.name for entry in list_models()])
THEME = Argument(names=lambda room: theme_names(room.themes))
PRESET = Argument(
    offers=_presets, check=lambda name, _: find_preset(name), choices=tuple(SAMPLING_PRESETS)
)
SETTING = Argument(
    offers=_settings, check=lambda argument, _: read_setting(argument), choices=tuple(in_panel())
)
