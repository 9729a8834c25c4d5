"""Lets a model go on from given beginnings, and sums up what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from mgpt_tui.errors import UserError
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import FinishReason, SamplingSettings
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.reading import read_text
from mgpt_tui.text import clean_text
from training.evaluation.held_out import ScoredStory
from training.evaluation.measures import (
    distinct_share,
    most_repeated,
    pieces,
    self_similarity,
    words,
)
from training.evaluation.novelty import Novelty
from training.sources.left_out import LeftOut
from training.sources.stories import open_local_source

YAML_TYPES = (".yaml", ".yml")

MOST_REPEATS = 4
"""A story that says the same four words more often than that is called repetitive."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model made of one beginning.

    Attributes:
        beginning: what it was given; clean (see `text.clean_text`).
        text: how it went on; clean.
        tokens: length of `text`.
        ended: whether the model ended the story by itself.
        seed: writes the same text again.
    """

    beginning: str
    text: str
    tokens: int
    ended: bool
    seed: int | None

    @property
    def repeats(self) -> int:
        """How often the whole story says its most frequent four words; marks count as words."""
        return most_repeated(pieces(f"{self.beginning}{self.text}"))


@dataclass(frozen=True, slots=True)
class Writing:
    """Figures of many completions; the names are those of `explain.FIGURES`.

    Attributes:
        completions: how many there are.
        ended: share that the model ended by itself.
        median_tokens: length of the median continuation.
        repetitive: share of stories in which four words come back more than `MOST_REPEATS` times.
        distinct_2, distinct_4: see `measures.distinct_share`.
        self_similarity: see `measures.self_similarity`.
        longest_shared, median_shared: longest run of words that stands in the training text too,
            of all completions and of the median one; None where that was not looked for.
        known_share: mean share of 5-grams that stand there.
    """

    completions: int
    ended: float
    median_tokens: float
    repetitive: float
    distinct_2: float
    distinct_4: float
    self_similarity: float
    longest_shared: int | None = None
    median_shared: float | None = None
    known_share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `mgpt-tui eval --json` prints it."""
        return asdict(self)


def read_beginnings(
    path: Path, text_column: str | None = None, left_out: LeftOut | None = None
) -> list[str]:
    """Beginnings of stories: a YAML list of texts, or a file of stories as `prepare` takes it.

    Args:
        text_column: see `training.sources.columns.choose_column`.
        left_out: is told what is not read.

    Raises:
        UserError: where the file cannot be read or holds something else.
    """
    if path.suffix.lower() not in YAML_TYPES:
        source = open_local_source(str(path), "--prompts", text_column)
        found = [clean_text(story.text) for story in source.stories()]
        if left_out is not None:
            left_out.extend(source.left_out)
        return found
    try:
        # Texts, lists and mappings is all that the base loader makes, whatever tags there are.
        content = yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} is not YAML: {reason}.", "Mend the file.") from None
    if not isinstance(content, list) or not all(isinstance(text, str) for text in content):
        raise UserError(f"{path} is no list of texts.", 'Write a line `- "Once upon"` for each.')
    beginnings = [clean_text(text) for text in content if text.strip()]
    if not beginnings:
        raise UserError(f"{path} holds no beginnings.", "Write some into it.")
    return beginnings


def complete(
    engine: Engine, beginnings: Sequence[str], settings: SamplingSettings, samples: int
) -> Iterator[Completion]:
    """Completions of all beginnings, `samples` of each, as they come.

    Args:
        settings: its seed is that of each beginning's first sample; sample i adds i to it.

    Raises:
        UserError: where the model's scores are no numbers.
    """
    assert settings.seed is not None
    for beginning in beginnings:
        read = tuple(engine.tokenizer.encode(beginning))  # as tokens, no word of it is held back
        for sample in range(samples):
            own = replace(settings, seed=settings.seed + sample, finish_sentence=False)
            generation = engine.stream([read], own)
            text = "".join(chunk.text for chunk in generation)
            end = generation.finished
            yield Completion(beginning, text, end.tokens, end.reason is FinishReason.END, own.seed)


def written_by_people(stories: Sequence[ScoredStory], tokenizer: Tokenizer) -> list[Completion]:
    """Held-out stories in the place of completions, to compare those with."""
    return [
        Completion("", clean_text(tokenizer.decode(story.tokens)), len(story.tokens), True, None)
        for story in stories
    ]


def sum_up(completions: Sequence[Completion], novelty: Sequence[Novelty] | None) -> Writing:
    """The figures of at least one completion.

    Args:
        novelty: of each of them, where it was looked for.
    """
    texts = [words(completion.text) for completion in completions]
    count = len(completions)
    shared = [len(entry.longest) for entry in novelty or ()]
    return Writing(
        completions=count,
        ended=sum(completion.ended for completion in completions) / count,
        median_tokens=statistics.median(completion.tokens for completion in completions),
        repetitive=sum(completion.repeats > MOST_REPEATS for completion in completions) / count,
        distinct_2=distinct_share(texts, 2),
        distinct_4=distinct_share(texts, 4),
        self_similarity=self_similarity(texts),
        longest_shared=max(shared) if shared else None,
        median_shared=statistics.median(shared) if shared else None,
        known_share=sum(entry.known_share for entry in novelty) / count if novelty else None,
    )
