"""Adjusting: the settings of the next passage, and presets."""

from __future__ import annotations

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.presets import find_preset
from mgpt_tui.settings import ShowingSettings
from mgpt_tui.settings_fields import OFF, declared
from mgpt_tui.settings_text import value_text
from mgpt_tui.ui.arguments import read_setting
from mgpt_tui.ui.keys import KEY
from mgpt_tui.ui.room.desk import Desk
from mgpt_tui.ui.session.banning import forms_of
from mgpt_tui.ui.values import kind_of, label


class Adjusting:
    """The part of the room that knows how the model is to write."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._session = desk.session
        self._beside, self._over = True, False

    @property
    def _is_wide(self) -> bool:
        return self._desk.screen.has_class("-wide")

    @property
    def _is_shown(self) -> bool:
        return self._beside if self._is_wide else self._over

    async def action_settings(self) -> None:
        if self._is_wide:
            self._beside = not self._beside
        else:
            self._over = not self._over
        if self._is_shown:
            await self._desk.panel.fill()
        self._show_panel(enter=True)

    def action_set(self, change: str) -> None:
        name, value = read_setting(change)
        self._desk.panel.change(name, value)
        kind = kind_of(name)
        setting = next(one for one in declared(kind) if one.name == name)
        said = value_text(setting, value) or OFF
        since = "the next passage" if kind is SamplingSettings else "now"
        self._desk.say(f"{label(setting)} is {said} from {since} on.")

    def action_ban(self, word: str = "") -> None:
        if not word:
            banned = next(one for one in declared(SamplingSettings) if one.name == "ban")
            listed = value_text(banned, self._session.settings.ban)
            self._desk.prompt.begin(KEY["set"], f"{banned.name} {listed}")
        elif self._desk.is_ready():
            forms_of(word, self._session.engine, self._session.questions, self._banned)

    def _banned(self, forms: tuple[str, ...], trouble: str) -> None:
        """The model has these forms of a word, each in one token; or none, and why."""
        if not forms:
            self._desk.say(trouble)
            return
        banned = self._session.settings.ban
        self._desk.panel.change("ban", (*banned, *(form for form in forms if form not in banned)))
        said = forms[0].strip()
        self._desk.say(f"The model does not write {said!r} from the next passage on.")

    def action_words(self, words: str = "") -> None:
        if not words:
            wished = next(one for one in declared(SamplingSettings) if one.name == "words")
            listed = value_text(wished, self._session.settings.words)
            self._desk.prompt.begin(KEY["words"], listed)
            return
        _, wanted = read_setting(f"words {words}")
        if wanted and self._desk.is_ready():
            self._session.wishes.check(wanted, lambda trouble: self._wished(wanted, trouble))
        elif not wanted:
            self._desk.panel.change("words", ())
            self._desk.say("No words are to come.")

    def _wished(self, words: tuple[str, ...], trouble: str) -> None:
        """The model can say these words, or why it cannot."""
        if not trouble:
            self._desk.panel.change("words", words)
        self._desk.say(trouble or f"The next passage is to hold {', '.join(words)}.")

    def action_preset(self, name: str) -> None:
        preset = find_preset(name)
        self._desk.panel.use(preset.of(self._session.settings))
        self._desk.say(f"{preset.name}: {preset.help}.")

    def action_unmute(self) -> None:
        self._session.muted = ""
        self._desk.say("The whole model writes from the next passage on.")
        self._desk.show_status()

    def changed(self, sampling: SamplingSettings, showing: ShowingSettings) -> None:
        """The panel holds other settings: write with them from the next generation on."""
        self._session.settings = sampling
        self._desk.pacing.speed = showing.reading_speed
        self._desk.typed_line.is_on = showing.line_bits
        self._desk.read_typed()
        self._desk.show_status()

    def done(self) -> None:
        """The writer left the panel: go on writing."""
        self._over = False
        self._show_panel()
        self._desk.prompt.focus()

    def resized(self) -> None:
        """The screen has another size."""
        if not self._desk.screen.app.is_running:  # it is being left
            return
        self._show_panel()
        self._desk.show_status()

    def _show_panel(self, *, enter: bool = False) -> None:
        shown, panel = self._is_shown, self._desk.panel
        panel.display = shown
        if shown:
            panel.fill()
        if shown and enter:
            panel.enter()
        elif not shown or not panel.has_focus_within:
            self._desk.prompt.focus()
