"""A model of another program as it was found, and how it becomes a checkpoint here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from mgpt_tui.errors import UserError
from mgpt_tui.family.importing.vocabulary import Vocabulary
from mgpt_tui.family.importing.weights_files import Stored
from mgpt_tui.family.names import MASK, Entry, Naming
from mgpt_tui.memory import check_room
from mgpt_tui.model.checkpoint import pack, write_checkpoint
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.manifest import CheckpointInfo
from mgpt_tui.model.weights import BIASES, SCALE, Floats, shapes

HEADS = ("token_embedding.weight", "unembedding.weight")
"""What has a row for each token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A model of another program.

    Attributes:
        source: its file or folder, for messages.
        naming: what its weights are called.
        config: its shape, as far as it is stated: which biases there are, the weights tell.
        tensors: its weights.
        vocabulary: its tokenizer.
        origin: what the checkpoint's config is to tell of it.
        trained: other things that are known of its training, such as its step.
    """

    source: Path
    naming: Naming
    config: GPTConfig
    tensors: Mapping[str, Stored]
    vocabulary: Vocabulary
    origin: dict[str, Any]
    trained: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path, weights: str) -> CheckpointInfo:
        """Write it into `folder` as a checkpoint.

        A kind of bias that is zero everywhere is left out, and so is a head that is the token
        embedding: that changes no score. Rows that no token has are left out as well.

        Args:
            folder: which is there, and is renamed afterwards.
            weights: storage format, one of `manifest.WEIGHT_FORMATS`.

        Raises:
            UserError: where weights are missing, of other shapes than the config asks for, none of
                a model of this kind, or no finite numbers; or memory has no room for them.
        """
        config = self._shape()
        self._check(config)
        size = {"fp32": 4, "bf16": 2, "int8": 1}[weights]
        # As they are to be stored, and one of them as it lies there, turned, and its rows chosen.
        needed = size * config.parameters() + 3 * 4 * config.vocab_size * config.n_embd
        check_room(f"To import {self.source}", needed)
        state: dict[str, Tensor] = {}
        for entry in self.naming.entries(config):
            state |= pack({entry.ours: torch.from_numpy(self._weight(entry))}, weights)
        _apart(state)
        config = replace(config, vocab_size=len(self.vocabulary.ids))
        if not config.tied_head and all(
            torch.equal(state[name], state[other])
            for name, other in zip(_stored(HEADS[0], state), _stored(HEADS[1], state), strict=True)
        ):
            config = replace(config, tied_head=True)
        config = _with_biases(config, {kind for kind in _kinds(config) if _any(kind, state)})
        kept = {part: state[part] for name in shapes(config) for part in _stored(name, state)}
        training = {"imported": self.origin, **self.trained}
        return write_checkpoint(folder, config, kept, self.vocabulary.tokenizer, training, weights)

    def _shape(self) -> GPTConfig:
        """The config with the biases and the head that the weights have."""
        names = self.tensors
        whole = {
            entry.ours: entry
            for entry in self.naming.entries(_with_biases(self.config, set(BIASES.values())))
        }
        found = {
            kind
            for part, kind in BIASES.items()
            if all(name in names for name in whole[_first(part)].theirs)
        }
        return replace(_with_biases(self.config, found), tied_head=self.naming.head not in names)

    def _check(self, config: GPTConfig) -> None:
        """Hold names and shapes against the config before anything of that size is read."""
        found = {name: stored.shape for name, stored in self.tensors.items()}
        expected = {
            name: entry.their_shape
            for entry in self.naming.entries(config)
            for name in entry.theirs
        }
        for name, shape in expected.items():
            if name not in found:
                self._refuse(f"its weights lack {name}", "Fetch all of its files.")
            if found[name] != shape:
                self._refuse(f"{name} has shape {found[name]} where its config asks for {shape}")
        for name in found.keys() - expected.keys():
            if not MASK.fullmatch(name):
                self._refuse(f"it has weights {name!r:.60}, which are not known here")
        if max(self.vocabulary.ids) >= config.vocab_size:
            self._refuse(
                f"its tokenizer has ids up to {max(self.vocabulary.ids):,} and its weights "
                f"{config.vocab_size:,} rows"
            )

    def _weight(self, entry: Entry) -> Floats:
        """One weight as it is here."""
        weight: Floats = entry.taken({name: self.tensors[name].read() for name in entry.theirs})
        if not np.isfinite(weight).all():
            self._refuse(f"{entry.theirs[0]} has numbers that are not finite")
        if entry.ours in HEADS:
            return weight[list(self.vocabulary.ids)]
        return weight

    def _refuse(self, reason: str, remedy: str = "Take another model.") -> NoReturn:
        raise UserError(f"{self.source} cannot be imported: {reason}.", remedy)


def shape_of(source: Path, **settings: Any) -> GPTConfig:
    """The shape that a file states.

    Raises:
        UserError: where no model here can have it.
    """
    if settings.get("mlp_width") == 4 * settings["n_embd"]:
        settings["mlp_width"] = None
    try:
        return GPTConfig(**settings)
    except UserError as error:
        raise UserError(
            f"{source} states a shape that no model here can have: {error.message}",
            "Take another model.",
        ) from None


def _apart(state: dict[str, Tensor]) -> None:
    """Give each weight its own memory: blocks may share one there, and a file keeps it for each."""
    taken: set[int] = set()
    for name, weight in state.items():
        if (at := weight.data_ptr()) in taken:
            state[name] = weight.clone()
        taken.add(at)


def _first(part: str) -> str:
    """The name of a bias of a part of the model, in a block in the first one."""
    return f"{part}.bias" if part == "final_norm" else f"blocks.0.{part}.bias"


def _kinds(config: GPTConfig) -> Iterator[str]:
    """The kinds of biases that a model of this shape has."""
    return (kind for kind in dict.fromkeys(BIASES.values()) if config.has_bias(kind))


def _any(kind: str, state: Mapping[str, Tensor]) -> bool:
    """Whether a bias of this kind is other than zero anywhere."""
    parts = tuple(f"{part}.bias" for part, its in BIASES.items() if its == kind)
    return any(bool(state[name].any()) for name in state if name.endswith(parts))


def _with_biases(config: GPTConfig, kinds: set[str]) -> GPTConfig:
    """The same shape with these kinds of biases, said as shortly as can be."""
    usual = "mlp" in kinds
    own: dict[str, Any] = {
        f"{kind}_bias": None if (kind in kinds) == usual else kind in kinds
        for kind in BIASES.values()
    }
    return replace(config, bias=usual, **own)


def _stored(name: str, state: Mapping[str, Tensor]) -> list[str]:
    """What a weight is kept as: by its own name, and its scales."""
    return [part for part in (name, name + SCALE) if part in state]
