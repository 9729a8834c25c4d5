"""`mgpt-tui inspect`: the numbers behind every word of a text."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import shorten
from typing import Any

import click

from mgpt_tui import paths
from mgpt_tui.cli.given.inputs import model_for, read_prompt
from mgpt_tui.cli.given.options import PathType, SettingType, given, setting_options
from mgpt_tui.console import say
from mgpt_tui.cores import cores
from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.names import parse_parts
from mgpt_tui.inference.request import AUTO, NATIVE, ContextPart, DecodingSettings
from mgpt_tui.model.registry import find_model
from mgpt_tui.settings_fields import Declared, Limits
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from mgpt_tui.text import one_line

TOKEN = Declared(
    "token",
    int,
    True,
    None,
    Limits(help="ask how token N of the text was chosen, not what could come next", minimum=1),
)
TOP = Declared(
    "top", int, False, 5, Limits(help="how many guesses of each station to tell of", minimum=1)
)
SEED = Declared(
    "seed", int, False, 1, Limits(help="with --run: the seed of what is written", minimum=0)
)
READABLE = "fp32"
"""The precision of the readable model."""


@click.command()
@click.argument("story", required=False)
@click.option(
    "--prompt",
    metavar="TEXT",
    help="The text itself; `-`, or a pipe, takes it from standard input.",
)
@click.option(
    "--model",
    metavar="NAME_OR_PATH",
    help="Model to look into; the one that wrote last if left out, or the embedded one.",
)
@click.option(
    "--run",
    metavar="NAME",
    help="See a run grow up: for each checkpoint that it kept, what it writes, how surprising a "
    "text is to it, and the kinds of its heads.",
)
@click.option(
    SEED.flag,
    type=SettingType(SEED),
    default=SEED.default,
    show_default=True,
    help=SEED.limits.help,
)
@click.option(TOKEN.flag, type=SettingType(TOKEN), help=TOKEN.limits.help)
@click.option(
    "--target",
    metavar="TEXT",
    help="The token whose chance and logit to tell; if left out token N, or the likeliest.",
)
@click.option(
    "--mute",
    metavar="PARTS",
    help="Switch off heads (L2H3), attention (A2), MLPs (M4), layers (L2), neurons (N4.77), with "
    "commas between.",
)
@click.option(
    "--mute-by",
    type=click.Choice(["zero", "mean"]),
    default="zero",
    show_default=True,
    help="What stands in their place: nothing, or their mean over the stories that the package "
    "ships.",
)
@click.option(
    TOP.flag,
    type=SettingType(TOP),
    default=TOP.default,
    show_default=True,
    help=TOP.limits.help,
)
@setting_options(DecodingSettings)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every number.")
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=PathType(),
    help="Write a page on which the text can be pointed at, in place of tables.",
)
def command(
    story: str | None,
    prompt: str | None,
    model: str | None,
    run: str | None,
    seed: int,
    token: int | None,
    target: str | None,
    mute: str | None,
    mute_by: str,
    top: int,
    as_json: bool,
    page: Path | None,
    **options: Any,
) -> None:
    """Show how surprising each token of a text is to a model, and how one was chosen.

    STORY is the name of a saved story or the path of its .json. The text is read as it stands, to
    its last character. What is told of the choice: the model's guess after each part, what every
    head looked at, what the logit is the sum of, and the strongest neurons.
    """
    decoding = _decoding(DecodingSettings(**given(options)))
    if run is not None:
        others = (story, model, token, target, mute, page)
        if any(other is not None for other in others):
            raise UserError(
                "A run is looked at by itself.", "Give --prompt, --seed and --json beside --run."
            )
        from mgpt_tui.cli.inspecting.growing import show_run

        show_run(run, read_prompt(prompt or ""), seed, decoding, as_json=as_json)
        return
    page = None if page is None else _page(page)
    opened = _opened(story, prompt)
    text = "" if opened is not None else read_prompt(prompt)
    if not (text if opened is None else opened.text):
        raise UserError("There is no text to look into.", "Name a saved story, or give --prompt.")
    entry = find_model(model) if opened is None else model_for(opened, model)

    from mgpt_tui.inference.loading import load_engine

    loaded = load_engine(entry.path, decoding)
    context: tuple[ContextPart, ...] = (text,)
    if opened is not None:
        context = opened.context(loaded.info.fingerprints)

    from mgpt_tui.cli.inspecting.subject import Subject

    subject = Subject(
        model=entry.name,
        loaded=loaded,
        precision=decoding.precision,
        tokens=loaded.engine.encode(context),
        token=token,
        target=None if target is None else loaded.engine.tokenizer.one_token(target),
        mute=() if mute is None else parse_parts(mute, loaded.engine.config),
        mute_by=mute_by,
        top=top,
    )
    subject.inspector().read(subject.tokens).check(token)
    if page is not None:
        from mgpt_tui.cli.inspecting.as_page import write_page

        write_page(subject, page, shorten(one_line(story or text), 60, placeholder=" …"))
        say(f"Written: {page}", error=as_json)
    if as_json:
        from mgpt_tui.cli.inspecting.as_json import report

        say(json.dumps(report(subject)))
    elif page is None:
        from mgpt_tui.cli.inspecting.as_tables import print_tables

        print_tables(subject)


def _opened(name: str | None, prompt: str | None) -> Story | None:
    """The story of this name; None where there is none to open."""
    if name is None:
        return None
    if prompt is not None:
        raise UserError("A story and a prompt are one too many.", "Leave one of them out.")
    library = StoryLibrary()
    story, _ = library.open(library.locate(name))
    return story


def _page(asked: Path) -> Path:
    """Where to write a page; one that is there is replaced, and nothing else."""
    if asked.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{asked} is no name for a page.", "Give --html FILE.html.")
    page = paths.expanded(asked)
    if not page.parent.is_dir():
        raise UserError(f"{page.parent} is no folder.", "Make it, or name another place.")
    return page


def _decoding(asked: DecodingSettings) -> DecodingSettings:
    """How to run a model that is looked into.

    Raises:
        UserError: where it cannot be looked into when it runs so.
    """
    from mgpt_tui.inference.decoders.compiling import is_available

    precision = asked.precision
    if precision == AUTO:
        precision = NATIVE if is_available() else READABLE
    if precision not in (NATIVE, READABLE):
        raise UserError(
            f"A model that runs in {precision} cannot be looked into.",
            f"Give --precision {NATIVE} or {READABLE}.",
        )
    return DecodingSettings(precision=precision, threads=asked.threads or cores())
