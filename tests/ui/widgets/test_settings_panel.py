"""The settings panel: presets, switches, several texts in one line, and values from outside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.presets import SAMPLING_PRESETS
from mgpt_tui.settings_fields import declared
from mgpt_tui.ui.widgets.radio_line import RadioLine
from mgpt_tui.ui.widgets.settings_panel import SettingField, SettingsPanel


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> SettingsPanel:
    """The panel as it is once somebody wants to see it."""
    panel = SettingsPanel(SamplingSettings(seed=7), id="settings")
    monkeypatch.setattr(panel, "compose", panel._fields)
    panel.display = True
    return panel


def told(writer) -> SamplingSettings:
    """What the panel has said last."""
    return writer.heard(SettingsPanel.Changed)[-1].sampling


async def test_the_presets_are_chosen_by_keys_and_the_others_stay(host, panel) -> None:
    async with host(panel) as writer:
        await writer.sees(" calm [balanced] wild ")
        panel.query_one("#preset").focus()
        await writer.press("right")
        assert told(writer) == SAMPLING_PRESETS["wild"].of(SamplingSettings(seed=7))
        await writer.sees(" calm  balanced [wild]")
        await writer.sees(SAMPLING_PRESETS["wild"].help)
        await writer.press("right")
        await writer.sees("[calm]")
        assert panel.query_one("#temperature", Input).value == "0.5"
        assert panel.query_one("#top_p", Input).value == "0.9"
        assert told(writer).seed == 7


async def test_other_settings_are_ones_own(host, panel) -> None:
    async with host(panel) as writer:
        panel.enter()
        await writer.press("ctrl+u", *"0.7", "enter")
        assert told(writer) == SamplingSettings(seed=7, temperature=0.7)
        await writer.sees(" calm  balanced  wild ")
        await writer.sees("own: ")
        await writer.press("ctrl+u", *"0.8", "enter")
        await writer.sees("[balanced]")
        panel.query_one("#max_tokens", Input).focus()
        await writer.press("ctrl+u", "9", "enter")
        assert told(writer).max_tokens == 9
        panel.scroll_home(animate=False)
        await writer.sees("[balanced]")


async def test_a_switch_is_thrown_by_keys_and_mouse_and_read_without_colour(host, panel) -> None:
    async with host(panel, size=(80, 60)) as writer:
        await writer.sees("[on] off")
        panel.query_one("#finish_sentence").focus()
        await writer.press("space")
        await writer.sees(" on [off]")
        assert not told(writer).finish_sentence
        await writer.pilot.click("#finish_sentence", offset=(1, 0))
        await writer.sees("[on] off")
        assert told(writer).finish_sentence
        await writer.pilot.click("#finish_sentence", offset=(30, 0))
        assert told(writer).finish_sentence
        await writer.press("enter")
        await writer.until(lambda: writer.heard(SettingsPanel.Done))


async def test_several_texts_stand_in_one_line(host) -> None:
    stop = next(setting for setting in declared(SamplingSettings) if setting.name == "stop")
    field = SettingField(stop, ("The end", "\n\n"))
    async with host(field) as writer:
        typed = field.query_one(Input)
        assert typed.value == r"The end | \n\n"
        typed.focus()
        await writer.press("end")
        await writer.type(r" | \x")
        await writer.sees("✗ text, several with |")
        await writer.press("enter")
        assert not writer.heard(SettingField.Changed)
        await writer.press("backspace", "n", "enter")
        assert writer.heard(SettingField.Changed)[-1].value == ("The end", "\n\n", "\n")


async def test_settings_from_outside_are_shown_and_told_once(host, panel) -> None:
    other = SamplingSettings(
        temperature=1.5, top_k=None, min_p=0.1, max_tokens=9, seed=None, finish_sentence=False
    )
    async with host(panel) as writer:
        panel.use(other)
        await writer.settle()
        assert [message.sampling for message in writer.heard(SettingsPanel.Changed)] == [other]
        shown = {field.id: field.value for field in panel.query(Input)}
        assert shown["temperature"] == "1.5"
        assert shown["top_k"] == "off"
        assert shown["seed"] == "random"
        assert panel.query_one("#finish_sentence", RadioLine).chosen == "off"
        panel.use(other)
        panel.use(replace(other, seed=3))
        await writer.settle()
        assert len(writer.heard(SettingsPanel.Changed)) == 2


async def test_every_field_can_be_reached_at_the_smallest_size(host, panel) -> None:
    async with host(panel, size=(42, 20)) as writer:
        panel.enter()
        await writer.settle()
        await writer.sees("preset")
        for _ in panel.query(SettingField):
            focused = writer.app.focused
            assert focused is not None
            await writer.until(lambda focused=focused: focused.region in panel.region)
            await writer.press("tab")
