"""How the engine is, and how it is kept running."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from mgpt_tui import paths
from mgpt_tui.inference.process.client import EngineLike
from mgpt_tui.inference.process.messages import Died, Ready
from mgpt_tui.stories.story import Maker
from mgpt_tui.ui.notices import Notice, Severity

DEATHS = 3
DEATHS_WITHIN = 20.0
"""The engine is started again unless it died `DEATHS` times within so many seconds."""


class Phase(Enum):
    """How the engine is."""

    LOADING = "loading"
    READY = "ready"
    DOWN = "down"


class Supervisor:
    """Starts an engine, and starts it again where it dies, unless that happens too often.

    Args:
        engine: what is kept running.
        clock: seconds, monotonic.

    Attributes:
        phase: how the engine is.
        model: what it said when it was ready; None before.
        trouble: what keeps it down, in a line; "" where nothing does.
    """

    def __init__(self, engine: EngineLike, clock: Callable[[], float]) -> None:
        self.phase = Phase.LOADING
        self.model: Ready | None = None
        self.trouble = ""
        self._engine = engine
        self._clock = clock
        self._waiting: Callable[[], None] | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)

    # What is asked of it.

    def wake(self) -> None:
        """Start the engine."""
        self.phase, self.trouble = Phase.LOADING, ""
        self._engine.start()

    def switch(self, model: str | None) -> None:
        """Start another model in its place."""
        self.phase, self.trouble, self.model = Phase.LOADING, "", None
        self._deaths.clear()
        self._engine.switch(model)

    def when_ready(self, begin: Callable[[], None]) -> None:
        """Call this once the engine is ready, be it now; it takes the place of what waits."""
        if self.phase is Phase.READY:
            begin()
            return
        self._waiting = begin
        if self.phase is Phase.DOWN:
            self.wake()

    def forget(self) -> None:
        """Let nothing wait any longer."""
        self._waiting = None

    @property
    def is_waiting(self) -> bool:
        """Whether something begins as soon as the engine is ready."""
        return self._waiting is not None

    def maker(self, muted: str = "") -> Maker:
        """What a passage remembers of the model that writes it, muted or whole; there is one."""
        assert self.model is not None
        model = self.model
        decoding = (muted and model.muted_decoding) or model.decoding
        return Maker(
            model=model.model, fingerprint=model.fingerprint, decoding=decoding, muted=muted
        )

    # What it is told.

    def ready(self, event: Ready) -> bool:
        """The engine is ready: what waits begins. Gives whether anything did."""
        self.model, self.phase, self.trouble = event, Phase.READY, ""
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting()
        return waiting is not None

    def down(self, notice: Notice) -> list[Notice]:
        """The engine is not started again until something is asked of it; tells why."""
        self.phase, self._waiting = Phase.DOWN, None
        self.trouble = notice.text.partition("\n")[0]
        self._deaths.clear()
        return [notice]

    def died(self, event: Died, *, waited: bool = False) -> list[Notice]:
        """The engine has ended by itself; gives what the writer should be told.

        Args:
            event: says how it ended.
            waited: whether the writer waits for an answer, which will not come.
        """
        if self.phase is Phase.DOWN:
            return []
        self._deaths.append(self._clock())
        if len(self._deaths) == DEATHS and self._deaths[-1] - self._deaths[0] <= DEATHS_WITHIN:
            times = f"{DEATHS} times in a row (exit code {event.exit_code})"
            text = f"The engine stopped {times}.\nIts log is {paths.engine_log()}."
            return self.down(Notice(text, Severity.ERROR))
        self.wake()
        again = " Then ask it again what it had not answered." if waited else ""
        return [
            Notice(
                f"The engine stopped unexpectedly (exit code {event.exit_code}). "
                f"Your text is safe; it is being started again.{again}",
                Severity.WARNING,
            )
        ]
