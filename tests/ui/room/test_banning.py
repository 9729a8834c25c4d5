"""Words that the model is never to write, and words that it is to."""

from __future__ import annotations

import pytest

from mgpt_tui.inference.process.messages import Failed, Seen
from mgpt_tui.inference.request import Distribution
from mgpt_tui.ui.widgets.bars import StatusLine
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


@pytest.mark.parametrize("line", ["/words dragon", "/ban dragon", "/remember Tom is a frog"])
async def test_a_command_whose_answer_dies_with_the_engine_is_told_and_there_to_say_again(
    open_room, manual, line: str
) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.sees("context")
        await writer.command(line)
        await writer.until(lambda: manual.looked or manual.measured)
        manual.die()
        await writer.until(lambda: "Then ask it again" in writer.toasts)
        await writer.press("up")
        await writer.until(lambda: writer.prompt.text == line)


async def test_words_are_ticked_off_in_the_status_line_and_leave_the_settings(
    open_room, manual
) -> None:
    async with open_room(manual) as writer:
        await writer.begin("A mouse", " sat.")
        manual.end()
        await writer.sees("sat.")
        await writer.command("/words dragon, run")
        await writer.until(lambda: manual.looked)
        manual.say(Seen(-1, Distribution((), 1.0)))
        await writer.until(lambda: "is to hold dragon, run" in writer.toasts)
        status = writer.room.query_one(StatusLine)
        await writer.until(lambda: "○ dragon ○ run" in status.said)
        assert writer.room.desk.panel.sampling.words == ("dragon", "run")
        await writer.command("/words")
        prompt = writer.room.query_one(Prompt)
        await writer.until(lambda: prompt.text == "/words dragon, run")
        await writer.press("enter")
        await writer.until(lambda: len(manual.looked) == 2)
        manual.say(Seen(-2, Distribution((), 1.0)))
        await writer.send("And")
        await writer.until(lambda: len(manual.asked) == 2)
        manual.begin()
        manual.write(" It", " ran.")
        await writer.until(lambda: "○ dragon ✓ run" in status.said)
        manual.end()
        await writer.until(lambda: "dragon has not come" in writer.toasts)
        await writer.until(lambda: writer.room.desk.panel.sampling.words == ("dragon",))
        assert writer.app.session.settings.words == ("dragon",)
        await writer.command("/words off")
        await writer.until(lambda: writer.app.session.settings.words == ())


async def test_words_that_cannot_be_are_refused_and_nothing_changes(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.sees("context")
        await writer.command("/words x1, dragon")
        await writer.until(lambda: "words cannot have 'x1'" in writer.toasts)
        await writer.command("/words ,")
        await writer.until(lambda: "words cannot be ','" in writer.toasts)
        await writer.command("/words a b c d e f g h i")
        await writer.until(lambda: "Give up to 8 words" in writer.toasts)
        assert not manual.looked
        await writer.command("/words dragon")
        await writer.until(lambda: manual.looked)
        manual.fail(-1)
        await writer.until(lambda: "cannot be [read]" in writer.toasts)
        assert writer.app.session.settings.words == ()
