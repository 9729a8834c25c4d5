"""The names of the model's parts, as people type them: the one place that reads them.

L2H3   the third head of the second layer
A2     the attention of the second layer, all its heads and the bias of its projection
M4     the MLP of the fourth layer
L2     the whole second layer, its attention and its MLP
N4.77  the 77th neuron of the fourth layer's MLP
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.places import place_of
from mgpt_tui.model.config import GPTConfig

EXAMPLES = (
    "L2H3 (a head), A2 (the attention of a layer), M4 (an MLP), L2 (a layer) or N4.77 (a neuron)"
)

_SPELLED = {
    "layer": ("L", ""),
    "head": ("L", "H"),
    "attention": ("A", ""),
    "mlp": ("M", ""),
    "neuron": ("N", "."),
}
_NAME = re.compile(r"(L)(\d{1,6})(?:H(\d{1,6}))?|([AM])(\d{1,6})|(N)(\d{1,6})\.(\d{1,6})")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the model.

    Attributes:
        kind: one of "layer", "head", "attention", "mlp", "neuron".
        layer: from 1.
        index: which head or neuron, from 1; 0 elsewhere.
    """

    kind: str
    layer: int
    index: int = 0

    def __str__(self) -> str:
        """Its name, as it is typed."""
        letter, before_index = _SPELLED[self.kind]
        name = f"{letter}{self.layer}"
        return f"{name}{before_index}{self.index}" if before_index else name

    @property
    def pieces(self) -> tuple[Part, ...]:
        """What an edit can take hold of: of a layer its attention and its MLP, else itself."""
        if self.kind != "layer":
            return (self,)
        return Part("attention", self.layer), Part("mlp", self.layer)

    @property
    def station(self) -> int:
        """Where the stream is, from 0, when this part reads it: nothing before depends on it."""
        return 2 * (self.layer - 1) + (self.kind in ("mlp", "neuron"))


def parse_parts(text: str, config: GPTConfig) -> tuple[Part, ...]:
    """The parts that a text names, with commas or blanks between, each once.

    Raises:
        UserError: where something is no such name, or the model has no such part.
    """
    parts = tuple(dict.fromkeys(map(_parse, re.split(r"[,\s]+", text.strip(", \t\n")))))
    for part in parts:
        for piece in part.pieces:
            _check(piece, config)
    return parts


BY_MEAN = " by mean"


def spell_muted(parts: Iterable[str], *, mean: bool) -> str:
    """What is muted, and how, in words: "L2H3,M4", or "L2H3,M4 by mean"; "" for nothing."""
    names = ",".join(parts)
    return f"{names}{BY_MEAN}" if names and mean else names


def parse_muted(text: str, config: GPTConfig) -> tuple[tuple[Part, ...], bool]:
    """What `spell_muted` told: the parts, and whether their mean stands in their places.

    Raises:
        UserError: as `parse_parts`.
    """
    text = text.strip()
    return parse_parts(text.removesuffix(BY_MEAN), config), text.endswith(BY_MEAN)


def _parse(name: str) -> Part:
    match = _NAME.fullmatch(name.upper())
    if match is None:
        raise UserError(f"There is no part {name!r} in a model.", f"Name {EXAMPLES}.")
    groups = [group for group in match.groups() if group is not None]
    kind, layer = groups[0], int(groups[1])
    index = int(groups[2]) if len(groups) == 3 else 0
    if kind == "L":
        return Part("head", layer, index) if len(groups) == 3 else Part("layer", layer)
    return Part({"A": "attention", "M": "mlp", "N": "neuron"}[kind], layer, index)


def _check(part: Part, config: GPTConfig) -> None:
    """Raises: UserError where the model has no such part; its message says how many it has."""
    index = part.index - 1 if part.kind in ("head", "neuron") else None
    place_of(part.kind, part.layer - 1, index, config)


def all_heads(config: GPTConfig) -> list[Part]:
    """Every head, layer by layer."""
    layers, heads = range(1, config.n_layer + 1), range(1, config.n_head + 1)
    return [Part("head", layer, head) for layer in layers for head in heads]
