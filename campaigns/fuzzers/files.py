"""What the app's and the models' folders hold, damaged: stories, settings, checkpoints, imports."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from damage import TEXTS, damaged, damaged_text, json_bytes, odd, odd_file, odd_json, told

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.lines import decode, encode
from mgpt_tui.inference.process.messages import Generate
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.model.manifest import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    fingerprints,
    read_info,
)
from mgpt_tui.model.split_pattern import GPT2_PATTERN
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.reading import checked
from mgpt_tui.settings import Settings, check_settings, save_settings, settings_file
from mgpt_tui.stories import journal
from mgpt_tui.stories.changes import changes
from mgpt_tui.stories.claims import is_mere_claim
from mgpt_tui.stories.documents import FILES as STORY_FILES
from mgpt_tui.stories.documents import journal_of
from mgpt_tui.stories.formats import SUFFIXES, from_json, render, to_json
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.stories.shelf.imports import imported
from mgpt_tui.stories.story import Maker, Story


def put(path: Path, content: bytes) -> None:
    """Write a part of the input."""
    told(content)
    path.write_bytes(content)


def emptied(name: str) -> Path:
    """An empty folder of that name among those that may be written to."""
    folder = paths.data_dir() / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# Stories.


@cache
def story() -> Story:
    """A story with all that a document can hold: versions, models' passages, an edit, a past."""
    maker = Maker(model="m", fingerprint="f" * 64, decoding="exactly")
    settings = SamplingSettings(top_k=7, stop=("END",), seed=3)
    told = Story(created="2026-01-01T00:00:00+00:00").named("Keys").write("A fox found a key.")
    for text in (" It was old\u00e9.", " It sang."):
        begun = told.begin(settings, maker, "word").extend("", seed=5)
        for at in range(0, len(text), 3):
            begun = begun.extend(text[at : at + 3], (at, at + 1) if at % 2 else (at,))
        told = begun.settle()
    told = told.retry(settings, maker).extend(" It hid", (9, 8), seed=6).settle()
    return told.edited(told.text.replace("old", "new")).undo()


@cache
def document() -> dict[str, Any]:
    """Its document, as JSON values."""
    content: dict[str, Any] = json.loads(to_json(story(), 2))
    return content


@cache
def lines() -> list[dict[str, Any]]:
    """A journal that goes on from it."""
    told, found = story(), [{"format": 1, "folds": 2}]
    for text in ("More", "Even more\u00e9", "The end."):
        after = told.write(text)
        found.append(changes(told, after))
        told = after
    found += [changes(told, told.undo()), changes(told.undo(), told.undo().named("Locks"))]
    return found


def used(told_story: Story) -> None:
    """Do with a story what the app does with it."""
    for suffix in SUFFIXES:
        render(told_story, suffix, told_story.title or "x")
    again, folds = from_json(to_json(told_story, 3), "again")
    assert (again, folds) == (told_story, 3), "a story that is saved comes back as another"
    for span in told_story.spans:
        request = Generate(1, told_story.context({span.fingerprint}), SamplingSettings())
        assert decode(encode(request)) == request, "a story that cannot be sent to the engine"
        Until(span.until)
        assert span.seed is None or 0 <= span.seed < 2**63
    _ = told_story.boundaries, told_story.text
    told_story.undo().redo()
    told_story.write("on").sibling(1)


def stories(draw: random.Random) -> None:
    """A document, in memory."""
    content = odd_file(draw, document())
    told(content)
    text = content.decode(errors=draw.choice(("replace", "surrogateescape")))
    used(from_json(text, "fuzz")[0])


def journals(draw: random.Random) -> None:
    """A journal, in memory."""
    records: list[Any] = list(lines())
    if draw.random() < 0.7:
        at = draw.randrange(len(records))
        records[at] = odd_json(draw, records[at])
    if draw.random() < 0.2:
        draw.shuffle(records)
    content = b"\n".join(json.dumps(record).encode() for record in records) + b"\n"
    if draw.random() < 0.4:
        content = damaged(draw, content)
    told(content)
    used(journal.replay(story(), journal.parse(content))[0])


