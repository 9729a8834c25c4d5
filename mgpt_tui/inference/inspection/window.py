"""A text as a model reads it: window by window, each recorded when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.record import NAMES, Floats, Record
from mgpt_tui.memory import OutOfMemory

if TYPE_CHECKING:
    from mgpt_tui.inference.decoders.decoder import OpenDecoder


class Window:
    """Tokens that a model sees at once, and what it computes for them.

    Args:
        decoder: what reads.
        tokens: at least one, and at most `block_size`.
        start: how many tokens of the text stand before them, which the model does not see.
    """

    def __init__(self, decoder: OpenDecoder, tokens: Sequence[int], start: int) -> None:
        self.tokens, self.start = tuple(tokens), start
        self._decoder = decoder
        self._record: Record | None = None

    @property
    def end(self) -> int:
        """The number of the token behind the last."""
        return self.start + len(self.tokens)

    def row(self, number: int) -> int:
        """Where in a record it stands how token `number` was chosen: at the one before it."""
        return number - 1 - self.start

    def record(self, *names: str) -> Record:
        """A record that has these arrays, and all others if memory has the room.

        Args:
            names: of `record.NAMES`.

        Raises:
            OutOfMemory: where it has none for these alone; its message tells how much they take.
        """
        if self._record is None:
            try:
                self._record = self._decoder.recorded(self.tokens, NAMES)
            except OutOfMemory:
                self._record = self._decoder.recorded(self.tokens, names)
        elif not all(getattr(self._record, name).size for name in names):
            self._record = None  # its memory may be just what is needed
            self._record = self._decoder.recorded(self.tokens, names)
        return self._record


class Reading:
    """A text, and the windows through which a model sees it.

    Token `number` was chosen by what stands before it, in the window of that moment (see
    `GPTConfig.window_start`); `len(tokens)` is the number of what could come next.

    Args:
        decoder: what reads.
        tokens: of the text, `<|endoftext|>` in front.
    """

    def __init__(self, decoder: OpenDecoder, tokens: Sequence[int]) -> None:
        self.decoder, self.config = decoder, decoder.config
        self.tokens = tuple(tokens)
        self._window: Window | None = None  # one at a time: it may take 50 MB and more

    @property
    def n_tokens(self) -> int:
        """How many tokens the text has, `<|endoftext|>` not counted."""
        return len(self.tokens) - 1

    def check(self, number: int | None) -> int:
        """The number of a token that was chosen; None stands for what could come next.

        Raises:
            UserError: where the text has no such token.
        """
        if number is None:
            return len(self.tokens)
        if not 1 <= number <= self.n_tokens:
            raise UserError(
                f"The text has no token {number}.", f"It has tokens 1 to {self.n_tokens}."
            )
        return number

    def window(self, number: int) -> Window:
        """The window in which token `number` was chosen, as far as the text goes."""
        start = self.config.window_start(number)
        if self._window is None or self._window.start != start:
            end = start + self.config.block_size
            self._window = Window(self.decoder, self.tokens[start:end], start)
        return self._window

    def logits(self, numbers: range) -> Floats:
        """(len(numbers), V), by which these tokens were chosen, all in one window."""
        start = self.config.window_start(numbers[0])
        rows = [number - 1 - start for number in numbers]
        window = self._kept(start)
        if window is not None:
            return window.record("logits").logits[rows[0] : rows[-1] + 1]
        tokens = self.tokens[start : numbers[-1]]
        return self.decoder.recorded(tokens, ["logits"], rows).logits

    def stream(self, start: int) -> Floats | None:
        """(2 n_layer + 1, T, C) of the window there, or None where it would have to be read."""
        window = self._kept(start)
        return None if window is None else window.record("stream").stream

    def _kept(self, start: int) -> Window | None:
        """Of a long text the window that is looked at, or the last, is kept, and no other."""
        if self._window is None and start == self.config.window_start(len(self.tokens)):
            return self.window(len(self.tokens))
        return self._window if self._window is not None and self._window.start == start else None

    def stretches(self) -> list[range]:
        """Numbers of all tokens and of what comes next, by the window in which they are chosen."""
        ends = range(1, len(self.tokens) + 1)
        starts = [self.config.window_start(number) for number in ends]
        bounds = [at for at in range(len(starts)) if at == 0 or starts[at] != starts[at - 1]]
        return [
            range(ends[first], ends[first] + (end - first))
            for first, end in zip(bounds, [*bounds[1:], len(starts)], strict=True)
        ]

    def chosen(self) -> list[range]:
        """The same without what comes next."""
        last = len(self.tokens)
        stretches = [range(of.start, min(of.stop, last)) for of in self.stretches()]
        return [numbers for numbers in stretches if numbers]
