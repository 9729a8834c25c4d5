"""What a checkpoint folder says of itself, read without torch.

A checkpoint is a folder: `config.json` (this module), `tokenizer.tiktoken` (the ranks) and
`model.safetensors` (the weights). Nothing in it is ever pickled or run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error
from mgpt_tui.model.config import GPTConfig

FORMAT = 1
CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.tiktoken"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointInfo:
    """The contents of `config.json`.

    Attributes:
        config: shape of the model.
        tokenizer: split pattern, special tokens and digest of the ranks.
        training: how it was made: data, steps, tokens, losses (free form, for people).
        weights: storage format: "fp32", "bf16" or "int8".
        fingerprint: SHA-256 over weights, ranks and model config.
    """

    config: GPTConfig
    tokenizer: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    weights: str = "fp32"
    fingerprint: str = ""

    def to_json(self) -> str:
        """The file's text."""
        content = {
            "format": FORMAT,
            "model": self.config.to_dict(),
            "tokenizer": self.tokenizer,
            "training": self.training,
            "weights": self.weights,
            "fingerprint": self.fingerprint,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def read_info(folder: Path) -> CheckpointInfo:
    """Read a checkpoint's `config.json`.

    Raises:
        UserError: where it is missing, damaged, or of another format.
    """
    path = folder / CONFIG_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{folder} is no checkpoint: it has no {CONFIG_FILE}.",
            "Give a folder that `mgpt-tui train` wrote, or see `mgpt-tui models`.",
        ) from None
    except OSError as error:
        raise os_error(error, path) from error
    except (ValueError, RecursionError):
        raise UserError(f"{path} is damaged: it is not JSON.", "Take another checkpoint.") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{path} is not a checkpoint of format {FORMAT}.",
            "It may come from another program, or from a newer mgpt-tui.",
        )
    try:
        return CheckpointInfo(
            config=GPTConfig(**content["model"]),
            tokenizer=dict(content["tokenizer"]),
            training=dict(content["training"]),
            weights=str(content["weights"]),
            fingerprint=str(content["fingerprint"]),
        )
    except (KeyError, TypeError, ValueError, UserError) as error:
        raise UserError(
            f"{path} is damaged: {type(error).__name__} {error}.", "Take another checkpoint."
        ) from None


def fingerprint(weights: bytes, ranks: bytes, config: GPTConfig) -> str:
    """SHA-256 over the weights file, the rank file and the model config, as hexadecimal."""
    digest = hashlib.sha256()
    for part in (weights, ranks, json.dumps(config.to_dict(), sort_keys=True).encode()):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
