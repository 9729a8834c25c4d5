"""What the live view shows in terminals of many sizes."""

import io
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from training.metrics import Sample, Score
from training.report.figures import FIGURES, OF_TRAINING
from training.report.live_view import EXPLAIN_SECONDS, LiveView, shares
from training.runs.history import History

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def screen(view, width, height):
    """The lines of the view as a terminal of that size gets them."""
    output = io.StringIO()
    console = Console(
        file=output, width=width, height=height, force_terminal=True, color_system="truecolor"
    )
    console.print(view)
    lines = ESCAPE.sub("", output.getvalue()).splitlines()
    assert "\x1b" not in "".join(lines)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    return [line.rstrip() for line in lines]


@pytest.fixture
def view(watched):
    return LiveView("mine", "0.1 M parameters, cpu, float32", 40, History(watched), 5)


def rows(lines):
    """The lines of the table of evaluations."""
    heading = next(at for at, line in enumerate(lines) if line.lstrip().startswith("step "))
    return [line.split() for line in lines[heading + 1 :] if re.match(r" *\d+  ", line)]


def test_at_80_by_24_everything_is_there_and_whole(view):
    view.time_left = "0:39:10"
    lines = screen(view, 80, 24)
    text = "\n".join(lines)
    assert lines[0].startswith("mine  0.1 M parameters, cpu, float32")
    assert lines[0].endswith("step 30/40")
    assert lines[1].endswith("0:39:10 left")
    assert "75%" in lines[1]
    figures = ("loss", "learning rate", "tokens/s", "memory", "MFU", "gradient norm")
    for figure in figures:
        assert re.search(rf"{figure} [\d.]", text), figure
    assert "● validation" in text
    assert "⠉" in text or "⠒" in text or "⠤" in text
    table = rows(lines)
    assert len(table) >= 4
    assert table[-1][0] == "30"
    assert sum("best" in row for row in table) == 1
    assert "change" in text and "perplexity" in text and "bits/byte" in text
    assert "sample at step 30" in text
    assert "Once upon a time" in text
    assert len(lines[-1]) > 0, "no line is wasted"


def test_at_160_by_48_there_is_more(view):
    lines = screen(view, 160, 48)
    text = "\n".join(lines)
    assert "passes" in text and "tokens " in text
    for step in (30, 25, 20):
        assert f"sample at step {step}" in text
    assert len(rows(lines)) == 6
    assert sum("│" in line for line in lines) > 20, "the plot uses the height"


def test_at_40_by_15_the_essentials_are_left(view):
    view.time_left = "0:39:10"
    lines = screen(view, 40, 15)
    text = "\n".join(lines)
    assert "step 30/40" in lines[0]
    assert "0:39:10 left" in lines[1]
    for figure in ("loss", "learning rate", "tokens/s", "memory", "MFU", "gradient norm"):
        assert re.search(rf"{figure} [\d.,]+( MB \(\d+\)|e-\d| %)?( |$)", text, re.MULTILINE), (
            figure
        )
    assert "val loss" in text and "bits/byte" in text
    assert rows(lines)[-1][0] == "30"
    assert "sample at step 30" in text


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (10, 3), (20, 6), (39, 9), (60, 12), (119, 30), (120, 8)])
def test_no_size_breaks_it(view, size, explain):
    view.explain = explain
    view.note = "Finishing the step, then saving. Ctrl-C again leaves without saving."
    screen(view, *size)


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 15)])
def test_before_the_first_step(size):
    text = "\n".join(screen(LiveView("new", "about", 900, History(), 200), *size))
    assert "step 0/900" in text
    assert "first evaluation at step 200" in text
    assert "Layout" not in text


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 15)])
def test_odd_numbers_and_texts_stay_in_their_place(watched, size):
    steps = [
        replace(
            watched[4],
            step=10_000_000 + at,
            grad_norm=float("inf"),
            mfu=None,
            memory_bytes=None,
            memory_peak_bytes=None,
            tokens=10**13,
            evaluation=replace(
                watched[4].evaluation,
                train_loss=float("nan"),
                validation=Score(900.0 + at, 10, 1),
                sample=Sample("[bold]你好[/bold]", "\t你好" * 200 + "\n\n\n" + "x" * 500),
            ),
        )
        for at in range(9)
    ]
    view = LiveView("n" * 64, "about " * 30, 10_000_010, History(steps), 1)
    lines = screen(view, *size)
    assert any("[bold]你好[/bold]" in line for line in lines)
    assert any("gradient norm –" in line for line in lines)
    assert any("10,000,008" in line for line in lines[5:])


