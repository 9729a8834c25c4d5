"""The forms that a story is written in.

- `.json` holds everything (format 1): each span with its author, tokens, settings and seed.
- `.txt` is the exact text and nothing else.
- `.md` is `# TITLE`, an empty line, the exact text and a newline. Nothing is escaped, so the
  text reads as it was shown, and dropping the first two lines and the last newline gives it
  back exactly.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.settings_fields import arguments_from
from mgpt_tui.stories.story import Author, Span, Story
from mgpt_tui.text import clean_text

FORMAT = 1
SUFFIXES = (".md", ".txt", ".json")


def render(story: Story, suffix: str, title: str) -> str:
    """The file for one of `SUFFIXES`; `title` heads the readable form."""
    if suffix == ".json":
        return to_json(story)
    if suffix == ".txt":
        return story.text
    heading = " ".join(title.split())
    return f"# {heading}\n\n{story.text}\n"


def to_json(story: Story) -> str:
    """The story in full; `model` and `fingerprint` at the top are those of its last span."""
    written = [span for span in story.spans if span.author is Author.MODEL]
    content = {
        "format": FORMAT,
        "title": story.title,
        "created": story.created,
        "model": written[-1].model if written else "",
        "fingerprint": written[-1].fingerprint if written else "",
        "spans": [_span_to_dict(span) for span in story.spans],
    }
    return json.dumps(content, ensure_ascii=False) + "\n"


def _span_to_dict(span: Span) -> dict[str, Any]:
    content: dict[str, Any] = {"author": span.author.value, "text": span.text}
    if span.author is Author.MODEL:
        content |= {
            "tokens": list(span.tokens),
            "settings": asdict(span.settings) if span.settings else None,
            "seed": span.seed,
            "model": span.model,
            "fingerprint": span.fingerprint,
            "decoding": span.decoding,
        }
    return content


def from_json(text: str, source: str) -> Story:
    """Read `to_json`'s form back.

    Args:
        text: the file's text.
        source: what to call the file in a message.

    Raises:
        UserError: where it is damaged or of another format.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(
            f"{source} is damaged: it is not JSON.", "Nothing was changed; open another story."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{source} is not a story of format {FORMAT}.",
            "It may come from another program, or from a newer mgpt-tui.",
        )
    try:
        return Story(
            spans=tuple(_span_from_dict(span) for span in content["spans"]),
            title=clean_text(_of(str, content["title"])),
            created=clean_text(_of(str, content["created"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{source} is damaged: {type(error).__name__}: {error}.",
            "Nothing was changed; open another story.",
        ) from None


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    return value


def _span_from_dict(content: dict[str, Any]) -> Span:
    author = Author(content["author"])
    text = clean_text(_of(str, content["text"]))
    if author is Author.WRITER:
        return Span(author=author, text=text)
    seed = content.get("seed")
    return Span(
        author=author,
        text=text,
        tokens=tuple(_of(int, token) for token in _of(list, content["tokens"])),
        settings=_settings_from(content.get("settings")),
        seed=None if seed is None else _of(int, seed),
        model=clean_text(_of(str, content.get("model", ""))),
        fingerprint=clean_text(_of(str, content.get("fingerprint", ""))),
        decoding=clean_text(_of(str, content.get("decoding", ""))),
    )


def _settings_from(content: Any) -> SamplingSettings | None:
    """Settings as they were; None where they mean nothing here, which costs no text."""
    try:
        if not isinstance(content, dict):
            return None
        return SamplingSettings(**arguments_from(SamplingSettings, content))
    except (TypeError, UserError):
        return None
