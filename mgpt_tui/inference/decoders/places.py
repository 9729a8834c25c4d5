"""The parts of a model that can be changed, and where they are; the app's process reads this, too.

Nothing here needs numpy.
"""

from __future__ import annotations

from typing import NamedTuple

from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig

PARTS = ("stream", "attention", "head", "mlp", "neuron")
"""What can be edited."""


class Place(NamedTuple):
    """Where an edit acts: columns `begin` to `end` of what the hook sees by name and number.

    Heads lie side by side, D columns each.
    """

    name: str
    number: int
    begin: int
    end: int


def place_of(part: str, layer: int, index: int | None, config: GPTConfig) -> Place:
    """Where in a model a part is.

    Args:
        part, layer, index: as an `Edit` has them.
        config: the model's shape.

    Raises:
        UserError: where the model has no such part; it says which ones there are.
    """
    C, D = config.n_embd, config.head_size
    layers = 2 * config.n_layer + 1 if part == "stream" else config.n_layer
    if part not in PARTS:
        raise UserError(f"There is no part {part!r}.", f"Name one of {', '.join(PARTS)}.")
    if part == "stream":
        _check_number("station", layer, layers, first=0)
    else:
        _check_number("layer", layer, layers)
    many = {"head": config.n_head, "neuron": config.neurons}.get(part)
    if many is None:
        if index is not None:
            raise UserError(f"{part} has no number {index}.", "Leave it out.")
        return {
            "stream": Place("stream", layer, 0, C),
            "attention": Place("added", 2 * layer, 0, C),
            "mlp": Place("added", 2 * layer + 1, 0, C),
        }[part]
    number = -1 if index is None else index
    _check_number(part, number, many)
    if part == "head":
        return Place("gathered", layer, number * D, (number + 1) * D)
    return Place("neurons", layer, number, number + 1)


def _check_number(what: str, number: int, many: int, first: int = 1) -> None:
    """Raises: UserError where there is no such one; people count from `first`."""
    if not 0 <= number < many:
        raise UserError(
            f"The model has no {what} {number + first}.",
            f"Name one from {first} to {many - 1 + first}.",
        )