def test_the_best_evaluation_is_shown_though_it_is_long_ago(watched):
    best = replace(
        watched[4], evaluation=replace(watched[4].evaluation, validation=Score(0.1, 10, 40))
    )
    history = History([*watched[:4], best, *watched[5:]])
    table = rows(screen(LiveView("mine", "about", 40, history, 5), 80, 24))
    assert table[0][0] == "5"
    assert table[0][-1] == "best"
    assert table[-1][0] == "30"


def test_explanations_take_turns_at_80_by_24(watched):
    now = [0.0]
    view = LiveView("mine", "about", 40, History(watched), 5, explain=True, clock=lambda: now[0])
    seen = set()
    for turn in range(len(OF_TRAINING)):
        now[0] = turn * EXPLAIN_SECONDS
        lines = screen(view, 80, 24)
        text = " ".join(lines[-2:]).strip()
        figure = FIGURES[OF_TRAINING[turn]]
        assert text == f"{figure.label}: {figure.words}."
        assert sum("│" in line for line in lines) >= 4, "the plot is still there"
        seen.add(text)
    assert len(seen) == len(OF_TRAINING)


def test_the_figure_whose_turn_it_is_is_marked_without_colour(watched):
    turn = OF_TRAINING.index("val_loss")
    view = LiveView(
        "mine", "about", 40, History(watched), 5, True, clock=lambda: turn * EXPLAIN_SECONDS
    )
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=True, no_color=True)
    console.print(view)
    assert re.search(r"\x1b\[1;7mval loss", output.getvalue())


def test_all_explanations_stand_beside_the_plot_at_160_by_48(watched):
    view = LiveView("mine", "about", 40, History(watched), 5, explain=True)
    lines = screen(view, 160, 48)
    words = " ".join(" ".join(line[98:].split()) for line in lines)
    for name in OF_TRAINING:
        assert f"{FIGURES[name].label}: {FIGURES[name].words}." in words
    assert "sample at step 30" in words


def test_a_note_is_shown_at_the_bottom(view):
    view.note = "Finishing the step, then saving."
    assert screen(view, 80, 24)[-1] == "Finishing the step, then saving."


def test_a_plot_is_drawn_anew_only_for_new_data_and_not_too_often(watched, monkeypatch):
    from training.report import live_view

    drawn = []
    draw = live_view.loss_plot
    monkeypatch.setattr(
        live_view, "loss_plot", lambda *given: drawn.append(given[2:]) or draw(*given)
    )
    now = [0.0]
    history = History(watched[:20])
    view = LiveView("mine", "about", 40, history, 5, clock=lambda: now[0])
    screen(view, 80, 24)
    screen(view, 80, 24)
    assert len(drawn) == 1
    history.add(watched[20])
    now[0] += 1
    screen(view, 80, 24)
    assert len(drawn) == 1
    now[0] += 10
    screen(view, 80, 24)
    assert len(drawn) == 2
    screen(view, 100, 24)
    assert len(drawn) == 3
    now[0] += 10
    screen(view, 100, 24)
    assert len(drawn) == 3


def test_the_first_steps_are_plotted_at_once(watched):
    history = History()
    view = LiveView("mine", "about", 40, history, 5, clock=lambda: 0.0)
    assert not any("│" in line for line in screen(view, 80, 24))
    for metrics in watched[:4]:
        history.add(metrics)
    assert any("│" in line for line in screen(view, 80, 24))


@pytest.mark.parametrize("evaluations", [0, 1, 40])
@pytest.mark.parametrize("sample", [0, 1, 30])
def test_shares_never_exceed_the_room(evaluations, sample):
    for room in range(60):
        plot, table, text = shares(room, evaluations, sample)
        assert min(plot, table, text) >= 0
        assert plot + table + text <= room
        assert plot == 0 or plot >= 7
        assert text <= sample + 1
