"""How the folders that `prepare` makes are known, so that no source ever reads them.

Prepared data is laid out as `training.data.prepared` says, a work folder as
`training.data.work_folder` does.
"""

from __future__ import annotations

from pathlib import Path

from mgpt_tui.model.manifest import TOKENIZER_FILE

META_FILE = "meta.json"
SPLITS = ("train", "val")
LABEL = "README.txt"
LABEL_BEGIN = "`mgpt-tui prepare` keeps here what it has done."


def split_file(split: str) -> str:
    """Name of the file that holds the tokens of `split`."""
    return f"{split}.bin"


FILES = (*map(split_file, SPLITS), TOKENIZER_FILE)
"""All files of prepared data but `meta.json`, which is written last."""


def is_own_folder(folder: Path) -> bool:
    """Whether `prepare` made a folder: prepared data, or where it works on such."""
    is_data = all((folder / name).exists() for name in (*FILES, META_FILE))
    return is_data or is_work_folder(folder)


def is_work_folder(folder: Path) -> bool:
    """Whether a folder is one of prepare's."""
    label = folder / LABEL
    try:
        if not label.is_file():  # a pipe would never end
            return False
        with label.open("rb") as stream:
            return stream.read(len(LABEL_BEGIN)) == LABEL_BEGIN.encode()
    except OSError:
        return False
