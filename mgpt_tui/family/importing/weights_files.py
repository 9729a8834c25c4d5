"""Weights in files of other programs: safetensors, in one or in shards, and PyTorch's pickles.

A pickle can run what its writer wants. `torch.load(weights_only=True)` builds tensors, numbers,
text and collections of these, and refuses everything else; there is no other way in here.
"""

from __future__ import annotations

import errno
import pickle
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.family.names import MASK
from mgpt_tui.files import os_error, stat_regular
from mgpt_tui.memory import OutOfMemory, is_lack_of_memory
from mgpt_tui.model.weights import Floats
from mgpt_tui.reading import read_json
from mgpt_tui.text import one_line

AGAIN = "Fetch it again, or take another model."
FILES = ("model.safetensors", "pytorch_model.bin")
"""Of a folder of Hugging Face's, the one that is taken first in front; `.index.json` behind it
names its shards."""
INDEX = ".index.json"
_MOST_SHARDS = 1000


class Stored(NamedTuple):
    """A weight in a file, which is read when it is asked for, in fp32."""

    shape: tuple[int, ...]
    read: Callable[[], Floats]


def in_folder(folder: Path) -> dict[str, Stored]:
    """All weights in a folder of Hugging Face's, by their names.

    Raises:
        UserError: where there are none, a shard is missing, or a file is damaged or more than
            weights.
    """
    for name in FILES:
        whole, index = folder / name, folder / (name + INDEX)
        if whole.exists():
            return _in_files([whole])
        if index.exists():
            return _in_files(shards(index))
    raise UserError(
        f"{folder} has no weights ({' or '.join(FILES)}).", "Fetch all files of the model."
    )


def shards(index: Path) -> list[Path]:
    """The files that an index names, all of them there or not.

    Raises:
        UserError: where it is no index, or names a file elsewhere.
    """
    content = read_json(index)
    where = content.get("weight_map") if isinstance(content, dict) else None
    names = set(where.values()) if isinstance(where, dict) else set()
    if not names or len(names) > _MOST_SHARDS or any(not _is_plain(name) for name in names):
        raise UserError(f"{index} names no files of weights.", AGAIN)
    return [index.with_name(name) for name in sorted(names)]


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and Path(name).name == name and name.endswith(FILES_END)


FILES_END = tuple(Path(name).suffix for name in FILES)


def _in_files(paths: Iterable[Path]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for path in paths:
        found |= (
            of_safetensors(path)
            if path.suffix == ".safetensors"
            else of_state(unpickled(path), path)
        )
    return found


def of_safetensors(path: Path) -> dict[str, Stored]:
    """The weights in a safetensors file, which stays on disk.

    Raises:
        UserError: where it is missing or damaged.
    """
    try:
        stat_regular(path)
        file: Any = safe_open(path, framework="pt")
        found = {}
        for name in list(file.keys()):
            told = file.get_slice(name)
            if not told.get_dtype().startswith(("F", "BF")) and not MASK.fullmatch(name):
                raise _no_floats(path, name)
            found[name] = Stored(tuple(told.get_shape()), partial(_read, file, path, name))
        return found
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, error) from None


def _read(file: Any, path: Path, name: str) -> Floats:
    try:
        found: Floats = file.get_tensor(name).to(torch.float32).numpy()
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise damaged(path, error) from None
    return found


def unpickled(path: Path) -> Any:
    """What a file of PyTorch's holds: tensors, numbers, text, and collections of these.

    Raises:
        UserError: where it holds anything else, or is missing or damaged.
    """
    try:
        stat_regular(path)
        with warnings.catch_warnings():  # torch's advice to whoever wrote the file, not to us
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path} holds more than weights, or is damaged: to open it could run what its "
            "writer wants.",
            "Take a model as safetensors.",
        ) from None
    except Exception as error:  # torch raises whatever a damaged file makes it stumble over
        raise damaged(path, error) from None


def of_state(state: Any, path: Path, prefixes: tuple[str, ...] = ()) -> dict[str, Stored]:
    """The weights of a state dict.

    Args:
        state: names to tensors.
        path: its file, for the message.
        prefixes: what is taken off names that begin with it.

    Raises:
        UserError: where it is none.
    """
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(
            isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
        )
    ):
        raise UserError(f"{path} holds no weights by name.", "Take another file.")
    found: dict[str, Stored] = {}
    for name, tensor in state.items():
        for prefix in prefixes:
            name = name.removeprefix(prefix)
        if not _is_plain_floats(tensor):
            if not MASK.fullmatch(name):
                raise _no_floats(path, name)
            continue
        if name in found:
            raise UserError(f"{path} holds {one_line(name)[:60]} twice.", AGAIN)
        found[name] = Stored(tuple(tensor.shape), partial(_in_fp32, tensor))
    return found


def _is_plain_floats(tensor: Tensor) -> bool:
    """Whether it holds its numbers one by one, and they are floating-point ones."""
    is_plain = tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_meta)
    return is_plain and tensor.is_floating_point()


def _no_floats(path: Path, name: str) -> UserError:
    return UserError(
        f"{path} holds {one_line(name)[:60]} as something else than floating-point numbers.", AGAIN
    )


def _in_fp32(tensor: Tensor) -> Floats:
    found: Floats = tensor.detach().to(torch.float32).numpy(force=True)
    return found


def damaged(path: Path, error: Exception) -> UserError:
    """That a file of weights cannot be read."""
    if is_lack_of_memory(error):
        return OutOfMemory()
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # an odd offset
        return os_error(error, path)
    if isinstance(error, FileNotFoundError):  # as safetensors raises it
        return UserError(f"{path} does not exist.", "Fetch all files of the model.")
    reason = one_line(str(error).strip() or type(error).__name__)[:100].rstrip(".")
    return UserError(f"{path} is damaged, or holds no weights ({reason}).", AGAIN)
