"""How a token of a story came about: the draw that made it, or why there is none to know again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from mgpt_tui.inference.inspection.answers import Scored
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.stories.story import Author, Span, Story
from mgpt_tui.text import one_line


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a token is from.

    Attributes:
        drawing: how it was drawn; where that cannot be known again, all tokens up to it, without
            a seed.
        end: how many characters of the story stand before what is in `drawing`.
        span: what it is a part of.
        why: why its draw cannot be known again, in a sentence; "" where it can.
    """

    drawing: Drawing
    end: int
    span: Span
    why: str = ""


def origin_of(
    story: Story,
    tokens: Sequence[Scored],
    number: int,
    fingerprints: Collection[str],
    settings: SamplingSettings,
) -> Origin:
    """Where a token of a story is from.

    Args:
        story: that was read.
        tokens: as which a model read all of it.
        number: of the token, from 1.
        fingerprints: of that model.
        settings: to choose with where it is not known with which a token was.
    """
    for start, first, span in _drawn(story, tokens, fingerprints):
        if first <= number < first + len(span.tokens):
            why = _why_undrawn(span, tokens[first - 1 :])
            if why or span.settings is None or span.seed is None:
                return _undrawn(tokens, number, span.settings or settings, span, why)
            own, lead = span.tokens[: number - first + 1], span.text[: span.lead]
            until = Until(span.until)
            drawing = Drawing(span.settings, own, lead, span.seed, span.muted, until, span.note)
            return Origin(drawing, start, span)
    span = _span_of(story, tokens, number)
    return _undrawn(tokens, number, settings, span, _why_text(span, fingerprints))


def _undrawn(
    tokens: Sequence[Scored], number: int, settings: SamplingSettings, span: Span, why: str
) -> Origin:
    """A token without a draw is asked for by the very tokens that the model read."""
    read = tuple(token.token for token in tokens[:number])
    return Origin(Drawing(settings, read), 0, span, why)


def _drawn(
    story: Story, tokens: Sequence[Scored], fingerprints: Collection[str]
) -> Iterator[tuple[int, int, Span]]:
    """What the model reads as its own tokens: the character where it begins, the number of its
    first token, and what it is; see `Story.context`.
    """
    ends = [token.end for token in tokens]
    start = text_start = 0  # of the span, and of the text that is read before it
    number = 1
    for span in story.spans:
        if span.tokens and span.fingerprint in fingerprints:
            text_end = start + span.lead
            if text_end > text_start:
                number = bisect_left(ends, text_end, lo=number - 1) + 2
            yield start, number, span
            number += len(span.tokens)
            text_start = start + len(span.text)
        start += len(span.text)


def _span_of(story: Story, tokens: Sequence[Scored], number: int) -> Span:
    """What has a token's last character."""
    begin, end = (tokens[number - 2].end if number > 1 else 0), tokens[number - 1].end
    ends = list(accumulate(len(span.text) for span in story.spans))
    return story.spans[min(bisect_right(ends, max(begin, end - 1)), len(ends) - 1)]


def _why_undrawn(span: Span, read: Sequence[Scored]) -> str:
    """Why the draws of what the model reads as its own cannot be known again."""
    if span.settings is None:
        return "You chose it yourself, so no number drew it."
    if span.seed is None:
        return "The story before it was changed, so its draw is not known any more."
    if tuple(token.token for token in read[: len(span.tokens)]) != span.tokens:
        return "Which draw of its passage it was cannot be told."
    return ""


def _why_text(span: Span, fingerprints: Collection[str]) -> str:
    """Why what the model reads as text has no draw to know again."""
    if span.author is Author.WRITER:
        return "You wrote it, so no number drew it."
    if span.settings is None and not span.tokens:
        return "It is a turn, the likeliest among some, so no number drew it."
    if not span.tokens:
        return "The token that was drawn here is not whole in the story any more."
    if span.fingerprint not in fingerprints:
        name = one_line(span.model) or "Another model"
        return f"{name} wrote it, and only that model could draw it again."
    return "The model finished your word here, but drew other tokens than this one."
