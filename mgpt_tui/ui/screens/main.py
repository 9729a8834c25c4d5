"""The writing room itself: everything that can be done in it comes together here."""

from __future__ import annotations

from textual import on

from mgpt_tui.errors import UserError
from mgpt_tui.ui.keys import Key, Where, bindings
from mgpt_tui.ui.screens.adjusting import Adjusting
from mgpt_tui.ui.screens.branching import Branching
from mgpt_tui.ui.screens.keeping import Keeping
from mgpt_tui.ui.screens.writing import Writing
from mgpt_tui.ui.widgets.prompt import Prompt


class MainScreen(Writing, Keeping, Branching, Adjusting):
    """Where writing happens. Each of the classes it is made of knows a part of the work."""

    BINDINGS = bindings(Where.ROOM)

    @on(Prompt.Refused)
    def refused(self, message: Prompt.Refused) -> None:
        """A slash command that is none."""
        self.complain(message.error)

    @on(Prompt.Command)
    async def command(self, message: Prompt.Command) -> None:
        """Do what a slash command says."""
        await self.run(message.key, message.argument)

    async def run(self, key: Key, argument: str = "") -> None:
        """Do what a key, a slash command or an entry of the palette stands for."""
        try:
            if self.check_action(key.action.partition("(")[0], ()) is None:
                self.say(f"There is nothing to {key.label} now.")
                return
            where = self.app if key.where is Where.APP else self
            await self.app.run_action(key.call(argument), where)
        except UserError as error:
            self.complain(error)
