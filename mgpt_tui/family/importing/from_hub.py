"""A model's files from the Hugging Face hub, into its client's own cache."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mgpt_tui.errors import UserError
from mgpt_tui.family.importing.hugging_face import CONFIG_FILE
from mgpt_tui.family.importing.weights_files import FILES, INDEX, shards
from mgpt_tui.files import os_error
from mgpt_tui.hub import NotFromTheHub, NotReached, look_up, problem
from mgpt_tui.memory import is_lack_of_memory

NAME = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
"""OWNER/NAME, or OWNER/NAME@REVISION."""

TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
"""The first that a repository has is fetched."""

Told = Callable[[int, int], None]
"""Hears how many bytes have come, of how many."""


class Fetched(NamedTuple):
    """A repository's files, as far as they are needed.

    Attributes:
        folder: where they are.
        commit: of the repository.
    """

    folder: Path
    commit: str


def fetch(name: str, revision: str | None, told: Told) -> Fetched:
    """Fetch the files of a model, as far as they are not here already.

    Without a network, those that are here are taken where nothing is missing.

    Args:
        name: owner/name.
        revision: a branch, tag or commit; None for the main branch.
        told: hears how it goes on.

    Raises:
        UserError: where there is no such model, it has not these files, the network or the disk
            does not suffice.
    """
    try:
        info = look_up(name, "model", revision)
    except NotFromTheHub as error:
        here = _here(name, revision) if isinstance(error, NotReached) else None
        if here is None:
            raise _refused(name, error) from None
        return here
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    wanted = _wanted(name, sizes)
    missing = [file for file in wanted if _cached(name, file, info.sha) is None]
    total = sum(sizes[file] for file in missing)
    _check_room(name, total)
    folder = _downloaded(name, revision, wanted, total, told)
    return Fetched(folder, folder.name)


def _here(name: str, revision: str | None) -> Fetched | None:
    """The files that were fetched before, if all that are needed are there."""
    config = _cached(name, CONFIG_FILE, revision)
    if config is None:
        return None
    folder = config.parent
    names = {path.name for path in folder.iterdir() if path.exists()}
    has_tokenizer = any(set(files) <= names for files in TOKENIZERS)
    index = next((file + INDEX for file in FILES if file + INDEX in names), None)
    whole = any(file in names for file in FILES)
    if not whole and index is not None:
        whole = all(shard.name in names for shard in shards(folder / index))
    return Fetched(folder, folder.name) if has_tokenizer and whole else None


def _cached(name: str, file: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(name, file, revision=revision)
    except ValueError:  # no repository can have that name
        return None
    return Path(found) if isinstance(found, str) else None


def _wanted(name: str, sizes: Mapping[str, int]) -> list[str]:
    """The files to fetch: config, tokenizer, and weights of one form."""
    if CONFIG_FILE not in sizes:
        raise _refused(name, NotFromTheHub(f"it has no {CONFIG_FILE}", "Take another model"))
    tokenizer = next((files for files in TOKENIZERS if set(files) <= sizes.keys()), ())
    for file in FILES:
        stem, _, end = file.rpartition(".")
        shard = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.{end}")
        if file in sizes:
            return [CONFIG_FILE, *tokenizer, file]
        if file + INDEX in sizes:
            parts = sorted(other for other in sizes if shard.fullmatch(other))
            return [CONFIG_FILE, *tokenizer, file + INDEX, *parts]
    reason = f"it has no weights as {' or '.join(FILES)}"
    raise _refused(name, NotFromTheHub(reason, "Take another model"))


def _check_room(name: str, total: int) -> None:
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(HF_HUB_CACHE)
    there = next((path for path in (place, *place.parents) if path.exists()), None)
    if there is not None and shutil.disk_usage(there).free < total:
        raise UserError(
            f"{name} has {total / 1e6:,.0f} MB, and there is no room for them in {place}.",
            "Free some space, or let HF_HOME name a folder elsewhere.",
        )


def _downloaded(name: str, revision: str | None, files: list[str], total: int, told: Told) -> Path:
    """The folder of the commit with these files.

    The first is asked for by the revision's name, so that the name leads to the commit without a
    network, too.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import tqdm

    come = 0

    class Bar(tqdm):
        """Draws nothing, and tells what it is told."""

        def __init__(self, *args: Any, initial: int = 0, **settings: Any) -> None:
            super().__init__(*args, **settings | {"disable": True})  # type: ignore[no-untyped-call]
            self.update(initial)

        def update(self, n: float | None = 1) -> None:
            nonlocal come
            come += int(n or 0)
            told(come, total)

    folder: Path | None = None
    for file in files:
        commit = folder.name if folder is not None else revision
        try:
            path = hf_hub_download(name, file, revision=commit, tqdm_class=Bar)
        except Exception as error:  # the hub's client raises errors of many libraries
            if is_lack_of_memory(error):
                raise
            if isinstance(error, OSError) and error.errno is not None:
                raise os_error(error) from None
            found = problem(error)
            raise _refused(name, NotFromTheHub(f"{file}: {found}", found.remedy)) from None
        folder = folder or Path(path).parent
    assert folder is not None, "there is a config at least"
    return folder


def _refused(name: str, why: NotFromTheHub) -> UserError:
    return UserError(
        f"{name} is no file or folder here, and cannot be had from the hub: {why}.",
        f"{why.remedy}; or fetch its files and give their folder.",
    )
