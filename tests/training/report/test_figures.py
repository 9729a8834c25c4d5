"""The words for each figure, and how figures are written."""

import pytest

from training.report.figures import (
    FIGURES,
    OF_EVALUATIONS,
    OF_RUNS,
    OF_SCORES,
    OF_TRAINING,
    OF_WRITING,
    written,
)
from training.report.parts import latest_figures
from training.runs.history import History


def test_every_figure_that_is_shown_is_explained_once(watched):
    shown = {*OF_EVALUATIONS, *OF_RUNS, *OF_TRAINING, *latest_figures(History(watched))}
    assert shown | {*OF_SCORES, *OF_WRITING} == set(FIGURES)
    assert not shown & set(OF_WRITING)
    words = [figure.words for figure in FIGURES.values()]
    assert len(set(words)) == len(words)
    for figure in FIGURES.values():
        assert 20 < len(figure.label + figure.words) < 150, "two lines at 80 columns hold it"
        assert not figure.words.endswith(".")
        assert figure.words[0].islower() or figure.words.startswith("model FLOPs")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("loss", 2.34567, "2.3457"),
        ("loss", None, "–"),
        ("loss", float("nan"), "–"),
        ("learning_rate", 2.84e-4, "2.8e-4"),
        ("learning_rate", 0.0, "0.0e0"),
        ("tokens_per_second", 6012.3, "6,012"),
        ("mfu", 0.2345, "23.4 %"),
        ("memory", 1_950_000_000, "1.9 GB"),
        ("memory", 369_400_000, "369 MB"),
        ("memory", 999, "999 bytes"),
        ("memory", 999_600, "1.0 MB"),
        ("memory", 14.4e9, "14 GB"),
        ("tokens", 950, "950"),
        ("tokens", 999.7, "1.0 k"),
        ("tokens", 999_999, "1.0 M"),
        ("tokens", 4_100_000, "4.1 M"),
        ("tokens", 5e12, "5000.0 G"),
        ("time_left", 2350, "0:39:10"),
        ("time_left", 59.6, "0:01:00"),
        ("time_left", 360_000, "100:00:00"),
        ("change", 0.0123, "+0.0123"),
        ("change", -0.0123, "-0.0123"),
        ("perplexity", 1234.5, "1,234.50"),
        ("perplexity", 8.2e307, "8.2e307"),
        ("grad_norm", 0.432, "0.43"),
    ],
)
def test_figures_as_text(name, value, text):
    assert written(name, value) == text
