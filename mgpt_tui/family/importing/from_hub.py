"""A model's files from the Hugging Face hub, into its client's own cache."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mgpt_tui.errors import UserError
from mgpt_tui.family.importing.hugging_face import CONFIG_FILE
from mgpt_tui.family.importing.weights_files import FILES, INDEX
from mgpt_tui.files import os_error
from mgpt_tui.hub import NotFromTheHub, look_up, problem
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
        raise _refused(name, str(error)) from None
    commit = info.sha or revision or "main"
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    wanted = _wanted(name, sizes)
    total = sum(sizes[file] for file in wanted)
    _check_room(name, total)
    paths = _downloaded(name, commit, wanted, total, told)
    return Fetched(paths[0].parent, commit)


def _wanted(name: str, sizes: Mapping[str, int]) -> list[str]:
    """The files to fetch: config, tokenizer, and weights of one form."""
    if CONFIG_FILE not in sizes:
        raise _refused(name, f"it has no {CONFIG_FILE}")
    tokenizer = next((files for files in TOKENIZERS if set(files) <= sizes.keys()), ())
    for file in FILES:
        stem, _, end = file.rpartition(".")
        shard = re.compile(rf"{re.escape(stem)}-\d+-of-\d+\.{end}")
        if file in sizes:
            return [CONFIG_FILE, *tokenizer, file]
        if file + INDEX in sizes:
            shards = sorted(other for other in sizes if shard.fullmatch(other))
            return [CONFIG_FILE, *tokenizer, file + INDEX, *shards]
    raise _refused(name, f"it has no weights as {' or '.join(FILES)}")


def _check_room(name: str, total: int) -> None:
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(HF_HUB_CACHE)
    there = next((path for path in (place, *place.parents) if path.exists()), None)
    if there is not None and shutil.disk_usage(there).free < total:
        raise UserError(
            f"{name} has {total / 1e6:,.0f} MB, and there is no room for them in {place}.",
            "Free some space, or let HF_HOME name a folder elsewhere.",
        )


def _downloaded(name: str, commit: str, files: list[str], total: int, told: Told) -> list[Path]:
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

    paths = []
    for file in files:
        try:
            path = hf_hub_download(name, file, revision=commit, tqdm_class=Bar)
        except Exception as error:  # the hub's client raises errors of many libraries
            if is_lack_of_memory(error):
                raise
            if isinstance(error, OSError) and error.errno is not None:
                raise os_error(error) from None
            raise _refused(name, f"{file}: {problem(error)}") from None
        paths.append(Path(path))
    return paths


def _refused(name: str, reason: str) -> UserError:
    return UserError(
        f"{name} is no file or folder here, and cannot be had from the hub: {reason}.",
        "Check the name and the network; or fetch its files and give their folder.",
    )