def story_folders(draw: random.Random) -> None:
    """Stories on disk, through the library and the keeper."""
    folder = emptied("stories")
    library = StoryLibrary()
    name = draw.choice(("Keys", "Keys", "a b", "\u00e9", "-x", "nul"))
    path = folder / f"{name}.json"
    put(
        path, odd_file(draw, document()) if draw.random() < 0.7 else json.dumps(document()).encode()
    )
    if draw.random() < 0.7:
        text = b"\n".join(json.dumps(line).encode() for line in lines()) + b"\n"
        put(journal_of(path), damaged(draw, text) if draw.random() < 0.6 else text)
        if draw.random() < 0.2:
            path.unlink()
    library.unfinished()
    library.search(draw.choice(TEXTS)[:50])
    assert library.entries() or is_mere_claim(journal_of(path)), "a story is not listed"
    for act in draw.sample(ACTS, 2):
        if entries := library.entries():
            try:
                act(library, entries[0], draw)
            except UserError:
                continue
    for left in folder.iterdir():
        assert left.suffix in STORY_FILES or left.is_dir(), f"{left.name} is left over"


def _open(library: StoryLibrary, entry: Entry, draw: random.Random) -> None:
    keeper, told_story = Keeper.open(library, entry.path)
    keeper.keep(told_story.write("more"))
    keeper.close(told_story.write("more"))


def _rename(library: StoryLibrary, entry: Entry, draw: random.Random) -> None:
    library.rename(entry, draw.choice(TEXTS))


def _duplicate(library: StoryLibrary, entry: Entry, draw: random.Random) -> None:
    library.duplicate(entry, draw.choice(TEXTS))


def _delete(library: StoryLibrary, entry: Entry, draw: random.Random) -> None:
    library.delete(entry)
    library.restore(library.trashed(entry.name)[0])


def _read(library: StoryLibrary, entry: Entry, draw: random.Random) -> None:
    told_story, _ = library.open(library.locate(draw.choice((*TEXTS, "Keys"))))
    library.add(told_story, draw.choice(TEXTS))


ACTS = (_open, _rename, _duplicate, _delete, _read)


def imports(draw: random.Random) -> None:
    """A file of somebody's that is to become a story."""
    folder = emptied("imports")
    emptied("stories")
    suffix = draw.choice((".txt", ".md", ".json", ".TXT", ".docx"))
    text = damaged_text(draw, "# A title\n\nOnce upon a time,\nthere was a fox.\n")
    content = text.encode(draw.choice(("utf-8", "utf-16", "utf-8-sig")), "surrogatepass")
    if suffix == ".json":
        content = odd_file(draw, document())
    path = folder / (draw.choice(("a", "A title", "..b", "\u202ex")) + suffix)
    put(path, damaged(draw, content) if draw.random() < 0.3 else content)
    told_story, name = imported(path)
    used(told_story)
    assert name and "/" not in name
    if draw.random() < 0.3:
        StoryLibrary().import_text(path)


# Settings.


def settings(draw: random.Random) -> None:
    """settings.json, read and written anew."""
    remembered = Settings(
        sampling=SamplingSettings(stop=("a", "b"), seed=3, top_k=None),
        theme="nord",
        keys={"send": "ctrl+g", "undo": "f9,ctrl+shift+z"},
    )
    shutil.rmtree(paths.config_dir(), ignore_errors=True)
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    put(settings_file(), odd_file(draw, {"format": 1, **asdict(remembered)}))
    found, wrong = check_settings()
    assert all(isinstance(sentence, str) for sentence in wrong)
    if draw.random() < 0.3:
        save_settings(found)
        assert check_settings() == (found, ()), "settings that are saved come back as others"


