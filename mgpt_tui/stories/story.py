"""A story: a tree of what the writer and the model wrote, and where the writer stands in it.

A `Story` never changes; every operation gives a new one. Nothing that was written leaves the
tree: undo, retries, edits and other words only move the place where the writer stands. The story
as shown is the path from the root to there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate

from mgpt_tui.inference.messages import ContextPart
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.seams import joint
from mgpt_tui.stories.tree import ROOT as ROOT
from mgpt_tui.stories.tree import Author as Author
from mgpt_tui.stories.tree import Maker as Maker
from mgpt_tui.stories.tree import Node as Node
from mgpt_tui.stories.tree import Nodes, count_words, path_to, spans_before, spans_from
from mgpt_tui.stories.tree import Span as Span
from mgpt_tui.stories.tree import Spans as Spans
from mgpt_tui.text import TextChunk, clean_text


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class _Lead:
    """What comes before the node where the writer stands; it stays while that node grows."""

    path: tuple[int, ...]
    spans: Spans
    text: str
    words: dict[Author, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the writer and the model have written so far.

    Attributes:
        nodes: all that was ever written; a node's id is its place here.
        here: the node at whose end the writer stands.
        title: the name the writer gave it; "" until then.
        created: when it was begun, ISO 8601, UTC.
        past: the nodes that undo goes back to, the oldest first.
        future: the nodes that redo goes forward to, the nearest last.
    """

    nodes: Nodes = (ROOT,)
    here: int = 0
    title: str = ""
    created: str = field(default_factory=_now)
    past: tuple[int, ...] = ()
    future: tuple[int, ...] = ()
    _known: _Lead | None = field(default=None, compare=False, repr=False)

    # What it tells.

    @property
    def _lead(self) -> _Lead:
        if self._known is not None:
            return self._known
        path = path_to(self.nodes, self.here)
        spans = spans_before(self.nodes, path)
        lead = _Lead(path, spans, "".join(span.text for span in spans), count_words(spans))
        object.__setattr__(self, "_known", lead)
        return lead

    @property
    def _own(self) -> Spans:
        """The span of the node here, unless it is empty."""
        span = self.nodes[self.here].span
        return (span,) if span.text else ()

    @property
    def path(self) -> tuple[int, ...]:
        """The nodes from the root's child to here."""
        return self._lead.path

    @property
    def spans(self) -> Spans:
        """What the path tells, in order; none is empty."""
        return self._lead.spans + self._own

    @property
    def text(self) -> str:
        """The whole story, exactly as shown and saved."""
        return self._lead.text + self.nodes[self.here].span.text

    @property
    def words(self) -> dict[Author, int]:
        """How many words each has begun."""
        lead = self._lead
        own = count_words(lead.spans[-1:] + self._own)
        last = count_words(lead.spans[-1:])
        return {author: lead.words[author] + own[author] - last[author] for author in Author}

    @property
    def ends_with_model(self) -> bool:
        """Whether the model wrote last, which is what retry replaces."""
        return self.nodes[self.here].span.author is Author.MODEL

    @property
    def boundaries(self) -> tuple[tuple[int, int, int], ...]:
        """Start and end in `text` of what each of the model's tokens brought, and its node.

        Tokens that make a character together, or came together, are one entry.
        """
        entries: list[tuple[int, int, int]] = []
        start = 0
        for id, end in self._ends():
            pieces = self.nodes[id].span.pieces()
            entries += ((start + a, start + b, id) for a, b, _ in pieces if start + b <= end)
            start = end
        return tuple(entries)

    def context(self, fingerprint: str, end: int | None = None) -> tuple[ContextPart, ...]:
        """What a model reads to go on: its own tokens where it wrote, text elsewhere.

        Text that lies together is given together, so that how a passage was typed makes no
        difference to the model.

        Args:
            fingerprint: of the model that will read it; tokens of any other are given as text.
            end: how many characters of the story to give; all of it where left out.
        """
        parts: list[ContextPart] = []
        left = len(self.text) if end is None else end
        for told in self.spans:
            for span in told.before(max(0, left)):
                known = bool(span.tokens) and span.fingerprint == fingerprint
                words = span.text[: span.lead] if known else span.text
                if words and parts and isinstance(parts[-1], str):
                    parts[-1] += words
                elif words:
                    parts.append(words)
                if known:
                    parts.append(span.tokens)
            left -= len(told.text)
        return tuple(parts)

    # Writing.

    def write(self, line: str) -> Story:
        """Add a line of the writer's, cleaned and joined to the text before it.

        Blanks at its end are dropped, since the model begins its own words with a blank.
        Nothing changes where nothing is left.
        """
        line = clean_text(line).rstrip(" \t")
        if not line:
            return self
        text = joint(self.text, line) + line
        return self._hang((Span(author=Author.WRITER, text=text),), self._end_of_here())

    def begin(
        self, settings: SamplingSettings, maker: Maker | None = None, until: str = "length"
    ) -> Story:
        """Open an empty node for the model to fill with `extend`.

        What undo took can be brought back until there is text in it.
        """
        opened = self._hang((_opened(settings, maker, until),), self._end_of_here())
        return replace(opened, future=self.future)

    def retry(
        self, settings: SamplingSettings, maker: Maker | None = None, until: str = "length"
    ) -> Story:
        """Open an empty node beside the last generation, in place of it and of nothing else."""
        node = self.nodes[self.here]
        place = (node.parent, node.at) if self.ends_with_model else self._end_of_here()
        return replace(self._hang((_opened(settings, maker, until),), place), future=self.future)

    def extend(
        self, text: str = "", tokens: tuple[int, ...] = (), *, seed: int | None = None
    ) -> Story:
        """Add to the model's node here; undo takes the node back as a whole."""
        return self.extend_by((TextChunk(text, tokens),), seed=seed)

    def extend_by(self, chunks: Iterable[TextChunk], *, seed: int | None = None) -> Story:
        """`extend` for several chunks, at the cost of one."""
        span = self.nodes[self.here].span.grown(chunks, seed)
        return replace(self._told(span), future=() if span.text else self.future)

    def begin_anew(self, settings: SamplingSettings, until: str = "length") -> Story:
        """Empty the model's node here again, to be filled with other settings."""
        span = self.nodes[self.here].span
        maker = Maker(model=span.model, fingerprint=span.fingerprint, decoding=span.decoding)
        return self._told(_opened(settings, maker, until))

    def settle(self) -> Story:
        """Take back a generation that brought no text, and what it was to replace returns."""
        if not self.ends_with_model or self.nodes[self.here].span.text or not self.past:
            return self
        is_newest = self.here == len(self.nodes) - 1
        is_needed = self.here in self.past or self.here in self.future
        return replace(
            self,
            nodes=self.nodes[:-1] if is_newest and not is_needed else self.nodes,
            here=self.past[-1],
            past=self.past[:-1],
            _known=None,
        )

    def edited(self, text: str) -> Story:
        """The story as the writer changed it by hand, all of it; one step of undo.

        What is the same at the beginning stays, what is the same at the end is copied with its
        authors, and what is between them is the writer's. The same text changes nothing.
        """
        text, old = clean_text(text), self.text
        if text == old:
            return self
        same = _common(old, text)
        rest = _common(old[same:][::-1], text[same:][::-1])
        new = text[same : len(text) - rest]
        copies = list(spans_from(self.spans, len(old) - rest))
        while copies and copies[0].author is Author.WRITER:
            new += copies.pop(0).text
        mine = Span(author=Author.WRITER, text=new)
        return self._hang((mine, *copies) if new or not copies else copies, self._fork(same))

    def choose(self, offset: int, text: str, token: int, maker: Maker | None = None) -> Story:
        """Put another token of the model's at a character of the story, which ends with it then.

        What stood there stays as a branch. A token without text changes nothing.

        Raises:
            ValueError: where the story has no such character, and does not end there either.
        """
        text = clean_text(text)
        if not text:
            return self
        empty = _opened(None, maker)
        return self._hang((empty.grown((TextChunk(text, (token,)),)),), self._fork(offset))

    # Moving.

    def undo(self) -> Story:
        """The story before the last step; the same story where there is none."""
        if not self.past:
            return self
        future = (*self.future, self.here)
        return self._stand(self.past[-1], past=self.past[:-1], future=future)

    def redo(self) -> Story:
        """Take the last undo back; the same story where there is none."""
        if not self.future:
            return self
        past = (*self.past, self.here)
        return self._stand(self.future[-1], past=past, future=self.future[:-1])

    def go(self, id: int) -> Story:
        """Stand at the end of a node; one step of undo.

        Raises:
            ValueError: where there is no such node.
        """
        if not 0 <= id < len(self.nodes):
            raise ValueError(f"there is no node {id}")
        if id == self.here:
            return self
        return self._stand(id, past=(*self.past, self.here), future=())

    @property
    def siblings(self) -> tuple[int, ...]:
        """The nodes that go on from where the node here does, itself included, the oldest first."""
        node = self.nodes[self.here]
        if node.id == 0:
            return (0,)
        place = (node.parent, node.at)
        return tuple(other.id for other in self.nodes[1:] if (other.parent, other.at) == place)

    def sibling(self, step: int) -> Story:
        """Stand at the end of the sibling so many further, around the end; one step of undo."""
        siblings = self.siblings
        return self.go(siblings[(siblings.index(self.here) + step) % len(siblings)])

    def named(self, title: str) -> Story:
        """The same story under another name; not a step of undo."""
        return replace(self, title=clean_text(title))

    # How it is done.

    def _end_of_here(self) -> tuple[int, int]:
        return self.here, len(self.nodes[self.here].span.text)

    def _ends(self) -> list[tuple[int, int]]:
        """Each node of the path, and where it ends in `text`."""
        path = self.path
        own = [self.nodes[following].at for following in path[1:]]
        own += [len(self.nodes[self.here].span.text)] if path else []
        return list(zip(path, accumulate(own), strict=True))

    def _fork(self, offset: int) -> tuple[int, int]:
        """Where a node hangs that begins at this character: its parent, and how much of that."""
        start = 0
        for id, end in self._ends():
            if start == offset < end:
                return self.nodes[id].parent, self.nodes[id].at
            if start < offset < end:
                return id, offset - start
            start = end
        if offset != start:
            raise ValueError(f"the story has no character {offset}")
        return self._end_of_here()

    def _hang(self, spans: Spans | list[Span], place: tuple[int, int]) -> Story:
        """Hang spans, one below the other, into the tree and stand at their end."""
        nodes = list(self.nodes)
        for span in spans:
            node = Node(len(nodes), *place, span)
            nodes.append(node)
            place = node.id, len(span.text)
        past = (*self.past, self.here)
        return replace(self, nodes=tuple(nodes), here=place[0], past=past, future=(), _known=None)

    def _told(self, span: Span) -> Story:
        """The story with another span in the node here."""
        here = self.here
        node = replace(self.nodes[here], span=span)
        return replace(self, nodes=(*self.nodes[:here], node, *self.nodes[here + 1 :]))

    def _stand(self, id: int, *, past: tuple[int, ...], future: tuple[int, ...]) -> Story:
        return replace(self, here=id, past=past, future=future, _known=None)


def _opened(settings: SamplingSettings | None, maker: Maker | None, until: str = "length") -> Span:
    maker = maker or Maker()
    return Span(
        author=Author.MODEL,
        text="",
        settings=settings,
        until=str(until),
        model=maker.model,
        fingerprint=maker.fingerprint,
        decoding=maker.decoding,
    )


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
