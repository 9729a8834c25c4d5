"""A story: a tree of what the writer and the model wrote, and where the writer stands in it.

A `Story` never changes; every operation gives a new one. Nothing that was written leaves the
tree: undo, retries, edits and other words only move the place where the writer stands. The story
as shown is the path from the root to there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate

from mgpt_tui.inference.request import ContextPart, SamplingSettings, Way
from mgpt_tui.stories.tree import ROOT as ROOT
from mgpt_tui.stories.tree import Author as Author
from mgpt_tui.stories.tree import (
    Lead,
    Nodes,
    count_words,
    crossed,
    edited,
    opened,
    path_to,
    read_as,
    spans_before,
    spans_between,
    typed,
)
from mgpt_tui.stories.tree import Maker as Maker
from mgpt_tui.stories.tree import Node as Node
from mgpt_tui.stories.tree import Span as Span
from mgpt_tui.stories.tree import Spans as Spans
from mgpt_tui.text import TextChunk, clean_text, joint


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the writer and the model have written so far.

    Attributes:
        nodes: all that was ever written; a node's id is its place here.
        here: the node at whose end the writer stands.
        title: the name the writer gave it; "" until then.
        created: when it was begun, ISO 8601, UTC.
        note: what the model is to have in view before the story, which it is no part of.
        goal: how many words it is to have; 0 where the writer has said nothing.
        past: the nodes that undo goes back to, the oldest first.
        future: the nodes that redo goes forward to, the nearest last.
    """

    nodes: Nodes = (ROOT,)
    here: int = 0
    title: str = ""
    created: str = field(default_factory=_now)
    note: str = ""
    goal: int = 0
    past: tuple[int, ...] = ()
    future: tuple[int, ...] = ()
    # Derived when it is asked for. Any other story derives its own, so that none can have an old
    # one; `_told` alone hands it on.
    _known: Lead | None = field(default=None, init=False, compare=False, repr=False)

    # What it says.

    @property
    def _lead(self) -> Lead:
        if self._known is not None:
            return self._known
        path = path_to(self.nodes, self.here)
        spans = spans_before(self.nodes, path)
        lead = Lead(path, spans, "".join(span.text for span in spans), count_words(spans))
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
        """The spans along the path, in order; none is empty."""
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
    def seed(self) -> int | None:
        """The seed of the passage that the model wrote last, where it can be drawn again."""
        spans = (*self.spans, self.nodes[self.here].span)
        return next((span.seed for span in reversed(spans) if span.author is Author.MODEL), None)

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

    def context(
        self, fingerprints: Collection[str], end: int | None = None
    ) -> tuple[ContextPart, ...]:
        """What a model reads to go on: its own tokens where it wrote, text elsewhere.

        Text that lies together is given together, so that how a passage was typed makes no
        difference to the model.

        Args:
            fingerprints: of the model that will read it; tokens of any other are given as text.
            end: how many characters of the story to give; all of it where left out.
        """
        return read_as(self.spans, fingerprints, len(self.text) if end is None else end)

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
        return self._hang((typed(text),), self._end_of_here())

    def begin(
        self,
        settings: SamplingSettings,
        maker: Maker | None = None,
        until: str = "length",
        offset: int | None = None,
    ) -> Story:
        """Open an empty node for the model to fill with `extend`: at a character, or at the end.

        What undo took can be brought back until there is text in it. Errors as in `choose`.
        """
        place = self._end_of_here() if offset is None else self._fork(offset)
        begun = self._hang((opened(settings, maker, until),), place)
        return replace(begun, future=self.future)

    def retry(
        self, settings: SamplingSettings, maker: Maker | None = None, until: str = "length"
    ) -> Story:
        """Open an empty node beside the last generation, in place of it and of nothing else."""
        node = self.nodes[self.here]
        place = (node.parent, node.at) if self.ends_with_model else self._end_of_here()
        return replace(self._hang((opened(settings, maker, until),), place), future=self.future)

    def turn(self, text: str, maker: Maker | None = None) -> Story:
        """Add a text that the model held for likeliest among some, without drawing it."""
        return self._hang(
            (replace(opened(None, maker), text=clean_text(text)),), self._end_of_here()
        )

    def extend(
        self, text: str = "", tokens: tuple[int, ...] = (), *, seed: int | None = None
    ) -> Story:
        """Add to the model's node here; undo takes the node back as a whole."""
        return self.extend_by((TextChunk(text, tokens),), seed=seed)

    def extend_by(self, chunks: Iterable[TextChunk], *, seed: int | None = None) -> Story:
        """`extend` for several chunks, at the cost of one."""
        span = self.nodes[self.here].span.grown(chunks, seed)
        return self._told(span, future=() if span.text else self.future)

    def begin_anew(self, settings: SamplingSettings, until: str = "length") -> Story:
        """Empty the model's node here again, to be filled with other settings."""
        maker = self.nodes[self.here].span.maker
        return self._told(opened(settings, maker, until), future=self.future)

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
        )

    def edited(self, text: str) -> Story:
        """The story as the writer changed it by hand, all of it; one step of undo.

        What is new is the writer's, in as many places as it may be. What stands as it was (see
        `diff`) keeps its authors: at the beginning it stays, behind a change it is copied. The
        same text changes nothing.
        """
        text = clean_text(text)
        if text == self.text:
            return self
        same, spans = edited(self.spans, text)
        return self._hang(spans, self._fork(same))

    def bridged(self, start: int, end: int, way: Way, maker: Maker) -> Story:
        """Put a bridge of the model's between two characters; one step of undo.

        What comes after is copied, with its authors and its tokens.
        """
        after = spans_between(self.spans, end, len(self.text))
        return self._hang((crossed(way, maker), *after), self._fork(start))

    def choose(self, offset: int, text: str, token: int, maker: Maker | None = None) -> Story:
        """Put another token of the model's at a character of the story, which ends with it then.

        What stood there stays as a branch. A token without text changes nothing.

        Raises:
            ValueError: where the story has no such character, and does not end there either.
        """
        text = clean_text(text)
        if not text:
            return self
        empty = opened(None, maker)
        return self._hang((empty.grown((TextChunk(text, (token,)),)),), self._fork(offset))

    def put(self, offset: int, text: str) -> Story:
        """Put a text of the writer's at a character, as `choose` does with a token."""
        return self._hang((typed(clean_text(text)),), self._fork(offset))

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
        """Stand at the end of the sibling so many further, if there is one; one step of undo."""
        siblings = self.siblings
        place = min(max(siblings.index(self.here) + step, 0), len(siblings) - 1)
        return self.go(siblings[place])

    def named(self, title: str) -> Story:
        """The same story under another name; not a step of undo."""
        return replace(self, title=clean_text(title))

    def remembering(self, note: str) -> Story:
        """The same story with another note, "" for none; not a step of undo."""
        return replace(self, note=clean_text(note).strip())

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
        return replace(self, nodes=tuple(nodes), here=place[0], past=past, future=())

    def _told(self, span: Span, future: tuple[int, ...]) -> Story:
        """The story with another span in the node here; what comes before is the same."""
        here = self.here
        node = replace(self.nodes[here], span=span)
        nodes = (*self.nodes[:here], node, *self.nodes[here + 1 :])
        story = replace(self, nodes=nodes, future=future)
        object.__setattr__(story, "_known", self._known)
        return story

    def _stand(self, id: int, *, past: tuple[int, ...], future: tuple[int, ...]) -> Story:
        return replace(self, here=id, past=past, future=future)
