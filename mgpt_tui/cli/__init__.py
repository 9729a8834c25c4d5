"""The command line: one module a command, imported when it is called.

`mgpt-tui --help` lists the commands from `COMMANDS` without importing any of them, which keeps
torch, textual and datasets out of it.
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import click

from mgpt_tui import __version__
from mgpt_tui.console import (
    EXIT_BROKEN_PIPE,
    OutputError,
    checked_output,
    flush_streams,
    in_utf8,
    open_streams,
    say,
)
from mgpt_tui.errors import UserError
from mgpt_tui.memory import OutOfMemory, is_lack_of_memory

COMMANDS = {
    "tui": "Open the full-screen app (the default command).",
    "generate": "Write a story to standard output.",
    "stories": "List the saved stories; show, search, rename, restore them ...",
    "inspect": "Show how surprising a text is to a model, and how it chose.",
    "replay": "Count the draws of a story that come out the same again.",
    "prepare": "Turn stories into tokens to train on.",
    "train": "Train a model, or go on training one.",
    "learn": "Make a model of your own stories.",
    "runs": "List the training runs, or show one.",
    "eval": "Measure models on held-out stories and on what they write.",
    "models": "List the models at hand.",
    "import": "Take in a model of another program, or from the hub.",
    "export": "Copy a model, smaller or for other programs.",
    "paths": "Show where stories, models and settings live.",
}
"""Every command and its one-line help; the module of the same name in this package has it."""

WITHOUT_OUTPUT = {"tui", "train"}
"""Commands that write nothing to standard output, or see themselves what it is."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mgpt_tui.cli.{cmd_name}_command")
        command: click.Command = module.command
        command.short_help = COMMANDS[cmd_name]
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Options of the app (`mgpt-tui --model X`) go to it without its name being typed.
        own = {"--help", "-h", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["tui", *args]
        if sys.stdout is None and args[0] not in WITHOUT_OUTPUT:  # closed by the shell
            raise UserError(
                "Standard output is closed.", "Send it somewhere, if only to /dev/null."
            )
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mgpt-tui")
def cli() -> None:
    """Write tiny stories together with a small GPT that runs on your own machine.

    Without a command, the full-screen app opens. `mgpt-tui COMMAND --help` tells more.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 bad input (one clear message), 130 Ctrl-C."""
    if arguments is None:
        in_utf8()
    open_streams()
    try:
        code = _run(arguments)
        flush_streams()
    except OutputError as failure:
        with suppress(OutputError):  # nobody may be left to read it
            if failure.code != EXIT_BROKEN_PIPE:
                say(f"mgpt-tui: {failure}", error=True)
        code = failure.code
    sys.exit(code)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does: what it has begun is cleared away.

    An exception that a signal raises can be lost: Python's own compiler swallows one that
    reaches it while a module is read. So such a command ends with the signal's code as well,
    and says nothing more, when it comes to its end.
    """
    asked: list[int] = []

    def end(number: int, frame: FrameType | None) -> NoReturn:
        asked.append(number)
        sys.exit(128 + number)

    former = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                former[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in former.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)
        if asked:
            sys.exit(128 + asked[0])


def _run(arguments: list[str] | None) -> int:
    """Run a command and report what goes wrong in it; its exit code.

    Raises:
        OutputError: where nothing more can be printed.
    """
    try:
        with _ended_by_signals(), checked_output():  # click prints help by itself
            code = cli.main(args=arguments, prog_name="mgpt-tui", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UserError as error:
        _let_the_first_report()
        return _reported(error)
    except click.ClickException as error:
        _let_the_first_report()
        message = io.StringIO()
        error.show(message)
        say(message.getvalue(), error=True, end="")
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    except UnicodeEncodeError as error:  # of a file's name, say
        return _reported(
            UserError(
                f"{error.object!r} cannot be written in {error.encoding}.",
                "Set PYTHONUTF8=1, or LC_ALL to a locale with UTF-8.",
            )
        )
    except BaseException as error:  # of Rust's, too
        if is_lack_of_memory(error):
            return _reported(OutOfMemory())
        if not isinstance(error, OSError):
            raise
        from mgpt_tui.files import os_error

        return _reported(os_error(error))


def _let_the_first_report() -> None:
    """Where torchrun has started many processes on the same bad words, one complaint is enough.

    It comes from the first of them; its end makes torchrun end the others while they wait here.
    """
    if os.environ.get("RANK", "0") != "0":
        time.sleep(30)  # two of them may start that far apart where a machine is busy


def fail(error: UserError) -> NoReturn:
    """Print what is wrong and its remedy on standard error and exit with code 2."""
    sys.exit(_reported(error))


def _reported(error: UserError) -> int:
    """Print what is wrong and its remedy on standard error; the exit code."""
    with suppress(OutputError):
        say(f"mgpt-tui: {error}", error=True)
    return 2
