"""Stories of the Hugging Face hub; nothing else here uses the network."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.hub import NotFromTheHub, look_up, problem
from mgpt_tui.memory import is_lack_of_memory
from mgpt_tui.text import one_line
from training.sources.columns import Row, column_texts
from training.sources.tables import first_line


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A data set on the Hugging Face hub, streamed.

    Attributes:
        name: owner/name.
        split: such as "train".
        text_column: see `choose_column`.
    """

    name: str
    split: str
    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `training.sources.story_files.StoryFile`."""
        return column_texts(self.name, self._rows(), self.text_column)

    def _rows(self) -> Iterator[Row]:
        try:
            look_up(self.name, "dataset")
            data = _datasets().load_dataset(self.name, split=self.split, streaming=True)
            for number, fields in enumerate(data, 1):
                yield Row(f"{self.name}, row {number}", fields, 0)
        except Exception as error:  # the hub's client raises errors of many libraries
            if is_lack_of_memory(error):
                raise
            why = error if isinstance(error, NotFromTheHub) else problem(error)
            raise UserError(
                f"{self.name} is no file or folder here, and cannot be read from the hub "
                f"(split {self.split}): {one_line(first_line(error).rstrip('.'))}.",
                f"{why.remedy}; or fetch its files and give their folder.",
            ) from error


def _datasets() -> Any:
    import datasets

    datasets.disable_progress_bars()
    # What goes wrong is raised and reported once; their own lines would tear the progress bar.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return datasets
