"""From what was named to a model among those here: which kind of thing it is, and its name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.family.importing import from_hub, gguf_file, hugging_face, torch_file
from mgpt_tui.family.importing.foreign import Foreign
from mgpt_tui.family.importing.from_hub import Told
from mgpt_tui.family.importing.vocabulary import Vocabulary, beside, read_vocabulary
from mgpt_tui.files import Taken, atomic_folder, exists
from mgpt_tui.model.contents import read_contents
from mgpt_tui.model.manifest import CheckpointInfo
from mgpt_tui.model.registry import find_model, run_folder
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.paths import expanded

NANOGPT_FILE = "ckpt.pt"
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What is to be imported, and how.

    Attributes:
        source: a file, a folder, or OWNER/NAME[@REVISION] on the hub.
        name: of the model here; None takes the source's.
        weights: storage format, one of `manifest.WEIGHT_FORMATS`.
        n_head: heads in a layer, where the file does not say.
        tokenizer: a model here, or a folder or file with a tokenizer; None takes the source's.
    """

    source: str
    name: str | None = None
    weights: str = "fp32"
    n_head: int | None = None
    tokenizer: str | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """A model that is here now: as `--model` takes it, its folder, and what it says of itself."""

    name: str
    folder: Path
    info: CheckpointInfo


def import_model(request: ImportRequest, told: Told) -> Imported:
    """Take a model in; it is whole or not there.

    Args:
        request: what to import.
        told: hears how a download goes on.

    Raises:
        UserError: where the source is none, is of another architecture, damaged, or does not fit
            its own config; where the name is taken, or memory, disk or network do not suffice.
    """
    folder = run_folder(_name_of(request.source) if request.name is None else request.name)
    if exists(folder):
        raise Taken(f"There is a model or a run {folder.name} already.", "Give another --name.")
    vocabulary = None if request.tokenizer is None else _vocabulary(request.tokenizer)
    foreign = _found(request, vocabulary, told)
    heads = foreign.config.n_head
    if request.n_head not in (None, heads):
        raise UserError(f"{foreign.source} has {heads} heads a layer.", "Leave out --n-head.")
    with atomic_folder(folder) as temporary:
        info = foreign.save(temporary, request.weights)
    return Imported(folder.name, folder, info)


def _name_of(source: str) -> str:
    """A name for what was not given one: that of the file, the folder, or on the hub."""
    if not expanded(source).exists() and (there := from_hub.NAME.fullmatch(source)):
        return there["name"].partition("/")[2]
    path = expanded(source).absolute()
    known = path.name in (NANOGPT_FILE, "best_model_params.pt") or not path.stem
    name = path.parent.name if known else path.name if path.is_dir() else path.stem
    return _NOT_IN_NAMES.sub("-", name).lstrip("._-")[:64] or "imported"


def _found(request: ImportRequest, vocabulary: Vocabulary | None, told: Told) -> Foreign:
    path = expanded(request.source)
    there = from_hub.NAME.fullmatch(request.source)
    if path.exists() or there is None:
        return _at(path, request.n_head, vocabulary)
    fetched = from_hub.fetch(there["name"], there["revision"], told)
    origin = {"source": there["name"], "revision": fetched.commit}
    return hugging_face.read_folder(fetched.folder, origin, vocabulary)


def _at(path: Path, n_head: int | None, vocabulary: Vocabulary | None) -> Foreign:
    origin: dict[str, Any] = {"source": str(path.absolute())}
    if path.is_dir():
        if (path / hugging_face.CONFIG_FILE).exists():
            return hugging_face.read_folder(path, origin, vocabulary)
        if (path / NANOGPT_FILE).exists():
            return torch_file.read_file(path / NANOGPT_FILE, origin, n_head, vocabulary)
        raise UserError(
            f"{path} holds no model: it has neither {hugging_face.CONFIG_FILE} nor {NANOGPT_FILE}.",
            "Name the file of a model, or a folder of Hugging Face's.",
        )
    if not path.exists():
        raise UserError(
            f"There is no {path}.", "Name a file, a folder, or OWNER/NAME on the Hugging Face hub."
        )
    if path.suffix == ".safetensors":
        raise UserError(f"{path} are weights alone.", "Name the folder that has its config.json.")
    if gguf_file.is_gguf(path):
        return gguf_file.read_file(path, origin, vocabulary)
    return torch_file.read_file(path, origin, n_head, vocabulary)


def _vocabulary(name: str) -> Vocabulary:
    """The tokenizer that was named: gpt2, a file, a folder, or a model's here."""
    if name == "gpt2":
        return Vocabulary.of(Tokenizer.gpt2())
    path = expanded(name)
    if path.is_file():
        return read_vocabulary(path)
    found = beside(path) if path.is_dir() and not _is_ours(path) else None
    return found or Vocabulary.of(read_contents(find_model(name).path).tokenizer)


def _is_ours(folder: Path) -> bool:
    """Whether a folder is a checkpoint, whose config states the split pattern."""
    return (folder / "tokenizer.tiktoken").exists() and (folder / "config.json").exists()
