"""A goal in words: kept with the story, shown on the way, told once."""

from __future__ import annotations

BEGINNING = "The girl found a key"
REACHED = "The story has its 12 words."


async def test_a_goal_is_shown_told_once_and_kept_with_the_story(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.command("/goal 12")
        await writer.sees("0 of 12 words")
        await writer.tell(BEGINNING)
        await writer.sees("11 of 12 words")
        assert REACHED not in writer.toasts
        await writer.press("enter")
        await writer.until(lambda: REACHED in writer.toasts)
        await writer.sees("17 of 12 words")
        await writer.press("ctrl+z")
        await writer.sees("11 of 12 words")
        await writer.command("/goal many")
        await writer.until(lambda: "many is no number" in writer.toasts)
        await writer.press("ctrl+y")
        await writer.sees("17 of 12 words")
        assert REACHED not in writer.toasts
        await writer.command("/save Keys")
        await writer.command("/new")
        await writer.misses("of 12 words")
        await writer.command("/open Keys")
        await writer.sees("17 of 12 words")
        await writer.command("/goal")
        await writer.until(lambda: writer.prompt.text == "/goal 12")
        await writer.press("ctrl+u")
        await writer.command("/goal OFF")
        await writer.misses("of 12 words")
        await writer.command("/goal 1")
        await writer.sees("17 of 1 word ")
        assert "The goal is 1 word." in writer.toasts


async def test_what_is_no_number_of_words_is_refused(open_room, engine) -> None:
    async with open_room(engine) as writer:
        for wrong in ("many", "-3", "9" * 12, "9" * 4301):  # int() takes 4,300 digits
            await writer.type("/goal ")
            await writer.paste(wrong)
            await writer.press("enter")
            told = f"{wrong[-12:]} is no number"
            await writer.until(lambda told=told: told in writer.toasts)
        assert writer.screen.count("9" * 40) <= 6, "it is not repeated whole"
        await writer.sees("Give one such as 500, or off.")
        assert writer.app.session.story.goal == 0
