"""Settings in the app: what people call them there, and what they are for."""

from __future__ import annotations

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings import ShowingSettings
from mgpt_tui.settings_fields import OFF, Declared, declared

PanelSettings = SamplingSettings | ShowingSettings
KINDS = (SamplingSettings, ShowingSettings)
"""What the panel has settings of, in its order."""

LABELS = {
    "max_tokens": "length",
    "repetition_penalty": "repetition",
    "finish_sentence": "finish",
}
"""What people call a setting, where that is not its name."""


def in_panel() -> dict[str, Declared]:
    """The settings that a writer may change in the app, by what people call them."""
    return {label(entry): entry for kind in KINDS for entry in declared(kind)}


def kind_of(name: str) -> type[PanelSettings]:
    """Of what a setting in the panel is one."""
    return next(kind for kind in KINDS if name in (entry.name for entry in declared(kind)))


def label(setting: Declared) -> str:
    """What people call a setting."""
    return LABELS.get(setting.name, setting.name.replace("_", "-"))


def meaning(setting: Declared) -> str:
    """What a setting is for, in one line."""
    limits = setting.limits
    if setting.many and not limits.words:
        return f"{limits.help.partition(';')[0]}; several as one | other, \\n is a new line"
    if limits.words:
        return f"{limits.help.partition(';')[0]}; with commas between"
    return f"{limits.help} ({limits.note})" if limits.note else limits.help


def off_word(setting: Declared) -> str:
    """What is typed for no value, of a setting that need not have one; "" of others."""
    if setting.many:
        return OFF
    return (setting.limits.off or "") if setting.optional else ""