def keys(draw: random.Random) -> None:
    """Keys in the settings."""
    from mgpt_tui.ui.keymap import check_keys
    from mgpt_tui.ui.keys import KEYS

    ids = [key.id for key in KEYS]
    names = ["f1", "ctrl+g", "alt+shift+left", "A", "enter", "ctrl+a,ctrl+b", "escape", "shift+f13"]
    changed = {}
    for _ in range(draw.randrange(1, 5)):
        name = draw.choice(names)
        key = draw.choice((name, damaged_text(draw, name), draw.choice(TEXTS)))
        changed[draw.choice((draw.choice(ids), draw.choice(TEXTS)))] = key
    told(repr(changed))
    changed = checked(changed)  # as settings.json is read
    kept, wrong = check_keys(changed)
    assert kept.keys() <= changed.keys()
    assert len(kept) + len(wrong) >= len(changed)
    assert check_keys(kept) == (kept, ()), "keys that were taken are not taken again"


# Models.


@cache
def parts() -> dict[str, bytes]:
    """The files of a small checkpoint."""
    import torch

    from mgpt_tui.model.checkpoint import save_checkpoint
    from mgpt_tui.model.config import SHAPES
    from mgpt_tui.model.gpt import GPT

    torch.set_num_threads(1)
    tokenizer = Tokenizer.gpt2().trimmed({}, 257)
    shape = replace(SHAPES["tiny"], vocab_size=257, block_size=8, n_embd=4, n_layer=1, n_head=2)
    model = GPT(shape, torch.Generator().manual_seed(0))
    folder = emptied("made")
    training = {"step": 3, "validation": {"loss": 1.0, "bits_per_byte": 0.5}, "settings": {}}
    save_checkpoint(folder, model, tokenizer, training)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def laid_out(changed: dict[str, bytes]) -> Path:
    """The small checkpoint on disk, some of its files changed."""
    folder = paths.data_dir() / "checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (parts() | changed).items():
        (folder / name).write_bytes(content)
    return folder


def checkpoint_configs(draw: random.Random) -> None:
    """config.json alone, as lists of models read it."""
    from mgpt_tui.model.registry import ModelEntry
    from mgpt_tui.model.summary import ModelSummary

    content = odd_file(draw, json.loads(parts()[CONFIG_FILE]))
    told(content)
    folder = laid_out({CONFIG_FILE: content})
    summary = ModelSummary.of(ModelEntry("m", folder))
    f"{summary.step or 0:,} {summary.tokens or 0:,} {summary.bits_per_byte or 0:.3f}"
    read_info(folder)


def checkpoints(draw: random.Random) -> None:
    """A checkpoint of which a file is damaged: it is told, or it is the same model."""
    import numpy as np

    from mgpt_tui.model.contents import read_contents, stated
    from mgpt_tui.model.weights import Weights

    name = draw.choice((CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE))
    content = damaged(draw, parts()[name])
    told(content)
    found = read_contents(laid_out({name: content}))
    said = json.loads(parts()[CONFIG_FILE])
    assert found.info.stated == said["model"]
    assert stated(found.tokenizer) == said["tokenizer"]
    want = Weights.parse(parts()[WEIGHTS_FILE])
    assert all(np.array_equal(found.weights[name], want[name]) for name in want)


def sealed_checkpoints(draw: random.Random) -> None:
    """A checkpoint that makes no sense though all its checksums match."""
    from mgpt_tui.model.checkpoint import load_checkpoint

    changed = dict(parts())
    config = json.loads(changed[CONFIG_FILE])
    weights = changed[WEIGHTS_FILE]
    match draw.randrange(4):
        case 0:
            config["model"] = odd_json(draw, config["model"])
        case 1:
            config["tokenizer"] = odd_json(draw, config["tokenizer"])
        case 2:
            changed[WEIGHTS_FILE] = damaged(draw, weights)
        case _:
            end = 8 + int.from_bytes(weights[:8], "little")
            header = json_bytes(draw, odd_json(draw, json.loads(weights[8:end])))
            changed[WEIGHTS_FILE] = len(header).to_bytes(8, "little") + header + weights[end:]
    config["format"] = draw.choice((1, 2))
    if isinstance(config["model"], dict) and isinstance(config["tokenizer"], dict):
        sealed = fingerprints(
            changed[WEIGHTS_FILE], changed[TOKENIZER_FILE], config["model"], config["tokenizer"]
        )
        config["fingerprint"] = sealed[config["format"]]
    changed[CONFIG_FILE] = json.dumps(config).encode()
    told(changed[CONFIG_FILE])
    told(changed[WEIGHTS_FILE])
    found = load_checkpoint(laid_out(changed))
    assert found.tokenizer.decode(found.tokenizer.encode("It's a fox.")) == "It's a fox."


