"""What a model that has learnt some stories says of them by heart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgpt_tui.inference.loading import load_engine
from training.evaluation.recital import Recital, found_in, recite, stories_to_ask
from training.learning.text import Tale


def what_it_recites(checkpoint: Path, tales: Sequence[Tale]) -> Recital:
    """What a checkpoint makes of the beginnings of the stories, held-out ones included.

    Raises:
        UserError: where it cannot be read, or its scores are no numbers.
    """
    texts = [tale.text for tale in tales]
    asked = stories_to_ask(texts)
    if not asked:
        return Recital((), (), ())
    engine = load_engine(checkpoint).engine
    (found,) = found_in(texts, asked, [recite(engine, asked)])
    return found
