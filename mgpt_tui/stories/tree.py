"""What a story is made of: spans of text, and the nodes of the tree that they hang in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from mgpt_tui.inference.request import ContextPart, SamplingSettings, Way
from mgpt_tui.stories.diff import Stretch, unchanged
from mgpt_tui.text import TextChunk, clean_text


class Author(StrEnum):
    """Who wrote a span."""

    WRITER = "writer"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What writes a passage: attributes as in `Span`."""

    model: str = ""
    fingerprint: str = ""
    decoding: str = ""
    muted: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a story, written in one go.

    Attributes:
        author: who wrote it.
        text: the text as shown, cleaned; the story is the spans' texts, one after the other.
        tokens: the token ids it was generated as (the model's spans only).
        lengths: how many characters of `text` each token brought. Where several tokens make one
            character, or came together, the last of them has all and the others 0. Text that no
            token brought (the rest of a word that the writer had begun) stands first.
        settings: the settings it was generated with.
        seed: the seed that was in use, whether it was asked for or drawn; None where what is
            here cannot be drawn again, as it was chosen by hand or moved by an edit.
        until: how far it was to go, a value of `inference.request.Until`.
        model: the model's name.
        fingerprint: the model's fingerprint; `tokens` mean something to that model only.
        decoding: how the model was run, in words; elsewhere the seed may write another text.
        muted: what of the model was muted meanwhile, see `inspection.names.spell_muted`; "" for
            nothing.
        note: what the model had in view before the story; "" for nothing.
    """

    author: Author
    text: str
    tokens: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    settings: SamplingSettings | None = None
    seed: int | None = None
    until: str = "length"
    model: str = ""
    fingerprint: str = ""
    decoding: str = ""
    muted: str = ""
    note: str = ""

    @property
    def maker(self) -> Maker:
        """What wrote it."""
        return Maker(
            model=self.model,
            fingerprint=self.fingerprint,
            decoding=self.decoding,
            muted=self.muted,
            note=self.note,
        )

    @property
    def lead(self) -> int:
        """How many characters stand before the first that a token brought."""
        return len(self.text) - sum(self.lengths)

    def pieces(self) -> Iterator[tuple[int, int, int]]:
        """Start and end of each piece of `text` that tokens brought, and the last token's number.

        Pieces are not empty, and numbers begin at 1.
        """
        end = self.lead
        for number, length in enumerate(self.lengths, 1):
            if length:
                yield end, end + length, number
                end += length

    def before(self, at: int) -> Spans:
        """The first `at` characters: none, one or two spans.

        Tokens stay where they are whole; the characters of one that is not are a second span.
        """
        if at >= len(self.text):
            return (self,) if self.text else ()
        kept = end = 0
        for _, stop, number in self.pieces():
            if stop > at:
                break
            kept, end = number, stop
        whole = replace(
            self, text=self.text[:end], tokens=self.tokens[:kept], lengths=self.lengths[:kept]
        )
        broken = replace(self, text=self.text[end:at], tokens=(), lengths=())
        return tuple(span for span in (whole, broken) if span.text)

    def after(self, at: int) -> Span:
        """A copy without the first `at` characters; it keeps whole tokens, and no seed."""
        dropped = 0
        for start, _, number in self.pieces():
            if start >= at:
                break
            dropped = number
        else:
            dropped = len(self.tokens)
        return replace(
            self,
            text=self.text[at:],
            tokens=self.tokens[dropped:],
            lengths=self.lengths[dropped:],
            seed=None,
        )

    def grown(self, chunks: Iterable[TextChunk], seed: int | None = None) -> Span:
        """The span with more text at its end; the tokens of a chunk brought it together."""
        tokens, lengths, texts = list(self.tokens), list(self.lengths), [self.text]
        for chunk in chunks:
            text = clean_text(chunk.text)
            texts.append(text)
            tokens += chunk.tokens
            if chunk.tokens:
                lengths += (*(0 for _ in chunk.tokens[1:]), len(text))
            elif lengths:  # what the last token held back
                lengths[-1] += len(text)
        return replace(
            self,
            text="".join(texts),
            tokens=tuple(tokens),
            lengths=tuple(lengths),
            seed=self.seed if seed is None else seed,
        )


Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A span and where it hangs.

    Attributes:
        id: its place in `Story.nodes`; 0 is the root.
        parent: the node it goes on from; an earlier one, but for the root, which is its own.
        at: how many characters of the parent's text come before it: all of them, unless an edit
            or another word cut in.
        span: what was written.
    """

    id: int
    parent: int
    at: int
    span: Span


Nodes = tuple[Node, ...]

ROOT = Node(0, 0, 0, Span(author=Author.WRITER, text=""))
"""Where every story begins."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What comes before the node where the writer stands; it is the same while that node grows.

    Attributes:
        path: the nodes from the root's child to that one.
        spans: before it, as they are told.
        text: of these.
        words: how many each has begun in them.
    """

    path: tuple[int, ...]
    spans: Spans
    text: str
    words: dict[Author, int]


def path_to(nodes: Nodes, id: int) -> tuple[int, ...]:
    """The nodes from the root's child to this one."""
    path = []
    while id:
        path.append(id)
        id = nodes[id].parent
    return tuple(reversed(path))


def spans_before(nodes: Nodes, path: Iterable[int]) -> Spans:
    """The spans of the story before the last node of a path."""
    spans: list[Span] = []
    for id in path:
        node = nodes[id]
        spans += nodes[node.parent].span.before(node.at)
    return tuple(spans)


def spans_between(spans: Spans, start: int, end: int) -> Spans:
    """Copies of what comes from a character on, up to another."""
    copies: list[Span] = []
    for span in spans:
        if start < len(span.text) and end > 0:
            begin = max(0, start)
            copies += span.after(begin).before(end - begin)
        start, end = start - len(span.text), end - len(span.text)
    return tuple(copies)


def read_as(
    spans: Iterable[Span], fingerprints: Collection[str], end: int
) -> tuple[ContextPart, ...]:
    """What a model reads of some spans, up to a character; see `Story.context`."""
    parts: list[ContextPart] = []
    for whole in spans:
        for span in whole.before(max(0, end)):
            known = bool(span.tokens) and span.fingerprint in fingerprints
            words = span.text[: span.lead] if known else span.text
            if words and parts and isinstance(parts[-1], str):
                parts[-1] += words
            elif words:
                parts.append(words)
            if known:
                parts.append(span.tokens)
        end -= len(whole.text)
    return tuple(parts)


def edited(spans: Spans, text: str) -> tuple[int, Spans]:
    """What a writer's changes make of spans.

    Returns:
        How many characters stay at the beginning, and what comes after these: what was typed,
        and copies of what stands as it was. At least one span, which is empty where nothing does.
    """
    old = "".join(span.text for span in spans)
    stretches = unchanged(old, text)
    same = stretches.pop(0).length if stretches and stretches[0][:2] == (0, 0) else 0
    merged: list[Span] = []
    at = same
    for was, now, length in (*stretches, Stretch(len(old), len(text), 0)):
        for span in (typed(text[at:now]), *spans_between(spans, was, was + length)):
            if span.author is Author.WRITER and merged and merged[-1].author is Author.WRITER:
                merged[-1] = typed(merged[-1].text + span.text)
            elif span.text:
                merged.append(span)
        at = now + length
    return same, tuple(merged) or (typed(""),)


def typed(text: str) -> Span:
    """A span of the writer's."""
    return Span(author=Author.WRITER, text=text)


def count_words(spans: Spans) -> dict[Author, int]:
    """How many words each has begun."""
    counts = dict.fromkeys(Author, 0)
    inside = False  # a word, whose rest is not another one
    for span in spans:
        counts[span.author] += len(span.text.split())
        if inside and not span.text[0].isspace():
            counts[span.author] -= 1
        inside = not span.text[-1].isspace()
    return counts


def crossed(way: Way, maker: Maker) -> Span:
    """A span that is a bridge of a model's."""
    return opened(way.settings, maker).grown(way.chunks, way.seed)


def opened(settings: SamplingSettings | None, maker: Maker | None, until: str = "length") -> Span:
    """An empty span, for the model to fill."""
    maker = maker or Maker()
    return Span(
        author=Author.MODEL,
        text="",
        settings=settings,
        until=str(until),
        model=maker.model,
        fingerprint=maker.fingerprint,
        decoding=maker.decoding,
        muted=maker.muted,
        note=maker.note,
    )
