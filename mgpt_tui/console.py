"""How commands print: the one place that knows encodings, closed streams, full devices and widths.

What a stream cannot encode becomes "?", whichever stream and command it is. Nothing that is
printed can command a terminal. A stream that takes no more raises `OutputError`.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

from mgpt_tui.text import clean_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

PIPED_WIDTH = 1000
"""Off a terminal nothing is wrapped or cut: what reads it may be a file or a program."""
SHORTEST_TEXT = 8
"""Cells that a column of free text needs to tell anything; with fewer it is left out."""
EXIT_BROKEN_PIPE = 141
"""As a shell counts a program that SIGPIPE has ended."""


class OutputError(Exception):
    """Standard output or standard error takes no more: its reader left, or its disk is full.

    Attributes:
        code: what the process is to end with.
    """

    def __init__(self, stream: str, error: OSError) -> None:
        super().__init__(f"{stream} cannot be written: {error.strerror or error}.")
        self.code = EXIT_BROKEN_PIPE if isinstance(error, BrokenPipeError) else 2


def open_streams() -> None:
    """Make standard output and standard error fit for anything; before a command does anything.

    Descriptors that the shell has closed lead to nothing from now on, so that no file that is
    opened later gets the number of one, and with it what a library prints.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def in_utf8() -> None:
    """Where the locale knows ASCII only, begin again in Python's UTF-8 mode, with the same output.

    In such a locale no name of a file and no word on the command line could hold an "é". Python
    does this by itself unless PYTHONUTF8=0 is in the environment.
    """
    if os.name != "posix" or codecs.lookup(sys.getfilesystemencoding()).name != "ascii":
        return
    encodings = {"PYTHONIOENCODING": "ascii"} | os.environ | {"PYTHONUTF8": "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], encodings)


def flush_streams() -> None:
    """Write out what still waits in the streams.

    Raises:
        OutputError: where one takes no more. Python's own complaint, at the very end, does not
            come any more.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the shell
            Output(stream).flush()


@contextmanager
def checked_output() -> Iterator[None]:
    """Let whatever is printed on standard output meanwhile go through `Output`."""
    if sys.stdout is None:  # closed by the shell
        yield
        return
    with redirect_stdout(cast("TextIO", Output(sys.stdout))):
        yield


def say(text: str = "", *, error: bool = False, end: str = "\n") -> None:
    """Print text at once, with nothing in it that a terminal would obey.

    Args:
        text: one line or several.
        error: on standard error.
        end: printed after it.

    Raises:
        OutputError: where the stream takes no more.
    """
    stream = sys.stderr if error else sys.stdout
    if stream is not None:  # closed by the shell
        output = Output(stream)
        output.write(clean_text(text + end))
        output.flush()


class Output(io.TextIOBase):
    """A standard stream as rich and `say` write to it.

    Args:
        stream: where it goes.
        lost: told when the stream takes no more; what is written from then on is dropped. By
            default the error is raised, each time.
    """

    def __init__(self, stream: TextIO, lost: Callable[[OutputError], None] | None = None) -> None:
        self._stream = stream
        self._lost = lost
        self._failure: OutputError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding

    def writable(self) -> bool:
        """Whether it is for writing; it is."""
        return True

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text; what cannot be encoded becomes "?"."""
        self._try(lambda: self._stream.write(self._encodable(text)))
        return len(text)

    def flush(self) -> None:
        """Write out what waits."""
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        if self._failure is None:
            try:
                action()
                return
            except OSError as error:
                name = "Standard error" if self._stream is sys.stderr else "Standard output"
                self._failure = OutputError(name, error)
                self._silence()
                if self._lost is not None:
                    self._lost(self._failure)
        if self._lost is None:
            raise self._failure

    def _silence(self) -> None:
        """Let the stream lead to nothing, with what it still holds."""
        with suppress(OSError, ValueError):  # no descriptor may be behind it
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)

    def _encodable(self, text: str) -> str:
        """`text` as the stream can encode it, however it was opened."""
        encoding = self._stream.encoding or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeError:
            return text.encode(encoding, "replace").decode(encoding)
        return text


