"""What a checkpoint folder says of itself, read without torch.

A checkpoint is a folder: `config.json` (this module), `tokenizer.tiktoken` (the ranks) and
`model.safetensors` (the weights). Nothing in it is ever pickled or run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.reading import MissingFile, parse_json, read_text
from mgpt_tui.settings_fields import arguments_from

FORMAT = 2
"""Written; the first format, whose fingerprint leaves out the tokenizer, is read as well."""
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.tiktoken"
WEIGHTS_FILE = "model.safetensors"
WEIGHT_FORMATS = ("fp32", "bf16", "int8")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REMEDY = "Take another checkpoint."


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """The contents of `config.json`.

    Attributes:
        config: shape of the model.
        stated: the same as the file states it, which is what a fingerprint is of.
        tokenizer: split pattern, special tokens and digest of the ranks.
        training: how it was made: data, steps, tokens, losses (free form, for people).
        weights: storage format, one of `WEIGHT_FORMATS`.
        format: of the file; it decides what the fingerprint is of.
        fingerprint: see `fingerprints`.
        aliases: the model's fingerprints of other formats: stories may know it by these.
    """

    config: GPTConfig
    stated: dict[str, Any] = field(default_factory=dict, compare=False)
    tokenizer: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    weights: str = "fp32"
    format: int = FORMAT
    fingerprint: str = ""
    aliases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """All by which a story may know the model."""
        return (self.fingerprint, *self.aliases)

    def to_json(self) -> str:
        """The file's text."""
        content = {
            "format": self.format,
            "model": self.stated,
            "tokenizer": self.tokenizer,
            "training": self.training,
            "weights": self.weights,
            "fingerprint": self.fingerprint,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def with_fingerprints(self, found: dict[int, str]) -> CheckpointInfo:
        """The same with the fingerprint of its format; all others become `aliases`."""
        aliases = tuple(digest for format, digest in found.items() if format != self.format)
        return replace(self, fingerprint=found[self.format], aliases=aliases)


def read_info(folder: Path) -> CheckpointInfo:
    """Read a checkpoint's `config.json`.

    Raises:
        UserError: where it is missing, damaged, or of another format.
    """
    path = folder / CONFIG_FILE
    try:
        text = read_text(path)
    except MissingFile:
        raise UserError(
            f"{folder} is no checkpoint: it has no {CONFIG_FILE}.",
            "Give a folder that `mgpt-tui train` wrote, or see `mgpt-tui models`.",
        ) from None
    try:
        content = parse_json(text, any_number=True)  # a loss of a run may be no number
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}.", _REMEDY) from None
    if not isinstance(content, dict) or content.get("format") not in range(1, FORMAT + 1):
        raise UserError(
            f"{path} is not a checkpoint of format {FORMAT} or before.",
            "It may come from another program, or from a newer mgpt-tui.",
        )
    try:
        return _info(content)
    except UserError as error:
        raise UserError(f"{path} is damaged: {error.message}", _REMEDY) from None


def _info(content: dict[str, Any]) -> CheckpointInfo:
    """What the file holds, each part of the kind that it should be."""
    parts: dict[str, Any] = {}
    kinds = {"model": dict, "tokenizer": dict, "training": dict, "weights": str, "fingerprint": str}
    for name, kind in kinds.items():
        parts[name] = content.get(name)
        if not isinstance(parts[name], kind):
            raise UserError(f"its entry {name!r} is missing or of the wrong kind.")
    known = {entry.name for entry in fields(GPTConfig)}
    if unknown := sorted(parts["model"].keys() - known):
        raise UserError(f"its model has a setting {unknown[0]!r:.40} that is not known here.")
    if parts["weights"] not in WEIGHT_FORMATS:
        raise UserError(f"its weights are none of {', '.join(WEIGHT_FORMATS)}.")
    if not _DIGEST.fullmatch(parts["fingerprint"]):
        raise UserError("its fingerprint is none.")
    return CheckpointInfo(
        config=GPTConfig(**arguments_from(GPTConfig, parts["model"])),
        stated=parts["model"],
        tokenizer=parts["tokenizer"],
        training=parts["training"],
        weights=parts["weights"],
        format=int(content["format"]),
        fingerprint=parts["fingerprint"],
    )


def fingerprints(
    weights: bytes | Path, ranks: bytes, model: dict[str, Any], tokenizer: dict[str, Any]
) -> dict[int, str]:
    """The model's fingerprint in every format, by its number: SHA-256 as hexadecimal.

    All are of the weights file, the rank file and the model's settings as `config.json` states
    them, so that a setting which is added here later changes none. From format 2 on the tokenizer
    as stated there is covered too: its split pattern and special tokens decide what the
    model reads. (In format 1 there was no pattern but GPT-2's.)

    Args:
        weights: the file, or what it holds.
        ranks: what the rank file holds.
        model: the model's settings.
        tokenizer: what is stated of it.

    Raises:
        OSError: where the file cannot be read.
    """
    digest = hashlib.sha256()
    found = {}
    covered: dict[int, Sequence[bytes | Path]] = {
        1: (weights, ranks, _canonical(model)),
        2: (_canonical(tokenizer),),
    }
    for format, parts in covered.items():
        for part in parts:
            size = part.stat().st_size if isinstance(part, Path) else len(part)
            digest.update(size.to_bytes(8, "little"))
            for piece in _pieces(part):
                digest.update(piece)
        found[format] = digest.hexdigest()
    return found


def _pieces(part: bytes | Path) -> Iterator[bytes]:
    """All of it, of a file no more than a mebibyte at a time."""
    if not isinstance(part, Path):
        yield part
        return
    with part.open("rb") as file:
        while piece := file.read(2**20):
            yield piece


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()
