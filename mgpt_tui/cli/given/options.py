"""Command-line options made from the fields of config dataclasses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mgpt_tui.paths import expanded
from mgpt_tui.settings_fields import OFF as OFF_WORD
from mgpt_tui.settings_fields import SEVERAL, Declared, declared
from mgpt_tui.settings_text import parse

Command = TypeVar("Command", bound=Callable[..., Any])
Settings = TypeVar("Settings")


class SettingType(click.ParamType[Any]):
    """Converts a flag's text by what the dataclass field declares, so that bounds live there."""

    def __init__(self, setting: Declared) -> None:
        self.setting = setting
        self.name = setting.type.__name__

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        limits = self.setting.limits
        if limits.choices:
            return "|".join(limits.choices)
        kind = {int: "N", float: "X", str: "TEXT"}[self.setting.type]
        off = OFF_WORD if self.setting.many else limits.off
        return f"{kind}|{off}" if off else kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str):
            value = parse(self.setting, value)
            return OFF if value is None else value
        self.setting.check(value)
        return value


class PathType(click.Path):
    """A path as it is typed, that `paths.expanded` takes."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        expanded(value)
        return super().convert(value, param, ctx)


class _Off:
    """A value switched off on the command line, as against one that was not given."""

    def __repr__(self) -> str:
        return "off"


OFF = _Off()


def setting_options(
    config_class: type, *, skip: tuple[str, ...] = ()
) -> Callable[[Command], Command]:
    """A decorator that adds one option per setting that `config_class` declares.

    Options that are not given arrive as None; `given` leaves them out.
    """

    def add(command: Command) -> Command:
        for setting in reversed(list(declared(config_class))):
            if setting.name in skip:
                continue
            shown = setting.limits.off if setting.default is None else setting.default
            text = setting.limits.help
            if setting.limits.note:
                text += f" ({setting.limits.note})"
            if shown is not None and setting.type is not bool and not setting.many:
                text += f" [default: {shown}]"
            if setting.type is bool:
                flags = f"{setting.flag}/--no-{setting.flag[2:]}"
                if setting.default is not None:
                    text += f" [default: {'on' if setting.default else 'off'}]"
                option = click.option(flags, setting.name, default=None, help=text)
            else:
                option = click.option(
                    setting.flag,
                    setting.name,
                    type=SettingType(setting),
                    default=None,
                    multiple=setting.many,
                    help=f"{text}; or {_between(setting)}" if setting.many else text,
                )
            command = option(command)
        return command

    return add


def _between(setting: Declared) -> str:
    """How several texts are given at once."""
    return "several with commas between" if setting.limits.words else SEVERAL


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Only the options that were given, with `off` turned into None.

    What may be given several times counts from the last `off` on.
    """
    return {
        name: None if value is OFF else _together(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value is not None and value != ()
    }


def _together(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The texts of an option, in one, or options that click itself has gathered."""
    together: tuple[Any, ...] = ()
    for value in values:
        if not isinstance(value, tuple):
            return values
        together = together + value if value else ()
    return together


def settings_of(config_class: type[Settings], chosen: dict[str, Any]) -> Settings:
    """The settings of `config_class`, from those of `chosen` that are among them.

    Raises:
        UserError: where a value is not allowed.
    """
    names = {setting.name for setting in declared(config_class)}
    return config_class(**{name: chosen[name] for name in names & chosen.keys()})
