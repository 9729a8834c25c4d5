"""All heads and MLPs of a model on a map, on which a cursor walks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from textual.content import Content
from textual.style import Style

from mgpt_tui.inference.inspection.answers import Answer
from mgpt_tui.inference.inspection.experiments import MuteView, Shape
from mgpt_tui.inference.inspection.names import Part
from mgpt_tui.ui.screens.inside.experiments.changes import short
from mgpt_tui.ui.screens.inside.sight import Chosen, cells

OFF, PARTLY = "✕", "·"
"""What stands before a part that is muted, and before an MLP of which neurons are."""
LABEL, BROAD, NARROW = 3, 6, 3
"""Cells of a layer's name, and of a part with room for what it costs and without."""


def names_of(shape: Shape) -> list[list[str]]:
    """The parts of the map: of each layer its heads and its MLP."""
    return [
        [str(Part("head", layer, head)) for head in range(1, shape.heads + 1)]
        + [str(Part("mlp", layer))]
        for layer in range(1, shape.layers + 1)
    ]


def step(by: int) -> Callable[[Answer, Chosen], Chosen]:
    """Go to the next part, or to the one before."""

    def go(answer: Answer, chosen: Chosen) -> Chosen:
        assert isinstance(answer, MuteView)
        names = [name for of_layer in names_of(answer.shape) for name in of_layer]
        at = names.index(chosen.part) if chosen.part in names else 0
        return replace(chosen, part=names[(at + by) % len(names)])

    return go


def toggled(_: Answer, chosen: Chosen) -> Chosen:
    """Mute the part under the cursor, or undo all that mutes it."""
    by = muted_by(chosen.part, chosen.muted)
    kept = tuple(name for name in chosen.muted if name not in by)
    return replace(chosen, muted=kept if by else (*chosen.muted, chosen.part))


def muted_by(part: str, muted: Collection[str]) -> set[str]:
    """Names that mute a part of the map: its own, and those of what it is in."""
    letter, layer = part[0], part[1:].partition("H")[0]
    around = {part, f"L{layer}", *((f"A{layer}",) if letter == "L" else ())}
    return around & set(muted)


def draw_map(
    shape: Shape, chosen: Chosen, costs: Mapping[str, float], rows: int, width: int
) -> list[Content]:
    """A line for each layer, below one that names the columns; what fits around the cursor.

    Args:
        shape: of the model.
        chosen: which part the cursor is on, and what is muted.
        costs: of parts by name, in bits, as far as they are known.
        rows, width: rows of so many cells.
    """
    names = names_of(shape)
    layer, column = _position(chosen.part, names)
    n_columns = shape.heads + 1
    cell = BROAD if LABEL + BROAD * n_columns <= width else NARROW
    across = max(1, min(n_columns, (width - LABEL) // cell))
    down = max(1, min(shape.layers, rows - 1))
    left = max(0, min(column - across // 2, n_columns - across))
    top = max(0, min(layer - down // 2, shape.layers - down))
    heads = [f"H{at + 1}" if at < shape.heads else "MLP" for at in range(left, left + across)]
    lines = [Content.styled(" " * LABEL + "".join(f"{head:>{cell}}" for head in heads), "dim")]
    for of_layer in names[top : top + down]:
        parts = [_part(name, chosen, costs, cell) for name in of_layer[left : left + across]]
        lines.append(Content.assemble(cells(f"L{names.index(of_layer) + 1}", LABEL), *parts))
    return lines


def _position(part: str, names: list[list[str]]) -> tuple[int, int]:
    """Row and column of a part; of one that the model lacks, those of the first."""
    for row, of_layer in enumerate(names):
        if part in of_layer:
            return row, of_layer.index(part)
    return 0, 0


def _part(name: str, chosen: Chosen, costs: Mapping[str, float], cell: int) -> Content:
    neurons = tuple(other for other in chosen.muted if other.startswith(f"N{name[1:]}."))
    mark = OFF if muted_by(name, chosen.muted) else PARTLY if neurons and name[0] == "M" else " "
    cost = costs.get(name)
    said = "-" if cost is None or cell == NARROW else short(cost)
    style = "" if cost is None else "$accent" if cost > 0 else "$secondary"
    shown = Content.assemble((mark, "bold $error"), (f"{said:>{cell - 1}}", style))
    shown = shown.stylize("reverse bold") if name == chosen.part else shown
    return shown.stylize(Style.from_meta({"@click": f"screen.part({name!r})"}))
