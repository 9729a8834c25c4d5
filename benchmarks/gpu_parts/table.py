"""What was found, as Markdown."""

from __future__ import annotations

from typing import Any

from gpu_parts import PARTS


def tables(lines: list[dict[str, Any]]) -> str:
    """A table a part: a row for each thing that was done."""
    about = lines[0]["machine"]
    text = [f"# {about['device']}", "", ", ".join(f"{k} {_word(v)}" for k, v in about.items()), ""]
    text += [f"`{lines[0]['command']}`", ""]
    for line in lines[1:]:
        state = "" if line["ok"] else ": FAILED"
        text += [f"## {line['part']}: {PARTS[line['part']].title} ({line['seconds']} s){state}", ""]
        if "error" in line:
            text += ["```", line["error"], "```", ""]
        if line["figures"]:
            text += ["| what | found |", "|---|---|"]
            text += [
                f"| {_cell(name)} | {_found(figures)} |"
                for name, figures in line["figures"].items()
            ]
            text += [""]
        text += _compared(line["figures"])
    return "\n".join(text)


def _compared(figures: dict[str, dict[str, Any]]) -> list[str]:
    """How much faster ours is than the fastest of the others, where both were timed."""
    rates = {name: found.get("tokens_per_second") for name, found in figures.items()}
    rates = {name: rate for name, rate in rates.items() if rate}
    pairs = (
        (
            "ours, compiled",
            [n for n in rates if n.endswith("compiled") and not n.startswith("ours")],
        ),
        ("one", [n for n in rates if n.startswith("Hugging Face, 1,")]),
        ("side by side", [n for n in rates if n.startswith("Hugging Face, ") and ", 1," not in n]),
    )
    said = []
    for own, others in pairs:
        if own in rates and others:
            best = max(others, key=lambda name: rates[name])
            said += [f"{own}: {rates[own] / rates[best]:.2f} times {best}.", ""]
    return said


def _found(figures: dict[str, Any]) -> str:
    if "skipped" in figures:
        return f"left out: {_cell(figures['skipped'])}"
    if figures.get("ok") is False:
        return f"**failed**: {_cell(figures.get('error', ''))}"
    shown = {key: value for key, value in figures.items() if key not in ("ok", "seconds")}
    return _cell(
        ", ".join(f"{key.replace('_', ' ')} {_word(value)}" for key, value in shown.items()) or "ok"
    )


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key}: {_word(inner)}" for key, inner in value.items()) + ")"
    if isinstance(value, list):
        return "[" + "; ".join(map(_word, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value / 1e9:.2f} GB" if value > 50_000_000 else f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return str(text).replace("|", "/").replace("\n", " / ")
