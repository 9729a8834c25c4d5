"""What decode.c is told to keep and to change on its way: its struct `look`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, c_float, c_int32, c_void_p

import numpy as np

from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.places import Place
from mgpt_tui.inference.decoders.record import NAMES, Begin, Record

STATIONS = NAMES[:-1]
"""In the order of decode.c; logits are written elsewhere."""


class _Edit(ctypes.Structure):
    _fields_ = (
        ("station", c_int32),
        ("number", c_int32),
        ("begin", c_int32),
        ("columns", c_int32),
        ("first", c_int32),
        ("end", c_int32),
        ("factor", c_float),
        ("vector", c_void_p),
        ("stride", c_int32),
    )


class Look(ctypes.Structure):
    """The struct, with what its pointers point to.

    Args:
        edits: with where they act, see `edits.placed`; made in this order.
        record: to be filled but for its logits.
        begin: the stream to begin with, see `OpenDecoder.recorded`.
    """

    _fields_ = (
        ("kept", c_void_p * len(STATIONS)),
        ("edits", POINTER(_Edit)),
        ("n_edits", c_int32),
        ("logit_rows", c_void_p),
        ("n_logit_rows", c_int32),
        ("stream", c_void_p),
        ("station", c_int32),
    )

    def __init__(
        self,
        edits: Sequence[tuple[Place, Edit]],
        record: Record | None = None,
        begin: Begin | None = None,
    ) -> None:
        super().__init__()
        self._alive: list[object] = [record]
        if edits:
            made = [self._edit(place, edit) for place, edit in edits]
            self.edits, self.n_edits = (_Edit * len(made))(*made), len(made)
        if record is None:
            return
        for station, name in enumerate(STATIONS):
            array = getattr(record, name)
            self.kept[station] = array.ctypes.data if array.size else None
        rows = np.array(record.logit_rows, np.int32)
        self.logit_rows, self.n_logit_rows = rows.ctypes.data, len(rows)
        self._alive.append(rows)
        if begin is not None:
            stream = np.ascontiguousarray(begin.stream, np.float32)
            self.stream, self.station = stream.ctypes.data, begin.station
            self._alive.append(stream)

    def _edit(self, place: Place, edit: Edit) -> _Edit:
        address, stride = None, 0
        if edit.vector is not None:
            vector = np.ascontiguousarray(edit.vector, np.float32)
            self._alive.append(vector)
            address, stride = vector.ctypes.data, vector.shape[1] if vector.ndim == 2 else 0
        end = np.iinfo(np.int32).max if edit.end is None else edit.end
        return _Edit(
            *(STATIONS.index(place.name), place.number, place.begin, place.end - place.begin),
            *(edit.first, end, edit.factor, address, stride),
        )
