"""The forms that a story is written in.

- `.json` holds everything (format 1): the tree with each span's author, tokens, settings and
  seed, and where the writer stands.
- `.txt` is the text as it was shown, its paragraphs set apart (see `paragraphs`), and nothing
  else.
- `.md` is `# TITLE`, an empty line, the same text and a newline. Nothing is escaped, so dropping
  the first two lines and the last newline gives the text back as it was shown.
- `.html` is a page with a paragraph a line of that text, which shows who wrote what.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.reading import parse_json
from mgpt_tui.settings_fields import LARGEST_INT, arguments_from
from mgpt_tui.stories.paragraphs import apart, are_close
from mgpt_tui.stories.story import ROOT, Author, Node, Span, Spans, Story
from mgpt_tui.text import clean_text, one_line

FORMAT = 1
LARGEST = 256 * 2**20
"""Bytes of a document or a journal that is read; a long novel has one."""
RARE = ("muted", "note")
"""What stands in a passage only where it has it."""
MOST_WORDS = 10**9
"""No story is to have more words."""
SUFFIXES = (".md", ".txt", ".json", ".html")


def form_of(name: str) -> str:
    """The one of `SUFFIXES` that a file's name ends in; "" where it has no ending.

    Raises:
        UserError: where it ends in something else: letters after a full stop.
    """
    suffix = Path(name).suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    if suffix[1:].isalnum() and not suffix[1:].isdecimal():
        raise no_form(name)
    return ""


def split_form(name: str) -> tuple[str, str]:
    """A file name as stem and one of `SUFFIXES`, `.md` where it has none of them."""
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending.lower()}"
    return (stem, suffix) if dot and stem and suffix in SUFFIXES else (name, SUFFIXES[0])


def no_form(name: str) -> UserError:
    """That a file's name does not say how a story is to be written."""
    return UserError(
        f"{one_line(Path(name).name)} has no ending that says the form.",
        f"Give one of {', '.join(SUFFIXES)}.",
    )


def render(story: Story, suffix: str, title: str) -> str:
    """The file for one of `SUFFIXES`; `title` heads the readable forms."""
    heading = " ".join(title.split())
    match suffix:
        case ".json":
            return to_json(story)
        case ".txt":
            return apart(story.text)
        case ".html":
            return _page(story, heading)
    return f"# {heading}\n\n{apart(story.text)}\n"


# The page.

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 38rem; margin: 3rem auto; padding: 0 1rem; font: 1.1rem/1.6 Georgia, serif; }}
p {{ margin: 0; min-height: 1.6em; white-space: pre-wrap; }}
.writer {{ font-weight: bold; }}
</style>
</head>
<body>
<h1>{title}</h1>
"""


def _page(story: Story, title: str) -> str:
    lines = story.text.split("\n")
    marked = "".join(_marked(story.spans)).split("\n")
    paragraphs = "".join(
        f"<p>{line}</p>\n" + "<p></p>\n" * are_close(*around)
        for line, around in zip(marked, pairwise([*lines, ""]), strict=True)
    )
    return f"{_HEAD.format(title=html.escape(title))}{paragraphs}</body>\n</html>\n"


def _marked(spans: Spans) -> Iterator[str]:
    """The text with an element around what each wrote in each line."""
    for span in spans:
        for number, line in enumerate(span.text.split("\n")):
            yield "\n" if number else ""
            if line:
                yield f'<span class="{span.author.value}">{html.escape(line)}</span>'


# The document.


def to_json(story: Story, folds: int = 0) -> str:
    """The story in full.

    `model` and `fingerprint` at the top are those of the last passage of a model.

    Args:
        story: what to write.
        folds: how often a journal has been folded into this document; see `journal`.
    """
    written = [span for span in story.spans if span.author is Author.MODEL]
    content = {
        "format": FORMAT,
        "title": story.title,
        "created": story.created,
        "model": written[-1].model if written else "",
        "fingerprint": written[-1].fingerprint if written else "",
        "folds": folds,
        "here": story.here,
        "past": story.past,
        "future": story.future,
        "nodes": [node_to_dict(node) for node in story.nodes[1:]],
    }
    if story.note:
        content["note"] = story.note
    if story.goal:
        content["goal"] = story.goal
    return json.dumps(content, ensure_ascii=False) + "\n"


def node_to_dict(node: Node) -> dict[str, Any]:
    """A node as JSON has it; its id is its place."""
    span = node.span
    content: dict[str, Any] = {
        "parent": node.parent,
        "at": node.at,
        "author": span.author.value,
        "text": span.text,
    }
    if span.author is Author.MODEL:
        content |= {
            "tokens": span.tokens,
            "lengths": span.lengths,
            "settings": asdict(span.settings) if span.settings else None,
            "seed": span.seed,
            "until": span.until,
            "model": span.model,
            "fingerprint": span.fingerprint,
            "decoding": span.decoding,
        }
        content |= {name: getattr(span, name) for name in RARE if getattr(span, name)}
    return content


def from_json(text: str, source: str) -> tuple[Story, int]:
    """Read `to_json`'s form back, and how often a journal was folded in.

    Args:
        text: the file's text.
        source: what to call the file in a message.

    Raises:
        UserError: where it is damaged or of another format.
    """
    try:
        content = parse_json(text)
    except ValueError as error:
        raise damaged(source, str(error)) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{source} is not a story of format {FORMAT}.",
            "It may come from another program, or from a newer mgpt-tui.",
        )
    try:
        return _story_from(content), folds_from(content.get("folds", 0))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise damaged(source, f"{type(error).__name__}: {error}") from None


def damaged(source: str, what: str) -> UserError:
    """That a file cannot be read, and why."""
    return UserError(
        one_line(f"{source} is damaged: {what}."), "Nothing was changed; open another story."
    )


def _story_from(content: dict[str, Any]) -> Story:
    title, created = (clean_text(of(str, content[name])) for name in ("title", "created"))
    if "spans" in content:  # the form before there were branches
        return _line(of(list, content["spans"]), title, created)
    nodes = [ROOT]
    for entry in of(list, content["nodes"]):
        nodes.append(node_from_dict(entry, nodes))
    story = Story(
        nodes=tuple(nodes),
        here=of(int, content["here"]),
        title=title,
        created=created,
        note=note_from(content),
        goal=goal_from(content),
        past=integers(content["past"]),
        future=integers(content["future"]),
    )
    check(story)
    return story


def _line(entries: list[Any], title: str, created: str) -> Story:
    """A story without branches: each span goes on from the one before, and undo goes back."""
    nodes = [ROOT]
    for entry in entries:
        last = nodes[-1]
        place = {"parent": last.id, "at": len(last.span.text)}
        nodes.append(node_from_dict(of(dict, entry) | place, nodes))
    past = tuple(range(len(nodes) - 1))
    return Story(nodes=tuple(nodes), here=len(past), title=title, created=created, past=past)


def check(story: Story) -> None:
    """Raise `ValueError` where a story stands, or has stood, at a node that is not there."""
    for id in (story.here, *story.past, *story.future):
        if not 0 <= id < len(story.nodes):
            raise ValueError(f"there is no node {id}")


def node_from_dict(content: Any, before: list[Node]) -> Node:
    """The node that comes after these, from `node_to_dict`'s form.

    Raises:
        KeyError, TypeError, ValueError: where it is none.
    """
    span = _span_from(of(dict, content))
    parent, at = of(int, content["parent"]), of(int, content["at"])
    if not 0 <= parent < len(before) or at < 0:
        raise ValueError(f"nothing can hang at {parent}, {at}")
    # A text that somebody has shortened by hand still holds what hangs there.
    return Node(len(before), parent, min(at, len(before[parent].span.text)), span)


def of(kind: type, value: Any) -> Any:
    """`value`, which must be of this kind; else `TypeError`."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    return value


