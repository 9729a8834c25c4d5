"""What must not be forgotten: a note that the model always sees."""

from __future__ import annotations

from mgpt_tui.inference.request import Note
from mgpt_tui.ui.widgets.prompt import Prompt

BEGINNING = "The girl found a key"
NOTE = "Mia is a mouse."


async def test_a_note_goes_before_every_passage_and_comes_back_with_the_story(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.command(f"/remember {NOTE}")
        await writer.until(lambda: "stays in the model's view" in writer.toasts)
        await writer.sees("18/256, note 4")
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 2 and not writer.app.session.is_busy)
        assert engine.asked[0][0] == (BEGINNING,)
        assert engine.asked[1][0][:2] == (Note(NOTE), BEGINNING)
        assert [span.note for span in writer.app.session.story.spans] == ["", "", NOTE]
        assert NOTE not in writer.text
        await writer.press("f6")
        await writer.until(lambda: len(engine.asked) == 3)
        assert engine.asked[2][0][0] == Note(NOTE)
        await writer.press("1")
        await writer.until(lambda: writer.app.session.comparison is None)
        assert writer.app.session.story.spans[-1].note == NOTE
        await writer.command("/save Mia")
        await writer.command("/new")
        await writer.until(lambda: not writer.text)
        assert writer.app.session.story.note == ""
        await writer.command("/open Mia")
        await writer.sees(", note 4")
        await writer.command("/remember")
        prompt = writer.room.query_one(Prompt)
        await writer.until(lambda: prompt.text == f"/remember {NOTE}")
        await writer.type(" Go")
        await writer.press("enter")
        await writer.until(lambda: writer.app.session.story.note == f"{NOTE} Go")
        await writer.command("/forget")
        await writer.misses(", note")
        await writer.command("/forget")
        await writer.until(lambda: "no note to forget" in writer.toasts)
        writer.room.desk.notice_line.clear()
        await writer.command("/remember off")
        await writer.until(lambda: "no note to forget" in writer.toasts)
        await writer.command("/remember On or off")
        await writer.until(lambda: "stays in the model's view" in writer.toasts)
        await writer.command("/remember Off")
        await writer.until(lambda: writer.app.session.story.note == "")


async def test_a_note_that_is_refused_changes_nothing(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.sees("context")
        await writer.command("/remember " + NOTE)
        await writer.until(lambda: manual.measured)
        manual.fail(-1001)
        await writer.until(lambda: "cannot be [read]. Train *another*." in writer.toasts)
        assert writer.app.session.story.note == ""
