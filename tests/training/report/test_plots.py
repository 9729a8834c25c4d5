"""The plot of the losses."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.report.plots import loss_plot, runs_plot

FALL = [(step, 2 + 8 / step) for step in range(1, 201)]


@pytest.mark.parametrize("size", [(24, 5), (80, 9), (160, 40), (33, 60)])
@pytest.mark.parametrize("steps", [1, 2, 7, 200])
def test_it_fills_its_room_and_no_more(size, steps):
    width, height = size
    lines = loss_plot(FALL[:steps], FALL[:steps][9::10], width, height).plain.splitlines()
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert re.search("[\u2801-\u28ff]", "\n".join(lines))
    assert ("●" in "\n".join(lines)) == (steps >= 10)


@pytest.mark.parametrize("size", [(23, 9), (80, 4), (0, 0), (-3, -3)])
def test_nothing_where_there_is_no_room_or_no_data(size):
    assert not loss_plot(FALL, FALL, *size)
    assert not loss_plot([], [], 80, 9)


def test_axes_tell_steps_and_losses():
    text = loss_plot(FALL, [], 80, 12).plain
    lines = text.splitlines()
    assert lines[-1].split() == ["20", "56", "92", "128", "164", "200"]
    highest = float(re.match(r" *([\d.]+)┤", lines[1])[1])
    assert highest == pytest.approx(2 + 8 / 20, abs=0.01), "the first tenth is left out"
    assert float(re.match(r" *([\d.]+)┤", lines[-3])[1]) == pytest.approx(2.04, abs=0.01)


def test_the_curve_is_where_it_belongs():
    lines = loss_plot([(1, 1.0), (101, 1.0)], [(1, 3.0), (101, 3.0)], 60, 12).plain.splitlines()
    assert "●" in lines[1] or "●" in lines[-3]
    top = next(at for at, line in enumerate(lines) if "●" in line)
    bottom = next(at for at, line in enumerate(lines) if re.search("[\u2801-\u28ff]", line))
    assert top < bottom


STEP = st.integers(0, 2**63 - 1)
LOSS = st.floats(allow_nan=False, allow_infinity=False)


@example([(1, 0.0), (2, 1e-320)])
@example([(1, 1.7e308), (2, -1.7e308)])
@given(st.lists(st.tuples(STEP, LOSS), min_size=1, max_size=5, unique_by=lambda point: point[0]))
def test_whatever_a_log_holds_is_drawn(curve):
    curve = sorted(curve)
    for plot in (loss_plot(curve, curve, 80, 9), runs_plot({"a": curve}, 80, 9)):
        assert len(plot.plain.splitlines()) == 9