def integers(value: Any) -> tuple[int, ...]:
    """A list of whole numbers; else `TypeError`."""
    return tuple(of(int, number) for number in of(list, value))


def seed_from(value: Any) -> int | None:
    """A seed; None where it is one that nothing can be drawn with; else `TypeError`."""
    return None if value is None or not 0 <= of(int, value) <= LARGEST_INT else int(value)


def note_from(content: dict[str, Any], default: str = "") -> str:
    """The note of a story, or of a change of one."""
    return clean_text(of(str, content.get("note", default)))


def goal_from(content: dict[str, Any], default: int = 0) -> int:
    """How many words a story is to have, by it or by a change of one; else an error as in `of`."""
    goal = of(int, content.get("goal", default))
    if not 0 <= goal <= MOST_WORDS:
        raise ValueError(f"a goal of {goal} words")
    return int(goal)


def are_tokens(numbers: Sequence[int]) -> bool:
    """Whether these could be ids of tokens, whatever the model."""
    return not numbers or 0 <= min(numbers) <= max(numbers) <= LARGEST_INT


def folds_from(value: Any) -> int:
    """How often a journal was folded in; else `TypeError` or `ValueError`."""
    if not 0 <= of(int, value) < 2**53:  # nobody has, and the next number must be one too
        raise ValueError(f"folded in {value} times")
    return int(value)


def lengths_from(value: Any, tokens: int, characters: int) -> tuple[int, ...]:
    """`Span.lengths` for so many tokens and characters; else `TypeError` or `ValueError`."""
    lengths = integers(value)
    if len(lengths) != tokens or min(lengths, default=0) < 0 or sum(lengths) > characters:
        raise ValueError("the tokens' lengths do not fit the text")
    return lengths


def _span_from(content: dict[str, Any]) -> Span:
    author, raw = Author(content["author"]), of(str, content["text"])
    text = clean_text(raw)
    if author is Author.WRITER:
        return Span(author=author, text=text)
    tokens = integers(content["tokens"])
    together = [0] * (len(tokens) - 1) + [len(raw)] if tokens else []
    lengths = lengths_from(content.get("lengths", together), len(tokens), len(raw))
    if text != raw or not are_tokens(tokens):  # whoever wrote it, these are not of this text
        tokens = lengths = ()
    return Span(
        author=author,
        text=text,
        tokens=tokens,
        lengths=lengths,
        settings=_settings_from(content.get("settings")),
        seed=seed_from(content.get("seed")),
        until=_until_from(content.get("until", Until.LENGTH)),
        **{
            name: clean_text(of(str, content[name]))
            for name in ("model", "fingerprint", "decoding", *RARE)
            if name in content
        },
    )


def _until_from(value: Any) -> str:
    """How far a passage was to go; as far as any where it is no way that is known here."""
    return str(value) if of(str, value) in list(Until) else str(Until.LENGTH)


def _settings_from(content: Any) -> SamplingSettings | None:
    """Settings as they were; None where they mean nothing here, which costs no text."""
    try:
        if not isinstance(content, dict):
            return None
        return SamplingSettings(**arguments_from(SamplingSettings, content))
    except (TypeError, UserError):
        return None
