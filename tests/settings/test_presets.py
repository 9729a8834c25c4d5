"""Presets: a few settings that go together, and which of them is in force."""

from __future__ import annotations

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.presets import OWN, SAMPLING_PRESETS, find_preset, preset_name


@pytest.mark.parametrize("name", list(SAMPLING_PRESETS))
def test_a_preset_is_known_by_its_settings_and_leaves_the_others(name: str) -> None:
    before = SamplingSettings(seed=7, max_tokens=9, stop=("x",), finish_sentence=False)
    after = SAMPLING_PRESETS[name].of(before)
    assert preset_name(after) == name
    assert (after.seed, after.max_tokens, after.stop) == (7, 9, ("x",))
    assert not after.finish_sentence


def test_the_defaults_are_balanced_and_others_are_ones_own() -> None:
    assert preset_name(SamplingSettings()) == "balanced"
    assert preset_name(SamplingSettings(top_k=3)) == OWN


def test_a_preset_is_found_by_name() -> None:
    assert find_preset(" Calm ") is SAMPLING_PRESETS["calm"]
    with pytest.raises(UserError) as caught:
        find_preset(OWN)
    assert caught.value.remedy == "There are calm, balanced, wild."
