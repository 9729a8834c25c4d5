"""Settings under a name: how calm or how wild the model writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings


@dataclass(frozen=True, slots=True)
class Preset:
    """Some of the settings, chosen to go together; the others stay as they are.

    Attributes:
        name: what people call it.
        help: one line, what it is good for.
        values: the settings, by name.
    """

    name: str
    help: str
    values: Mapping[str, Any]

    def of(self, sampling: SamplingSettings) -> SamplingSettings:
        """`sampling` with the preset's settings."""
        return replace(sampling, **self.values)

    def fits(self, sampling: SamplingSettings) -> bool:
        """Whether `sampling` has the preset's settings."""
        return self.of(sampling) == sampling


def _preset(
    name: str,
    help: str,
    *,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    min_p: float | None,
    repetition_penalty: float,
) -> Preset:
    """A preset; no setting that a preset is about may be left out."""
    values = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
    }
    return Preset(name, help, values)


SAMPLING_PRESETS = {
    preset.name: preset
    for preset in (
        _preset(
            "calm", "the likeliest words: plain and safe",
            temperature=0.5, top_k=20, top_p=0.9, min_p=None, repetition_penalty=1.0,
        ),
        _preset(
            "balanced", "some surprises, few slips",
            temperature=0.8, top_k=50, top_p=None, min_p=None, repetition_penalty=1.0,
        ),
        _preset(
            "wild", "unlikely words and turns",
            temperature=1.2, top_k=None, top_p=None, min_p=0.02, repetition_penalty=1.1,
        ),
    )
}  # fmt: skip

OWN = "own"
"""What settings are called that are those of no preset."""


def preset_name(sampling: SamplingSettings) -> str:
    """The preset that `sampling` has, or `OWN`."""
    return next((name for name, preset in SAMPLING_PRESETS.items() if preset.fits(sampling)), OWN)


def find_preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        UserError: where there is none, with those that there are.
    """
    preset = SAMPLING_PRESETS.get(name.strip().casefold())
    if preset is None:
        raise UserError(
            f"There is no preset {name!r}.", f"There are {', '.join(SAMPLING_PRESETS)}."
        )
    return preset
