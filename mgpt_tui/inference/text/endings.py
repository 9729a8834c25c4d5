"""Where a generation is to end: after a word, a sentence, a paragraph.

An end is a matter of the text alone, character by character, so it is the same wherever the
pieces of the text are cut.
"""

from __future__ import annotations

from itertools import pairwise

from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.text import TextChunk

FINISHING = 40
"""Tokens that a sentence gets for its end, once the length is reached."""

LONGEST_STORY = 4000
"""Tokens after which a generation that is to go to the end of its story ends without one."""

LOOK_BACK = 64
"""Characters of the story before a generation that its first end may depend on."""

_CLOSING_MARKS = frozenset(".!?\u2026\u3002\uff01\uff1f")
_CLOSERS = frozenset("\"')]}*_\u2019\u201d\u201c\u00bb\u203a")
"""What belongs to a sentence that it closes: quotation marks, brackets, marks of emphasis."""
_LIMITED = (Until.LENGTH, Until.PARAGRAPH)
"""What `max_tokens` cuts short, or lets end with a sentence."""
_ABBREVIATIONS = frozenset({"Mr", "Mrs", "Ms", "Dr", "St", "Prof"})


def token_limit(settings: SamplingSettings, until: Until) -> int:
    """The most tokens that a generation may take."""
    if until is Until.END:
        return LONGEST_STORY
    return settings.max_tokens + (FINISHING if settings.finish_sentence else 0)


class Sentences:
    """Reads a text character by character and notes where sentences end.

    A sentence ends after its closing mark and the closers behind that, if a blank follows and
    then anything but a small letter ("Stop!" he said), or at the end of a line.
    """

    def __init__(self) -> None:
        self._word = ""  # the letters that came last
        self._is_closed = False  # whether the text could be the whole of a sentence by now
        self._blanks = 0  # characters since then
        self._is_empty = True  # whether nothing of the next sentence is there

    @property
    def blanks(self) -> int:
        """How many blanks came last of which it is not known whether a sentence ended before."""
        return self._blanks if self._is_closed else 0

    @property
    def is_between(self) -> bool:
        """Whether a sentence has ended, as far as one can see, with blanks after it already."""
        return self._is_empty or self.blanks > 0

    def read(self, character: str) -> int | None:
        """Take the next character.

        Returns:
            How many characters back, this one included, a sentence has ended; None where none
            has, or where it was told before.
        """
        end: int | None = None
        if character == "\n":
            end = None if self._is_empty else self.blanks + 1
            self._start_anew()
        elif character.isspace():
            self._blanks += 1
            self._word = ""
        else:
            if self.blanks and not character.islower():
                end = self._blanks + 1
            self._is_closed = self._closes(character)
            self._word = self._word + character if character.isalpha() else ""
            self._word = self._word[-LOOK_BACK:]
            self._blanks, self._is_empty = 0, False
        return end

    def _closes(self, character: str) -> bool:
        if character in _CLOSING_MARKS:
            return not (character == "." and self._word in _ABBREVIATIONS)
        return self._is_closed and not self._blanks and character in _CLOSERS

    def _start_anew(self) -> None:
        self._word, self._is_closed, self._blanks, self._is_empty = "", False, 0, True


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence of a text, without the white space around it."""
    reader, ends = Sentences(), [0]
    for at, character in enumerate(text, start=1):
        back = reader.read(character)
        if back is not None:
            ends.append(at - back)
    found: list[tuple[int, int]] = []
    for start, end in pairwise([*ends, len(text)]):
        said = text[start:end]
        if said.strip():
            blanks = len(said) - len(said.lstrip())
            found.append((start + blanks, start + len(said.rstrip())))
    return found


class EndFinder:
    """Lets the chunks of a generation through up to where it is to end.

    Blanks after what may be a sentence wait until the next character tells.

    Args:
        until: how far to go.
        finish_sentence: whether the sentence is to be finished once there is `enough`.
        tokenizer: encodes anew what is left of a chunk that is cut.
        before: the end of the story so far.

    Attributes:
        found: whether the end has come; what follows it is not wanted.
    """

    def __init__(
        self, until: Until, finish_sentence: bool, tokenizer: Tokenizer, before: str = ""
    ) -> None:
        self.found = False
        self._tokenizer = tokenizer
        self._until = until
        self._finish_sentence = finish_sentence
        self._has_enough = False
        self._has_begun = False  # whether anything but blanks and closers has come
        self._sentences = Sentences()
        self._waiting: list[TextChunk] = []
        for character in before[-LOOK_BACK:]:
            self._sentences.read(character)

    @property
    def reason(self) -> FinishReason:
        """Why the generation ended, where it did so at the end that was found."""
        by_length = self._has_enough and self._until in _LIMITED
        return FinishReason.LENGTH if by_length else FinishReason.STOP

    def enough(self) -> bool:
        """There are `max_tokens` tokens; whether the generation is to end right here."""
        if self._has_enough or not self._finish_sentence:
            return False
        self._has_enough = True
        return self._seeks_sentence and self._has_begun and self._sentences.is_between

    def feed(self, chunk: TextChunk) -> list[TextChunk]:
        """Take the next chunk; those that are free to go now, in order."""
        self._waiting.append(chunk)
        held = sum(len(part.text) for part in self._waiting[:-1])
        for at, character in enumerate(chunk.text, start=held + 1):
            back = self._end(character)
            if back is not None:
                self.found = True
                return self._release(max(at - back, 0), last=True)
        total = held + len(chunk.text)
        waits = self._sentences.blanks if self._seeks_sentence else 0
        return self._release(total - waits, last=False)

    def finish(self) -> list[TextChunk]:
        """What still waits, once no more comes."""
        free, self._waiting = self._waiting, []
        return free

    @property
    def _seeks_sentence(self) -> bool:
        if self._until in _LIMITED:
            return self._has_enough
        return self._until is Until.SENTENCE

    def _end(self, character: str) -> int | None:
        """How many characters back the text is to end, this one included, if it is."""
        had_begun = self._has_begun
        back = self._sentences.read(character)
        # A closing quotation mark alone belongs to what was there before.
        if not character.isspace() and (character not in _CLOSERS or self._until is Until.WORD):
            self._has_begun = True
        if not had_begun:
            return None
        if self._until is Until.WORD:
            return 1 if character.isspace() else None
        if self._until is Until.PARAGRAPH and character == "\n":
            return 1
        return back if self._seeks_sentence else None

    def _release(self, end: int, *, last: bool) -> list[TextChunk]:
        """The waiting chunks that end before the character `end`; the last time, parts of one."""
        free: list[TextChunk] = []
        while self._waiting and len(self._waiting[0].text) <= end:
            free.append(self._waiting.pop(0))
            end -= len(free[-1].text)
        if last:
            if self._waiting and end > 0:
                free.append(cut(self._waiting[0], end, self._tokenizer))
            self._waiting = []
        return free


def cut(chunk: TextChunk, end: int, tokenizer: Tokenizer) -> TextChunk:
    """The part of `chunk` before the character `end`, with tokens of its own if it has any."""
    text = chunk.text[:end]
    return TextChunk(text, tuple(tokenizer.encode(text)) if chunk.tokens else ())