def ranks(draw: random.Random) -> None:
    """The file of a vocabulary."""
    content = damaged(draw, parts()[TOKENIZER_FILE])
    told(content)
    Tokenizer.parse(content, Path("fuzz"))
    assert content == parts()[TOKENIZER_FILE], "a damaged vocabulary is taken"


def patterns(draw: random.Random) -> None:
    """A split pattern: refused, or no text is lost by it."""
    pattern = damaged_text(draw, draw.choice((GPT2_PATTERN, r"\w+|\s+|.", r"(?i)[a-z]+?|(\d)\1")))
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(pattern) + 1)
        put_in = draw.choice(("(", ")", "|", "*", "+", "?", "[", "]", "{2,}", "\\", "^", "$", "(?"))
        pattern = pattern[:at] + put_in + pattern[at:]
    told(pattern)
    text = damaged_text(draw, "It's  3 o'clock,\n\nthey'll say \u00e9\u4f60.  ")
    told(text)
    tokenizer = Tokenizer(_byte_ranks(), pattern)
    # Two halves that stand in their order are a character, one alone is none.
    want = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert tokenizer.decode(tokenizer.encode(text)) == want, "text is lost"


@cache
def _byte_ranks() -> dict[bytes, int]:
    return {bytes([byte]): byte for byte in range(256)}


def pointers(draw: random.Random) -> None:
    """What names the best and the last checkpoint of a run."""
    from mgpt_tui.model.registry import find_model, list_models

    run = paths.runs_dir() / "mine"
    if not run.exists():
        shutil.copytree(laid_out({}), run / "step-00000003")
    content = odd_file(draw, {"checkpoint": "step-00000003", "step": 3, "loss": 1.5})
    put(run / "best.json", content)
    (run / "last.json").write_bytes(content)
    for entry in list_models():
        assert entry.path.parent in (run, paths.assets_dir())
    find_model(draw.choice(("mine", "mine/best", f"mine/{draw.choice(TEXTS)}", draw.choice(TEXTS))))


def choices(draw: random.Random) -> None:
    """What is remembered of how to decode here, and the lines typed before."""
    from mgpt_tui.inference.decoders import tuning
    from mgpt_tui.ui.history import PromptHistory, history_file

    content = {"format": 3, "choices": {"KEY": {"precision": "int8", "threads": 1}}}
    for path in (tuning.choice_file(), history_file()):
        path.parent.mkdir(parents=True, exist_ok=True)
    put(tuning.choice_file(), odd_file(draw, content))
    put(history_file(), b"\n".join(json_bytes(draw, odd(draw)) for _ in range(3)) + b"\n")
    tuning._known()  # of which only what is possible is taken
    assert all(isinstance(line, str) for line in PromptHistory().lines)


def make_ready() -> None:
    """Make once what all processes can share."""
    _ = parts(), lines(), document()


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "stories": stories,
    "journals": journals,
    "story folders": story_folders,
    "imports": imports,
    "settings": settings,
    "keys": keys,
    "checkpoint configs": checkpoint_configs,
    "checkpoints": checkpoints,
    "sealed checkpoints": sealed_checkpoints,
    "ranks": ranks,
    "patterns": patterns,
    "pointers": pointers,
    "choices": choices,
}
