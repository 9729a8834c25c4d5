"""`mgpt-tui replay`: whether a model would write a story's passages again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from mgpt_tui.cli.options import given, setting_options
from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import DecodingSettings
from mgpt_tui.model.registry import ModelEntry, find_model
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Author, Span, Story

if TYPE_CHECKING:
    from mgpt_tui.inference.loading import Loaded

Passage = dict[str, Any]


@click.command()
@click.argument("story")
@click.option(
    "--model",
    metavar="NAME_OR_PATH",
    help="Model to replay with; the one that wrote last if left out, or the embedded one.",
)
@setting_options(DecodingSettings)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(story: str, model: str | None, as_json: bool, **options: Any) -> None:
    """Feed the recorded tokens of STORY to the model and count the draws that come out the same.

    STORY is the name of a saved story or the path of its .json. A passage is one generation. Its
    draws are the same where the model, its precision, the machine's arithmetic, the settings and
    the text before it are; passages of another model are told, not tried. The model is run as in
    the app, unless told otherwise.
    """
    decoding = DecodingSettings(**given(options))
    library = StoryLibrary()
    told, _ = library.open(library.locate(story))
    if not any(span.tokens for span in told.spans):
        raise UserError("The story has no passage that a model wrote.", "Choose another story.")
    entry = _model_for(told, model)

    from mgpt_tui.inference.loading import FOR_THE_SCREEN, load_engine

    loaded = load_engine(entry.path, decoding, spare_cores=FOR_THE_SCREEN)
    passages = [_replayed(told, start, span, loaded) for start, span in _passages(told)]
    if as_json:
        click.echo(json.dumps(_summed(story, entry, loaded, passages), indent=2))
        return
    for number, passage in enumerate(passages, 1):
        click.echo(f"{number:>3}  {_line(passage)}")
    tried = [passage for passage in passages if passage["same"] is not None]
    same, draws = (sum(passage[name] for passage in tried) for name in ("same", "draws"))
    click.echo(f"{same:,} of {draws:,} draws are the same, with {loaded.decoding}.")


def _model_for(story: Story, name: str | None) -> ModelEntry:
    """The model that was asked for, the one that wrote last, or the embedded one."""
    if name is not None:
        return find_model(name)
    wrote = [span.model for span in story.spans if span.tokens and span.model]
    try:
        return find_model(wrote[-1] if wrote else None)
    except UserError:  # it is gone
        return find_model(None)


def _passages(story: Story) -> Iterator[tuple[int, Span]]:
    """What models wrote, as far as tokens tell of it, and the character where each begins."""
    start = 0
    for span in story.spans:
        if span.author is Author.MODEL and span.tokens:
            yield start, span
        start += len(span.text)


def _replayed(story: Story, start: int, span: Span, loaded: Loaded) -> Passage:
    """How a passage's draws come out; `same` is None, and `why` says so, where none was tried."""
    fingerprint = loaded.info.fingerprint
    passage: Passage = {
        "text": span.text,
        "model": span.model,
        "decoding": span.decoding,
        "seed": span.seed,
        "draws": len(span.tokens),
        "same": None,
        "why": "",
    }
    if span.fingerprint != fingerprint:
        return passage | {"why": f"another model wrote it: {span.model or 'unknown'}"}
    if span.seed is None or span.settings is None:
        return passage | {"why": "it was chosen by hand, or what is before it was edited"}
    context, lead = story.context(fingerprint, start), span.text[: span.lead]
    same = loaded.engine.replay(context, lead, span.tokens, span.settings, span.seed)
    return passage | {"same": same}


def _line(passage: Passage) -> str:
    words = " ".join(passage["text"].split())
    words = words if len(words) <= 40 else f"{words[:39]}…"
    if passage["same"] is None:
        return f"not tried, {passage['why']} · {words}"
    return f"{passage['same']} of {passage['draws']} the same, seed {passage['seed']} · {words}"


def _summed(story: str, entry: ModelEntry, loaded: Loaded, passages: list[Passage]) -> Passage:
    tried = [passage for passage in passages if passage["same"] is not None]
    return {
        "story": story,
        "model": entry.name,
        "fingerprint": loaded.info.fingerprint,
        "decoding": loaded.decoding,
        "draws": sum(passage["draws"] for passage in tried),
        "same": sum(passage["same"] for passage in tried),
        "passages": passages,
    }
