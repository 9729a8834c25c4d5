"""What workers tell the screen."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from mgpt_tui.inference.process.messages import Event


@dataclass
class EngineSpoke(Message):
    """What the engine said since the last such message, in order and complete."""

    events: list[Event]


@dataclass
class KeepFailed(Message):
    """The story could not be written to disk in the background."""

    message: str
    remedy: str


@dataclass
class Kept(Message):
    """The story was written to disk in the background."""
