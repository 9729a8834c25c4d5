"""What changed between two stories, as JSON has it; see `journal`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mgpt_tui.stories.formats import (
    are_tokens,
    check,
    goal_from,
    integers,
    lengths_from,
    node_from_dict,
    node_to_dict,
    note_from,
    of,
    seed_from,
)
from mgpt_tui.stories.story import Node, Span, Story
from mgpt_tui.text import clean_text

Record = dict[str, Any]
"""One change: only what changed is in it.

- `cut`: how many nodes stay; `grow`: what came to a node; `add`: new nodes;
- `here`, `title`, `created`, `note`, `goal` as in the document;
- `past`, `future`: how many of them stay, and what follows these.
"""


def changes(before: Story, after: Story) -> Record:
    """What makes `after` of `before`; empty where they are equal."""
    record: Record = {}
    grown, same = _compared(before, after)
    if same < len(before.nodes):
        record["cut"] = same
    if grown:
        record["grow"] = grown
    if same < len(after.nodes):
        record["add"] = [node_to_dict(node) for node in after.nodes[same:]]
    for name in ("here", "title", "created", "note", "goal"):
        if getattr(before, name) != getattr(after, name):
            record[name] = getattr(after, name)
    for name in ("past", "future"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            kept = _same(old, new)
            record[name] = [kept, new[kept:]]
    return record


def _compared(before: Story, after: Story) -> tuple[list[Record], int]:
    """What came to nodes that both have, and how many these are."""
    grown: list[Record] = []
    for old, new in zip(before.nodes, after.nodes, strict=False):
        if old is new or old == new:
            continue
        growth = _growth(old, new)
        if growth is None:
            return grown, old.id
        grown.append(growth)
    return grown, min(len(before.nodes), len(after.nodes))


def _growth(old: Node, new: Node) -> Record | None:
    """What came to a node; None where it is another one."""
    was, now = old.span, new.span
    kept = _same(was.lengths, now.lengths)  # all but the last, at least, where it has grown
    grown = replace(
        old,
        span=replace(was, text=now.text, tokens=now.tokens, lengths=now.lengths, seed=now.seed),
    )
    if grown != new or not now.text.startswith(was.text):
        return None
    kept = min(kept, _same(was.tokens, now.tokens))
    return {
        "id": old.id,
        "text": now.text[len(was.text) :],
        "kept": kept,
        "tokens": now.tokens[kept:],
        "lengths": now.lengths[kept:],
        "seed": now.seed,
    }


def _same(old: Sequence[int], new: Sequence[int]) -> int:
    """How many numbers two sequences have in common at their beginning."""
    if new[: len(old)] == old:  # as good as always
        return len(old)
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))


def apply(story: Story, record: Record) -> Story:
    """The story after a change.

    Raises:
        KeyError, TypeError, ValueError: where that is no change of this story.
    """
    nodes = list(story.nodes)
    if "cut" in record:
        del nodes[_within(record["cut"], 1, len(nodes)) :]
    for growth in of(list, record.get("grow", [])):
        node = nodes[_within(of(dict, growth)["id"], 1, len(nodes) - 1)]
        nodes[node.id] = replace(node, span=_grown(node.span, growth))
    for entry in of(list, record.get("add", [])):
        nodes.append(node_from_dict(entry, nodes))
    changed = replace(
        story,
        nodes=tuple(nodes),
        here=of(int, record.get("here", story.here)),
        title=clean_text(of(str, record.get("title", story.title))),
        created=clean_text(of(str, record.get("created", story.created))),
        note=note_from(record, story.note),
        goal=goal_from(record, story.goal),
        past=_stack(story.past, record.get("past")),
        future=_stack(story.future, record.get("future")),
    )
    check(changed)
    return changed


def _grown(span: Span, growth: Record) -> Span:
    kept = _within(growth["kept"], 0, len(span.tokens))
    text = span.text + clean_text(of(str, growth["text"]))
    tokens = span.tokens[:kept] + integers(growth["tokens"])
    lengths = [*span.lengths[:kept], *integers(growth["lengths"])]
    if not are_tokens(tokens):
        raise ValueError("there can be no such tokens")
    return replace(
        span,
        text=text,
        tokens=tokens,
        lengths=lengths_from(lengths, len(tokens), len(text)),
        seed=seed_from(growth["seed"]),
    )


def _stack(old: tuple[int, ...], change: Any) -> tuple[int, ...]:
    if change is None:
        return old
    kept, following = of(list, change)
    return old[: _within(kept, 0, len(old))] + integers(following)


def _within(number: Any, lowest: int, highest: int) -> int:
    number = of(int, number)
    if not lowest <= number <= highest:
        raise ValueError(f"{number} is not between {lowest} and {highest}")
    return int(number)
