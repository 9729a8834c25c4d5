"""What the writer is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mgpt_tui.errors import UserError


class Severity(StrEnum):
    """How much a notice matters, in Textual's words."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the writer."""

    text: str
    severity: Severity = Severity.INFORMATION

    @classmethod
    def of(cls, error: UserError) -> Notice:
        """What went wrong."""
        return cls(str(error), Severity.ERROR)
