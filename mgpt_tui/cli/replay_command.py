"""`mgpt-tui replay`: whether a model would write a story's passages again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mgpt_tui.cli.given.inputs import model_for
from mgpt_tui.cli.given.options import given, setting_options
from mgpt_tui.console import say
from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import AUTO, DecodingSettings, Until, noted
from mgpt_tui.model.registry import ModelEntry
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Author, Span, Story

if TYPE_CHECKING:
    from mgpt_tui.inference.engine import Engine
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
    the text before it are; passages of another model are named, not tried. The model is run as it
    was when it wrote them, where it can be here, else as in the app, unless the options say
    otherwise.
    """
    decoding = DecodingSettings(**given(options))
    library = StoryLibrary()
    opened, _ = library.open(library.locate(story))
    if not any(span.tokens for span in opened.spans):
        raise UserError("The story has no passage that a model wrote.", "Choose another story.")
    entry = model_for(opened, model)

    engines = _Engines(entry, decoding)
    passages = [_replayed(opened, start, span, engines) for start, span in _passages(opened)]
    summed = _summed(story, entry, engines, passages)
    if as_json:
        say(json.dumps(summed, indent=2))
        return
    for number, passage in enumerate(passages, 1):
        say(f"{number:>3}  {_line(passage)}")
    how = f", with {summed['decoding']}" if summed["decoding"] else ""
    say(f"{summed['same']:,} of {summed['draws']:,} draws are the same{how}.")


class _Engines:
    """The model, run in each way that a passage asks for.

    Args:
        entry: the model.
        asked: how to run it; what is `AUTO` there is as a passage says.

    Attributes:
        info: what the checkpoint says of itself.
    """

    def __init__(self, entry: ModelEntry, asked: DecodingSettings) -> None:
        from mgpt_tui.model.contents import read_contents

        self._contents, self._asked = read_contents(entry.path), asked
        self._loaded: dict[str, Loaded] = {}
        self._decodings = dict[str, None]()  # in the order in which they came
        self.info = self._contents.info

    def for_passage(self, span: Span) -> Engine:
        """The one in the precision that wrote it, if it is to be had here, and as it was muted.

        Raises:
            UserError: where the model lacks what was muted.
        """
        from mgpt_tui.inference.decoders.precisions import CPU, is_available
        from mgpt_tui.inference.loading import FOR_THE_SCREEN, engine_of

        precision, wrote = self._asked.precision, span.decoding.partition(" ")[0]
        if precision == AUTO and is_available(wrote, CPU):
            precision = wrote
        if precision not in self._loaded:
            settings = replace(self._asked, precision=precision)
            loaded = engine_of(self._contents, settings, spare_cores=FOR_THE_SCREEN)
            self._loaded[precision] = loaded
        loaded = self._loaded[precision]
        self._decodings[loaded.muted_decoding if span.muted else loaded.decoding] = None
        if not span.muted:
            return loaded.engine
        from mgpt_tui.inference.inspector import Inspector
        from mgpt_tui.inference.muting import muted_engine

        inspector = Inspector(loaded.open_decoder, loaded.engine.tokenizer)
        return muted_engine(loaded.engine, inspector, span.muted)

    @property
    def decoding(self) -> str:
        """All ways in which it was run, in words."""
        return "; ".join(self._decodings)


def _passages(story: Story) -> Iterator[tuple[int, Span]]:
    """The passages with recorded tokens, and the character where each begins."""
    start = 0
    for span in story.spans:
        if span.author is Author.MODEL and span.tokens:
            yield start, span
        start += len(span.text)


def _replayed(story: Story, start: int, span: Span, engines: _Engines) -> Passage:
    """How a passage's draws come out; `same` is None, and `why` says so, where none was tried."""
    fingerprints = engines.info.fingerprints
    passage: Passage = {
        "text": span.text,
        "model": span.model,
        "decoding": span.decoding,
        "muted": span.muted,
        "note": span.note,
        "seed": span.seed,
        "draws": len(span.tokens),
        "same": None,
        "why": "",
    }
    if span.fingerprint not in fingerprints:
        return passage | {"why": f"another model wrote it: {span.model or 'unknown'}"}
    if span.seed is None or span.settings is None:
        return passage | {"why": "it was chosen by hand, or what is before it was edited"}
    from mgpt_tui.inference.replay import replay

    context = noted(span.note, story.context(fingerprints, start))
    lead = span.text[: span.lead]
    engine = engines.for_passage(span)
    until = Until(span.until)
    same = replay(engine, context, lead, span.tokens, span.settings, span.seed, until)
    return passage | {"same": same}


def _line(passage: Passage) -> str:
    words = " ".join(passage["text"].split())
    words = words if len(words) <= 40 else f"{words[:39]}…"
    if passage["same"] is None:
        return f"not tried, {passage['why']} · {words}"
    return f"{passage['same']} of {passage['draws']} the same, seed {passage['seed']} · {words}"


def _summed(story: str, entry: ModelEntry, engines: _Engines, passages: list[Passage]) -> Passage:
    tried = [passage for passage in passages if passage["same"] is not None]
    return {
        "story": story,
        "model": entry.name,
        "fingerprint": engines.info.fingerprint,
        "decoding": engines.decoding,
        "draws": sum(passage["draws"] for passage in tried),
        "same": sum(passage["same"] for passage in tried),
        "passages": passages,
    }
