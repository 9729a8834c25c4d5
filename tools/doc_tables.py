"""Write the tables of the README and of `docs/` from what the code declares.

    python tools/doc_tables.py          # rewrites them
    python tools/doc_tables.py --check  # names the pages with one out of date; the exit code is 1

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. A test runs the check.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mgpt_tui.cli import COMMANDS
from mgpt_tui.inference.request import DecodingSettings, SamplingSettings
from mgpt_tui.model.config import SHAPES
from mgpt_tui.paths import LOCATIONS
from mgpt_tui.presets import SAMPLING_PRESETS
from mgpt_tui.settings import ShowingSettings
from mgpt_tui.settings_fields import declared
from mgpt_tui.text import shortened
from mgpt_tui.ui.keys import KEYS
from mgpt_tui.ui.screens.lessons.card import flowing
from mgpt_tui.ui.screens.lessons.screen import CARDS
from mgpt_tui.ui.values import label
from training.config import SECTIONS
from training.report.figures import FIGURES, OF_WRITING

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


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
        if entry.limits.room is not None:
            default += f", in the app {shown(entry.limits.room, off)}"
        if entry.type is bool:
            negated = entry.flag.replace("--", "--no-", 1)
            yield (f"`{entry.flag}`, `{negated}`", default, "on or off", help)
        else:
            values = "text, or off" if entry.many else entry.allowed()
            yield (f"`{entry.flag}`", default, values, help)


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


def lessons() -> str:
    return table(
        ("card", "what it is about", "to do"),
        ((number, card.title, flowing(card.to_do)) for number, card in enumerate(CARDS, 1)),
    )


def writing_presets() -> str:
    names = next(iter(SAMPLING_PRESETS.values())).values
    return table(
        ("preset", "what it is", *(f"`{name.replace('_', '-')}`" for name in names)),
        (
            (
                f"`{preset.name}`",
                preset.help,
                *(shown(preset.values[name], "off") for name in names),
            )
            for preset in SAMPLING_PRESETS.values()
        ),
    )


def sampling() -> str:
    return table(("flag", "default", "values", "meaning"), settings_rows(SamplingSettings))


def showing() -> str:
    return table(
        ("setting", "default", "values", "meaning"),
        (
            (f"`{label(entry)}`", shown(entry.default, entry.limits.off), *rest)
            for entry in declared(ShowingSettings)
            for rest in [(entry.allowed(), entry.limits.help)]
        ),
    )


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
            shortened(config.parameters()),
        )
        for preset, config in SHAPES.items()
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
    "lessons": lessons,
    "writing_presets": writing_presets,
    "sampling": sampling,
    "showing": showing,
    "decoding": decoding,
    "training": training,
    "presets": presets,
    "places": places,
    "figures": figures,
    "writing": writing,
}
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page's text with every table made anew."""
    return MARKED.sub(lambda match: match[1] + TABLES[match[2]]() + "\n" + match[3], text)


def main() -> int:
    checking, outdated = "--check" in sys.argv[1:], 0
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if before != after and checking:
            print(f"{page.relative_to(ROOT)} is out of date; run python tools/doc_tables.py")
            outdated += 1
        elif before != after:
            page.write_text(after, encoding="utf-8")
    return int(outdated > 0)


if __name__ == "__main__":
    sys.exit(main())
