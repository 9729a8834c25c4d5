"""Words that the model is never to write."""

from __future__ import annotations

from mgpt_tui.inference.process.messages import Failed, Seen
from mgpt_tui.inference.request import Distribution
from mgpt_tui.ui.widgets.prompt import Prompt


async def test_a_word_is_banned_in_each_form_that_the_model_has(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.sees("context")
        await writer.command("/ban dragon")
        await writer.until(lambda: len(manual.looked) == 4)
        for id in (-1, -2, -3):
            manual.say(Seen(id, Distribution((), 1.0)))
        manual.say(Failed(-4, "'Dragon' is not one token.", "Name one."))
        await writer.until(lambda: "does not write 'dragon'" in writer.toasts)
        assert writer.app.session.settings.ban == (" dragon", " Dragon", "dragon")
        await writer.command("/ban")
        prompt = writer.room.query_one(Prompt)
        await writer.until(lambda: prompt.text == "/set ban \\sdragon | \\sDragon | dragon")
        await writer.press("enter")
        await writer.until(lambda: "ban is" in writer.toasts)
        assert writer.app.session.settings.ban == (" dragon", " Dragon", "dragon")


async def test_a_word_that_is_no_token_is_said_and_nothing_is_banned(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.sees("context")
        await writer.command("/ban caterpillar")
        await writer.until(lambda: len(manual.looked) == 4)
        for id in (-1, -2, -3, -4):
            manual.fail(id)
        await writer.until(lambda: "cannot be [read]" in writer.toasts)
        assert writer.app.session.settings.ban == ()
