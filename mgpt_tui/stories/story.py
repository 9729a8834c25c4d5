"""A story: spans of text that remember who wrote them, and how.

A `Story` never changes; every operation gives a new one. It keeps its own past and future, so
undo covers the writer's lines, the model's text and every retry alike.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from mgpt_tui.inference.messages import ContextPart
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.text import clean_text


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a story, written in one go.

    Attributes:
        author: who wrote it.
        text: the text as shown, cleaned; the story is the spans' texts, one after the other.
        tokens: the token ids it was generated as (the model's spans only).
        settings: the settings it was generated with.
        seed: the seed that was in use, whether it was asked for or drawn.
        model: the model's name.
        fingerprint: the model's fingerprint; `tokens` mean something to that model only.
        decoding: how the model was run, in words; elsewhere the seed may write another text.
    """

    author: Author
    text: str
    tokens: tuple[int, ...] = ()
    settings: SamplingSettings | None = None
    seed: int | None = None
    model: str = ""
    fingerprint: str = ""
    decoding: str = ""


Spans = tuple[Span, ...]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the writer and the model have written so far.

    Two stories are equal when they tell the same; their histories do not count.

    Attributes:
        spans: the text, in order.
        title: the name the writer gave it; "" until then.
        created: when it was begun, ISO 8601, UTC.
        past: what undo goes back to, the oldest first.
        future: what redo goes forward to, the nearest last.
    """

    spans: Spans = ()
    title: str = ""
    created: str = field(default_factory=_now)
    past: tuple[Spans, ...] = field(default=(), compare=False, repr=False)
    future: tuple[Spans, ...] = field(default=(), compare=False, repr=False)

    @property
    def text(self) -> str:
        """The whole story, exactly as shown and saved."""
        return "".join(span.text for span in self.spans)

    @property
    def ends_with_model(self) -> bool:
        """Whether the last span is the model's, which is what retry replaces."""
        return bool(self.spans) and self.spans[-1].author is Author.MODEL

    def write(self, line: str) -> Story:
        """Add a line of the writer's, cleaned and joined to the text before it.

        Blanks at its end are dropped, since the model begins its own words with a blank.
        Nothing changes where nothing is left.
        """
        line = clean_text(line).rstrip(" \t")
        if not line:
            return self
        text = joint(self.text, line) + line
        return self._step((*self.spans, Span(author=Author.WRITER, text=text)))

    def begin(self, settings: SamplingSettings, maker: Maker | None = None) -> Story:
        """Open an empty span for the model to fill with `extend`."""
        return self._step((*self.spans, _opened(settings, maker or Maker())))

    def retry(self, settings: SamplingSettings, maker: Maker | None = None) -> Story:
        """Open an empty span in place of the last generation, and of nothing else."""
        kept = self.spans[:-1] if self.ends_with_model else self.spans
        return self._step((*kept, _opened(settings, maker or Maker())))

    def extend(
        self, text: str = "", tokens: tuple[int, ...] = (), *, seed: int | None = None
    ) -> Story:
        """Add to the model's open span; undo takes the span back as a whole."""
        last = self.spans[-1]
        grown = replace(
            last,
            text=last.text + text,
            tokens=last.tokens + tokens,
            seed=last.seed if seed is None else seed,
        )
        return replace(self, spans=(*self.spans[:-1], grown))

    def settle(self) -> Story:
        """Take back a generation that brought no text, and what it was to replace returns."""
        if self.ends_with_model and not self.spans[-1].text and self.past:
            return replace(self, spans=self.past[-1], past=self.past[:-1])
        return self

    def undo(self) -> Story:
        """The story before the last step; the same story where there is none."""
        if not self.past:
            return self
        return replace(
            self,
            spans=self.past[-1],
            past=self.past[:-1],
            future=(*self.future, self.spans),
        )

    def redo(self) -> Story:
        """Take the last undo back; the same story where there is none."""
        if not self.future:
            return self
        return replace(
            self,
            spans=self.future[-1],
            past=(*self.past, self.spans),
            future=self.future[:-1],
        )

    def named(self, title: str) -> Story:
        """The same story under another name; not a step of undo."""
        return replace(self, title=title)

    def context(self, fingerprint: str) -> tuple[ContextPart, ...]:
        """What a model reads to go on: its own tokens where it wrote, text elsewhere.

        Text that lies together is given together, so that how a passage was typed makes no
        difference to the model.

        Args:
            fingerprint: of the model that will read it; tokens of any other are given as text.
        """
        parts: list[ContextPart] = []
        for span in self.spans:
            if span.tokens and span.fingerprint == fingerprint:
                parts.append(span.tokens)
            elif parts and isinstance(parts[-1], str):
                parts[-1] += span.text
            elif span.text:
                parts.append(span.text)
        return tuple(parts)

    def _step(self, spans: Spans) -> Story:
        return replace(self, spans=spans, past=(*self.past, self.spans), future=())


def _opened(settings: SamplingSettings, maker: Maker) -> Span:
    return Span(
        author=Author.MODEL,
        text="",
        settings=settings,
        model=maker.model,
        fingerprint=maker.fingerprint,
        decoding=maker.decoding,
    )


CLOSING = frozenset(".,;:!?…%、。，！？；：")


def joint(before: str, line: str) -> str:
    """What goes between the story so far and a new line: a blank or nothing.

    Nothing where either side has white space there, where the line begins with punctuation
    that belongs to the word before it, or where the story ends with an opening mark. A
    straight quotation mark is judged by whether its paragraph has one open.
    """
    if not before or before[-1].isspace() or line[0].isspace():
        return ""
    quote_is_open = before.rpartition("\n")[2].count('"') % 2 == 1
    first, last = line[0], before[-1]
    if first == '"':
        closes = quote_is_open
    elif first == "'":
        closes = last.isalnum()
    else:
        closes = first in CLOSING or unicodedata.category(first) in ("Pe", "Pf", "Pd")
    opened = unicodedata.category(last) in ("Ps", "Pi") or (last == '"' and quote_is_open)
    return "" if closes or opened else " "
