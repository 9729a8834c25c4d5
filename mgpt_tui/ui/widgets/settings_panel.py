"""The settings, as a form built from what the dataclass declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widget import AwaitMount, Widget
from textual.widgets import Input

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.presets import OWN, SAMPLING_PRESETS, preset_name
from mgpt_tui.settings import ShowingSettings
from mgpt_tui.settings_fields import OFF, ON, Declared
from mgpt_tui.settings_text import allowed, parse, value_text
from mgpt_tui.ui.values import PanelSettings, in_panel, kind_of, label, meaning
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.radio_line import RadioLine

EMPTY = {"stop": "nothing", "ban": "nothing", "bias": "nothing", "words": "nothing"}
"""What a field says that holds nothing."""


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
        self._help = meaning(setting)
        self._value = value

    def compose(self) -> ComposeResult:
        setting, text = self.setting, value_text(self.setting, self._value)
        with Horizontal():
            yield Plain(label(setting), classes="name")
            if setting.type is bool:
                yield RadioLine((ON, OFF), text, id=setting.name)
            else:
                yield Input(
                    text,
                    placeholder=EMPTY.get(setting.name, ""),
                    id=setting.name,
                    compact=True,
                    select_on_focus=True,
                )
        yield Plain(self._help, classes="help")

    def use(self, value: Any) -> None:
        """Show another value, which came from elsewhere."""
        if value == self._value:
            return
        self._value = value
        text = value_text(self.setting, value)
        for line in self.query(RadioLine):  # neither is there before `compose`
            line.chosen = text
        for field in self.query(Input):
            field.value = text

    @on(RadioLine.Changed)
    def choose(self, event: RadioLine.Changed) -> None:
        """Take a value that cannot be wrong."""
        event.stop()
        self._take(parse(self.setting, event.word))

    @on(Input.Changed)
    def check(self, event: Input.Changed) -> None:
        """Say at once where a value cannot be, and which ones can."""
        event.stop()
        try:
            parse(self.setting, event.value.strip())
        except UserError:
            self._say(f"✗ {allowed(self.setting)}", bad=True)
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
            value = parse(self.setting, event.value.strip())
        except UserError:
            event.stop()
            if left:
                event.input.value = value_text(self.setting, self._value)
            return
        if left:
            event.stop()
        self._take(value)

    def _take(self, value: Any) -> None:
        if value != self._value:
            self._value = value
            self.post_message(self.Changed(self.setting.name, value))

    def _say(self, text: str, *, bad: bool) -> None:
        self.set_class(bad, "-bad")
        self.query_one(".help", Plain).update(text)


class PresetField(Vertical):
    """The presets, and which of them is in force."""

    class Changed(Message):
        """Another preset was chosen."""

        def __init__(self, preset: str) -> None:
            super().__init__()
            self.preset = preset

    def __init__(self, preset: str) -> None:
        super().__init__(id="field-preset")
        self._preset = preset

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Plain("preset", classes="name")
            yield RadioLine(tuple(SAMPLING_PRESETS), self._preset, id="preset")
        yield Plain(self._help(), classes="help")

    def use(self, preset: str) -> None:
        """Show which preset is in force, or that none is."""
        if preset != self._preset:
            self._preset = preset
            for line in self.query(RadioLine):  # there is none before `compose`
                line.chosen = preset
            for help in self.query(".help").results(Plain):
                help.update(self._help())

    @on(RadioLine.Changed)
    def choose(self, event: RadioLine.Changed) -> None:
        """Tell the panel."""
        event.stop()
        self.post_message(self.Changed(event.word))

    def _help(self) -> str:
        preset = SAMPLING_PRESETS.get(self._preset)
        return f"{preset.name}: {preset.help}" if preset else f"{OWN}: settings of your own"


class SettingsPanel(VerticalScroll, can_focus=False):
    """All settings: of the next generation, and of how it is shown.

    The settings count from the first moment on; their fields are made when they are to be seen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]
    DEFAULT_CSS = """
    PresetField {
        height: auto;
        padding-bottom: 1;
    }
    PresetField Horizontal {
        height: 1;
    }
    PresetField .name {
        width: 13;
    }
    """

    class Changed(Message):
        """The settings are others than before."""

        def __init__(self, sampling: SamplingSettings, showing: ShowingSettings) -> None:
            super().__init__()
            self.sampling = sampling
            self.showing = showing

    class Done(Message):
        """Enter or escape was pressed in a field."""

    def __init__(
        self, sampling: SamplingSettings, id: str, showing: ShowingSettings | None = None
    ) -> None:
        super().__init__(id=id)
        self.sampling = sampling
        self.showing = showing or ShowingSettings()

    def fill(self) -> AwaitMount:
        """Make the fields, unless they are there: half of the time that it takes to open the app.

        Whoever is to type into them waits for it.
        """
        return self.mount_all(() if self.children else self._fields())

    def _fields(self) -> Iterator[Widget]:
        yield Plain("Settings for the next passage", classes="heading")
        yield PresetField(preset_name(self.sampling))
        for setting in in_panel().values():
            yield SettingField(setting, getattr(self._of(kind_of(setting.name)), setting.name))

    def _of(self, kind: type[PanelSettings]) -> PanelSettings:
        """The settings of a kind that are in force."""
        return self.sampling if kind is SamplingSettings else self.showing

    @property
    def has_focus_within(self) -> bool:
        """Whether one of the fields has the focus."""
        focused = self.screen.focused
        return focused is not None and self in focused.ancestors

    def enter(self) -> None:
        """Put the cursor into the first field that is typed in; the presets stand above it."""
        self.query(Input).first().focus()
        self.scroll_home(animate=False)

    def use(self, settings: PanelSettings) -> None:
        """Take settings that were made elsewhere; tells of it as the fields do."""
        kind = type(settings)
        if settings == self._of(kind):
            return
        if isinstance(settings, SamplingSettings):
            self.sampling = settings
            for presets in self.query(PresetField):
                presets.use(preset_name(settings))
        else:
            self.showing = settings
        for field in self.query(SettingField):
            if kind_of(field.setting.name) is kind:
                field.use(getattr(settings, field.setting.name))
        self.post_message(self.Changed(self.sampling, self.showing))

    def change(self, name: str, value: Any) -> None:
        """Give one setting another value."""
        self.use(replace(self._of(kind_of(name)), **{name: value}))

    @on(SettingField.Changed)
    def take(self, event: SettingField.Changed) -> None:
        """Gather the fields into settings."""
        event.stop()
        self.change(event.setting, event.value)

    @on(PresetField.Changed)
    def take_preset(self, event: PresetField.Changed) -> None:
        """Let every field have the preset's value."""
        event.stop()
        self.use(SAMPLING_PRESETS[event.preset].of(self.sampling))

    @on(Input.Submitted)
    @on(RadioLine.Submitted)
    def submitted(self, event: Input.Submitted | RadioLine.Submitted) -> None:
        """Go back to writing."""
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        """Go back to writing."""
        self.post_message(self.Done())
