"""The parts that the live view and `mgpt-tui runs` show of a run, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from training.metrics import Sample, StepMetrics
from training.report.figures import FIGURES, OF_EVALUATIONS, OF_STEPS, label, written
from training.report.plots import loss_plot, plot_heading
from training.runs.history import History

LEAST_NEEDED = ("train_loss", "perplexity", "change", "best", "bits_per_byte")
"""Columns of the table of evaluations that a narrow terminal goes without, the first first."""
GAP = 2
REPORT_PLOT = 12
"""Lines of a plot on paper."""


def latest_figures(history: History) -> dict[str, str]:
    """The figures of the latest steps as text, by name, the most telling first."""
    figures = {name: written(name, history.latest(name)) for name in OF_STEPS if name != "memory"}
    return {name: figures.get(name, memory(history.last)) for name in OF_STEPS}


def memory(metrics: StepMetrics | None) -> str:
    """Memory in use now and, in brackets, at most: "1.9 GB (2.3)"."""
    now = written("memory", metrics.memory_bytes if metrics else None)
    if metrics is None or metrics.memory_peak_bytes is None:
        return now
    peak, _, unit = written("memory", metrics.memory_peak_bytes).partition(" ")
    return f"{now} ({peak})" if now.endswith(f" {unit}") else f"{now} ({peak} {unit})"


def evaluation_row(history: History, at: int) -> dict[str, str]:
    """Evaluation number `at`, counted from 0, as text by figure."""
    metrics = history.evaluations[at]
    evaluation = metrics.evaluation
    before = history.evaluations[at - 1].evaluation
    assert evaluation is not None and before is not None
    loss = evaluation.validation.loss
    values = {
        "step": metrics.step,
        "train_loss": evaluation.train_loss,
        "val_loss": loss,
        "change": loss - before.validation.loss,
        "perplexity": evaluation.validation.perplexity,
        "bits_per_byte": evaluation.validation.bits_per_byte,
    }
    row = {name: written(name, value) for name, value in values.items()}
    row["change"] = row["change"] if at > 0 else ""
    return row | {"best": label("best") if metrics is history.best else ""}


def evaluation_table(
    history: History, width: int, most: int | None = None, marked: str = ""
) -> Table:
    """The table of evaluations, the newest last.

    Args:
        width: cells there are; columns that do not fit are left out, the least needed first.
        most: rows there are; the newest are shown, and the best one in any case.
        marked: the figure whose heading is set off.
    """
    rows = [evaluation_row(history, at) for at in _shown(history, most)]
    headings = {name: "" if name == "best" else label(name) for name in OF_EVALUATIONS}
    names = _fitting([headings, *rows], width)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for name in names:
        heading = Text(headings[name], "reverse" if name == marked else "")
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        style = "green" if row["best"] else None
        table.add_row(*(row[name] for name in names), style=style)
    return table


def _shown(history: History, most: int | None) -> Sequence[int]:
    """The numbers of the `most` newest evaluations; the oldest of them makes way for the best."""
    count = len(history.evaluations)
    shown = range(max(0, count - most) if most is not None else 0, count)
    if not shown.start or history.best is None:
        return shown
    best = history.evaluations.index(history.best)
    return shown if best in shown else [best, *shown[1:]]


def _fitting(lines: Sequence[dict[str, str]], width: int) -> list[str]:
    """The names of the columns that find room side by side."""
    names = list(OF_EVALUATIONS)
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    for name in LEAST_NEEDED:
        if sum(widths[name] + GAP for name in names) - GAP <= width:
            break
        names.remove(name)
    return names


def sample_text(sample: Sample, one_paragraph: bool = False) -> Text:
    """A sample, its prompt set off from what the model wrote.

    Args:
        one_paragraph: line breaks become spaces, to spare lines.
    """
    prompt, text = sample.prompt, sample.text
    if one_paragraph:
        beginning = " " if prompt and text[:1].isspace() else ""
        prompt, text = " ".join(prompt.split()), beginning + " ".join(text.split())
    return Text.assemble((prompt, "underline"), text)


def cut(text: Text, console: Console, width: int, height: int) -> Text:
    """`text` in lines of at most `width` cells, `height` of them; an ellipsis where more were."""
    lines = text.wrap(console, max(1, width))
    shown = list(lines[:height])
    if len(lines) > height and shown:
        shown[-1].truncate(max(1, width - 1), overflow="crop")
        shown[-1].append("…")
    return Text("\n").join(shown)


def explanation(name: str) -> Text:
    """What a figure means."""
    return Text.assemble((FIGURES[name].label, "bold"), ": ", FIGURES[name].words, ".")


def explanations(names: Iterable[str]) -> list[Text]:
    """What figures mean, each on a line of its own."""
    return [explanation(name) for name in names]


def report(
    history: History, width: int, most_samples: int = 1, most_evaluations: int | None = None
) -> Iterator[RenderableType]:
    """A run on paper: its latest figures, plot, evaluations and samples, part by part.

    Args:
        width: cells that the plot and the table may take.
        most_samples: of more samples, the newest is shown and others from along the way.
        most_evaluations: of more, the newest are shown, and the best.
    """
    if history.last is None:
        return
    figures = {"step": written("step", history.last.step)} | latest_figures(history)
    cells = [Text.assemble(label(name), " ", (value, "bold")) for name, value in figures.items()]
    yield Columns(cells, padding=(0, 3))
    yield Text()
    yield plot_heading()
    yield loss_plot(history.training, history.validation, min(width, 100), REPORT_PLOT)
    if not history.evaluations:
        return
    yield Text()
    yield evaluation_table(history, width, most_evaluations)
    yield from _samples(history, most_samples)


def _samples(history: History, most: int) -> Iterator[RenderableType]:
    """Samples with their steps, the first and the newest among them, oldest first."""
    samples = history.samples
    last = len(samples) - 1
    chosen = {last - last * at // max(1, most - 1) for at in range(most)} if samples else set()
    for at in sorted(chosen):
        step, sample = samples[at]
        yield Text()
        yield Text(f"{label('sample')} at {label('step')} {step:,}", style="bold")
        yield sample_text(sample)
