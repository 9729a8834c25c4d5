"""The command line: one module a command, imported when it is called.

`mgpt-tui --help` lists the commands from `COMMANDS` without importing any of them, which keeps
torch, textual and datasets out of it.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import time
from typing import NoReturn

import click

from mgpt_tui import __version__
from mgpt_tui.errors import UserError
from mgpt_tui.text import clean_text

COMMANDS = {
    "tui": "Open the full-screen app (the default command).",
    "generate": "Write a story to standard output.",
    "stories": "List the saved stories; show, search, export, rename, delete them.",
    "replay": "Count the draws of a story that come out the same again.",
    "prepare": "Turn stories into tokens to train on.",
    "train": "Train a model, or go on training one.",
    "runs": "List the training runs, or show one.",
    "eval": "Measure models on held-out stories and on what they write.",
    "models": "List the models at hand.",
    "export": "Copy a checkpoint in a smaller weight format.",
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
    try:
        code = cli.main(args=arguments, prog_name="mgpt-tui", standalone_mode=False)
        if sys.stdout is not None:  # closed by the shell
            sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except UserError as error:
        _let_the_first_tell()
        fail(error)
    except click.ClickException as error:
        _let_the_first_tell()
        told = io.StringIO()
        error.show(told)
        click.echo(clean_text(told.getvalue()), nl=False, err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader (`| head`) left; close stdout quietly so that Python does not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as os_failure:
        from mgpt_tui.files import os_error

        fail(os_error(os_failure))


def _let_the_first_tell() -> None:
    """Where torchrun has started many processes on the same bad words, one complaint is enough.

    It comes from the first of them; its end makes torchrun end the others while they wait here.
    """
    if os.environ.get("RANK", "0") != "0":
        time.sleep(5)


def fail(error: UserError) -> NoReturn:
    """Print what is wrong and its remedy on standard error and exit with code 2."""
    click.echo(f"mgpt-tui: {clean_text(str(error))}", err=True)
    sys.exit(2)
