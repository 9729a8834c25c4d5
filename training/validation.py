"""A look at a model that is being trained: its score on held-out stories, and a text of its own."""

from __future__ import annotations

from mgpt_tui.model.gpt import GPT
from training.config import ReportSettings
from training.data.prepared import Prepared
from training.evaluation.held_out import prepared_stories
from training.evaluation.sample import write_sample
from training.evaluation.scoring import score
from training.metrics import Sample, Score
from training.step.distributed import World


class Validation:
    """The held-out stories, which the processes of a run share out among them.

    Args:
        data: whose stories.
        report: how many of them, and what is written.
        world: the processes.
    """

    def __init__(self, data: Prepared, report: ReportSettings, world: World) -> None:
        self._tokenizer = data.tokenizer
        self._report = report
        self._world = world
        self._stories = prepared_stories(data, report.eval_stories)[world.rank :: world.size]

    @property
    def tokens(self) -> int:
        """Tokens that this process scores."""
        return sum(len(story.tokens) + 1 for story in self._stories)

    def score(self, model: GPT) -> Score:
        """The score on all the stories, the same for every process.

        Raises:
            LostPeer: where another process has died.
        """
        own = score(model, self._tokenizer.end_token, self._stories)
        if self._world.size == 1:
            return own
        sums = self._world.gather([own.loss * own.tokens, own.tokens, own.bytes]).sum(0).tolist()
        return Score(sums[0] / max(1, sums[1]), int(sums[1]), int(sums[2]))

    def sample(self, model: GPT) -> Sample | None:
        """What the model writes, where that was asked for.

        Raises:
            UserError: where the model's scores are no numbers.
        """
        report = self._report
        if not report.sample_tokens:
            return None
        return write_sample(model, self._tokenizer, report.sample_prompt, report.sample_tokens)
