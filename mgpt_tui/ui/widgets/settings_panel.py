"""The settings, as a form built from what the dataclass declares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings_fields import Declared, declared
from mgpt_tui.ui.widgets.plain import Plain

LABELS = {"max_tokens": "length", "repetition_penalty": "repetition"}
"""What people call a setting, where that is not its name."""


def label(setting: Declared) -> str:
    """What the form calls a setting."""
    return LABELS.get(setting.name, setting.name.replace("_", "-"))


def value_text(setting: Declared, value: Any) -> str:
    """A value as it is typed."""
    if value is None:
        return setting.limits.off or ""
    return f"{value:g}" if setting.type is float else str(value)


def parse(setting: Declared, text: str) -> Any:
    """A typed value; nothing typed is None for a setting that may be left out.

    Raises:
        UserError: where it is not allowed; its message says what is.
    """
    text = text.strip()
    off = setting.limits.off
    if setting.optional and (text == off if off else not text):
        return None
    try:
        value = setting.type(text)
        setting.check(value)
    except (ValueError, UserError):
        raise UserError(setting.allowed()) from None
    return value


class SettingField(Vertical):
    """One setting: its name, its value, and what it means or why the value cannot be."""

    class Changed(Message):
        """The setting has another value, which is allowed."""

        def __init__(self, setting: str, value: Any) -> None:
            super().__init__()
            self.setting = setting
            self.value = value

    def __init__(self, setting: Declared, value: Any) -> None:
        super().__init__(id=f"field-{setting.name}")
        self.setting = setting
        self._help = setting.limits.help
        if setting.limits.note:
            self._help += f" ({setting.limits.note})"
        self._value = value

    def compose(self) -> ComposeResult:
        empty = "new each time" if self.setting.name == "seed" else ""
        with Horizontal():
            yield Plain(label(self.setting), classes="name")
            yield Input(
                value_text(self.setting, self._value),
                placeholder=empty,
                id=self.setting.name,
                compact=True,
                select_on_focus=True,
            )
        yield Plain(self._help, classes="help")

    @on(Input.Changed)
    def check(self, event: Input.Changed) -> None:
        """Say at once where a value cannot be, and which ones can."""
        event.stop()
        try:
            parse(self.setting, event.value)
        except UserError as error:
            self._say(f"✗ {error.message}", bad=True)
        else:
            self._say(self._help, bad=False)

    @on(Input.Submitted)
    @on(Input.Blurred)
    def take(self, event: Input.Submitted | Input.Blurred) -> None:
        """Take the value once it is typed to its end.

        One that cannot be stays, with the reason, after enter; on leaving the field it gives
        way to the value in force.
        """
        left = isinstance(event, Input.Blurred)
        try:
            value = parse(self.setting, event.value)
        except UserError:
            event.stop()
            if left:
                event.input.value = value_text(self.setting, self._value)
            return
        if left:
            event.stop()
        if value != self._value:
            self._value = value
            self.post_message(self.Changed(self.setting.name, value))

    def _say(self, text: str, *, bad: bool) -> None:
        self.set_class(bad, "-bad")
        self.query_one(".help", Plain).update(text)


class SettingsPanel(VerticalScroll, can_focus=False):
    """All settings of the next generation."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    class Changed(Message):
        """The settings are others than before."""

        def __init__(self, sampling: SamplingSettings) -> None:
            super().__init__()
            self.sampling = sampling

    class Done(Message):
        """Enter or escape was pressed in a field."""

    def __init__(self, sampling: SamplingSettings, id: str) -> None:
        super().__init__(id=id)
        self.sampling = sampling

    def compose(self) -> ComposeResult:
        yield Plain("Settings for the next passage", classes="heading")
        for setting in declared(SamplingSettings):
            if setting.limits.panel:
                yield SettingField(setting, getattr(self.sampling, setting.name))

    @property
    def has_focus_within(self) -> bool:
        """Whether one of the fields has the focus."""
        focused = self.screen.focused
        return focused is not None and self in focused.ancestors

    def enter(self) -> None:
        """Put the cursor into the first field."""
        self.query(Input).first().focus()

    @on(SettingField.Changed)
    def take(self, event: SettingField.Changed) -> None:
        """Gather the fields into settings."""
        event.stop()
        self.sampling = replace(self.sampling, **{event.setting: event.value})
        self.post_message(self.Changed(self.sampling))

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        """Go back to writing."""
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Go back to writing."""
        self.post_message(self.Done())
