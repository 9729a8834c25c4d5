"""Adjusting: the settings of the next passage, presets, and the model that writes."""

from __future__ import annotations

from dataclasses import replace

from textual import on

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.registry import find_model
from mgpt_tui.presets import find_preset
from mgpt_tui.ui.screens.desk import Desk
from mgpt_tui.ui.screens.models import ModelsScreen
from mgpt_tui.ui.slash import read_setting
from mgpt_tui.ui.widgets.bars import StatusLine
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel


class Adjusting(Desk):
    """The part of the room that knows how the model is to write, and which."""

    _beside, _over = True, False

    def action_settings(self) -> None:
        if self.has_class("-wide"):
            self._beside = not self._beside
        else:
            self._over = not self._over
        self._show_panel(enter=True)

    def action_set(self, change: str) -> None:
        name, value = read_setting(change)
        self.use(replace(self.session.settings, **{name: value}))
        self.say(f"{change.strip()}, from the next passage on.")

    def action_preset(self, name: str) -> None:
        preset = find_preset(name)
        self.use(preset.of(self.session.settings))
        self.say(f"{preset.name}: {preset.help}.")

    def use(self, sampling: SamplingSettings) -> None:
        """Use other settings from the next generation on, and show them."""
        self.query_one(SettingsPanel).use(sampling)

    @on(SettingsPanel.Changed)
    def use_settings(self, message: SettingsPanel.Changed) -> None:
        """Use other settings from the next generation on."""
        self.session.settings = message.sampling
        self.query_one(StatusLine).show(self.session)

    @on(SettingsPanel.Done)
    def back_to_prompt(self) -> None:
        """Go on writing."""
        self._over = False
        self._show_panel()
        self.query_one(Prompt).focus()

    def on_resize(self) -> None:
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self._show_panel()
        self.query_one(StatusLine).show(self.session)

    def _show_panel(self, *, enter: bool = False) -> None:
        shown = self._beside if self.has_class("-wide") else self._over
        panel = self.query_one(SettingsPanel)
        panel.display = shown
        if shown and enter:
            panel.enter()
        elif not shown or not panel.has_focus_within:
            self.query_one(Prompt).focus()

    def action_models(self, name: str = "") -> None:
        if name:
            self.switch(name)
            return
        model = self.session.model
        self.app.push_screen(ModelsScreen(model.model if model else self._model_name), self._switch)

    def _switch(self, name: str | None) -> None:
        if name is not None:
            self.switch(name)

    def switch(self, name: str) -> None:
        """Write with another model from now on; the story stays.

        Raises:
            UserError: where there is no such model.
        """
        entry = find_model(name)
        self._model_name = entry.name
        self.session.switch(name)
        self.say(f"{entry.name} writes from now on.")
        self.show_session()
