"""Write the README's tables from what the code declares.

    python tools/readme_tables.py          # rewrites them
    python tools/readme_tables.py --check  # exits with 1 where one is out of date

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. A test runs the check.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mgpt_tui.cli import COMMANDS
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.model.config import PRESETS
from mgpt_tui.paths import LOCATIONS
from mgpt_tui.presets import PRESETS as WRITING_PRESETS
from mgpt_tui.settings_fields import declared
from mgpt_tui.ui.keys import KEYS
from training.config import SECTIONS
from training.explain import FIGURES, OF_WRITING

README = Path(__file__).parent.parent / "README.md"


def table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *([str(cell) for cell in row] for row in rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def shown(value: object, off: str | None) -> str:
    """A default as a user would type it."""
    if value is None or value == ():
        return off or ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value}"


def settings_rows(config_class: type) -> Iterable[tuple[str, str, str, str]]:
    """Flag, default, allowed values and help of every setting of a class."""
    for entry in declared(config_class):
        off = entry.limits.off
        default, help = shown(entry.default, off), entry.limits.help
        if entry.type is bool:
            negated = entry.flag.replace("--", "--no-", 1)
            yield (f"`{entry.flag}`, `{negated}`", default, "on or off", help)
        else:
            yield (f"`{entry.flag}`", default, entry.allowed(), help)


def commands() -> str:
    return table(
        ("command", "what it does"),
        ((f"`mgpt-tui {name}`", text) for name, text in COMMANDS.items()),
    )


def keys() -> str:
    return table(
        ("key", "or typed", "what it does", "id"),
        (
            (key.shown, f"`{key.usage}`" if key.slash else "", key.help, f"`{key.id}`")
            for key in KEYS
        ),
    )


def tastes() -> str:
    names = next(iter(WRITING_PRESETS.values())).values
    return table(
        ("preset", "what it is", *(f"`{name.replace('_', '-')}`" for name in names)),
        (
            (
                f"`{preset.name}`",
                preset.help,
                *(shown(preset.values[name], "off") for name in names),
            )
            for preset in WRITING_PRESETS.values()
        ),
    )


def sampling() -> str:
    return table(("flag", "default", "values", "meaning"), settings_rows(SamplingSettings))


def decoding() -> str:
    return table(("flag", "default", "values", "meaning"), settings_rows(DecodingSettings))


def training() -> str:
    rows = [
        (f"`[{section}]`", *row)
        for section, config_class in SECTIONS.items()
        for row in settings_rows(config_class)
    ]
    return table(("section", "flag", "default", "values", "meaning"), rows)


def presets() -> str:
    names = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size", "dropout")
    rows = (
        (
            f"`{preset}`",
            *(getattr(config, name) for name in names),
            f"{config.parameters() / 1e6:.1f} M",
        )
        for preset, config in PRESETS.items()
    )
    return table(("preset", *(f"`{name}`" for name in names), "parameters"), rows)


def places() -> str:
    return table(
        ("folder", "holds", "moved by"),
        ((entry.name, entry.holds, f"`{entry.variable}`") for entry in LOCATIONS.values()),
    )


def figures() -> str:
    return explained(name for name in FIGURES if name not in OF_WRITING)


def writing() -> str:
    return explained(OF_WRITING)


def explained(names: Iterable[str]) -> str:
    """What figures mean."""
    return table(
        ("figure", "meaning"), ((FIGURES[name].label, FIGURES[name].words) for name in names)
    )


TABLES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "keys": keys,
    "tastes": tastes,
    "sampling": sampling,
    "decoding": decoding,
    "training": training,
    "presets": presets,
    "places": places,
    "figures": figures,
    "writing": writing,
}
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """The README's text with every table made anew."""
    return MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + "\n" + match[3], text)


def main() -> int:
    before = README.read_text(encoding="utf-8")
    after = filled(before)
    if "--check" in sys.argv[1:]:
        return int(before != after)
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