def console_for(
    stream: TextIO | None, lost: Callable[[OutputError], None] | None = None
) -> Console:
    """A console that sends control codes to a terminal only, and no colours under NO_COLOR.

    A `str` is shown as it is: no markup, no emoji codes. Where the shell has closed the stream,
    nothing is written.

    Args:
        stream: standard output or standard error.
        lost: as for `Output`.
    """
    from rich.console import Console

    if stream is None:
        return Console(quiet=True)
    terminal = stream.isatty()
    return Console(
        file=cast("TextIO", Output(stream, lost)),
        force_terminal=terminal,  # FORCE_COLOR must not make a pipe a terminal
        no_color="NO_COLOR" in os.environ,  # its presence counts, even empty
        width=_dumb_width(stream) if terminal else PIPED_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={
            name: value
            for name, value in os.environ.items()
            if name not in ("COLUMNS", "LINES") or (value.isdecimal() and int(value) > 0)
        },
    )


def _dumb_width(stream: TextIO) -> int | None:
    """Of a dumb terminal its columns, as rich thinks that it has 80 in any case; else None."""
    if os.environ.get("TERM", "").lower() not in ("dumb", "unknown"):
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def show(parts: Iterable[RenderableType], console: Console) -> None:
    """Print parts one below the other; off a terminal lines are whole, without blanks at an end."""
    from rich.text import Text

    for part in parts:
        if console.is_terminal:
            console.print(part)
        elif isinstance(part, Text):
            console.print(part, soft_wrap=True)
        else:
            with console.capture() as printed:
                console.print(part)
            for line in printed.get().removesuffix("\n").split("\n"):
                console.out(line.rstrip(), highlight=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: above it.
        kind: "name", which is needed to go on and never made smaller; "figure", shown whole or
            not at all; "text", free text that is cut to the room there is; "path", which is
            folded there, so that it stays whole.
        right: whether it stands at the right of its cells.
    """

    heading: str
    kind: Literal["name", "figure", "text", "path"] = "figure"
    right: bool = False


def table_of(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Any]],
    width: int,
    least_needed: Sequence[str] = (),
    gap: int = 2,
) -> Table:
    """A table that fits: free text makes way first, then figures, and names never.

    Args:
        columns: one "name" at least.
        rows: a `str` or a rich `Text` for each column.
        width: cells there are.
        least_needed: headings of the figures that a narrow terminal goes without, the first
            first; the others follow from the right.
        gap: blanks between two columns.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    widths = _widths(columns, cells, width, least_needed, gap)
    for at, cells_there in widths.items():
        column = columns[at]
        table.add_column(
            Text(column.heading),
            justify="right" if column.right else "left",
            no_wrap=column.kind in ("figure", "text"),
            overflow="ellipsis" if column.kind == "text" else "fold",
            width=cells_there,
        )
    for row in cells:
        table.add_row(*(row[at] for at in widths))
    return table


def _widths(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Text]],
    width: int,
    least_needed: Sequence[str],
    gap: int,
) -> dict[int, int]:
    """The cells of each column that is shown, by its number."""
    from rich.cells import cell_len

    natural = {
        at: max([cell_len(column.heading), *(row[at].cell_len for row in rows)])
        for at, column in enumerate(columns)
    }
    free = [at for at in natural if columns[at].kind in ("text", "path")]
    least = natural | {at: min(natural[at], SHORTEST_TEXT) for at in free}
    numbers = {column.heading: at for at, column in enumerate(columns)}
    figures = [numbers[heading] for heading in least_needed]
    figures += [at for at in reversed(natural) if columns[at].kind == "figure"]
    for at in dict.fromkeys((*reversed(free), *figures)):
        if sum(least.values()) + gap * (len(least) - 1) <= width:
            break
        del least[at]
    room = width - sum(least.values()) - gap * (len(least) - 1)
    for at in free:
        if at in least:
            more = max(0, min(room, natural[at] - least[at]))
            least[at] += more
            room -= more
    return {at: min(cells, width) for at, cells in least.items()}
