"""Paragraphs are set apart wherever a story is read; the story itself stays as it was written."""

from __future__ import annotations

from textual.widgets import TextArea

from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.another_word import AnotherWordScreen
from mgpt_tui.ui.screens.bridge.marking import MarkScreen
from mgpt_tui.ui.screens.bridge.ways import WaysScreen
from mgpt_tui.ui.screens.compare import Candidate, CompareScreen
from mgpt_tui.ui.screens.edit import EditScreen
from mgpt_tui.ui.screens.inside.screen import InsideScreen
from mgpt_tui.ui.screens.inside.walk import Walk
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.story_pane import StoryPane

WORDS = (" sang.\n", "It", " was", " shiny.\n", "\n", "The", " end.")
TOLD = "The key sang.\nIt was shiny.\n\nThe end."
SHOWN = "The key sang.\n\nIt was shiny.\n\nThe end."


def rows(pane: StoryPane) -> list[str]:
    """What stands in the rows of the story, without bars and margins."""
    return [pane.render_line(row).text.strip(" │") for row in range(1, 7)]


async def test_an_empty_line_stands_between_paragraphs_of_the_room(open_room, engine) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        pane = writer.room.query_one(StoryPane)
        await writer.until(lambda: rows(pane) == [*SHOWN.split("\n"), ""])
        assert writer.text == writer.shown == TOLD


async def test_it_stands_there_once_the_next_paragraph_has_a_word(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin("The key", " sang.\n")
        pane = writer.room.query_one(StoryPane)
        await writer.until(lambda: rows(pane)[:2] == ["The key sang.", "▌"])
        manual.write("It")
        await writer.until(lambda: rows(pane)[:3] == ["The key sang.", "", "It▌"])
        manual.write(" was")
        await writer.until(lambda: rows(pane)[:4] == ["The key sang.", "", "It was▌", ""])


async def test_the_mouse_marks_and_hits_what_it_points_at(open_room, engine) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        pane = writer.room.query_one(StoryPane)
        await writer.until(lambda: rows(pane)[4] == "The end.")
        left = pane.render_line(1).text.index("The key")
        await writer.drag(pane, (left + 4, 1), (left + 5, 3))
        await writer.press("ctrl+c")
        assert writer.app.clipboard == "key sang.\n\nIt was"
        await writer.drag(pane, (left + 4, 1), (left + 5, 2))  # to the empty line
        await writer.press("ctrl+c")
        assert writer.app.clipboard == "key sang."
        await writer.pilot.click(pane, offset=(left + 4, 3), times=2)
        await writer.on(AnotherWordScreen)
        await writer.until(lambda: engine.looked[-1] == ("The key", (1001, 1002)))


async def test_what_stood_at_the_top_stays_there_at_another_width(open_room, engine) -> None:
    engine.words = tuple(f" Line {number} has some words and some more.\n" for number in range(40))
    async with open_room(engine) as writer:
        await writer.tell("A key.")
        pane = writer.room.query_one(StoryPane)
        await writer.sees("Line 39")
        await writer.press("pageup")
        await writer.still()
        top = next(row for row in map(pane.render_line, range(2)) if "Line" in row.text).text
        if "Line" not in pane.render_line(0).text:
            pane.scroll_relative(y=1, animate=False)
            await writer.still()
        word = top.split("has")[0].strip()
        for width in (60, 30, 80):
            await writer.pilot.resize_terminal(width, 24)
            await writer.until(lambda: word in pane.render_line(0).text)


async def test_one_walks_over_it_when_looking_inside(open_room, engine) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await writer.press("f9")
        await writer.on(InsideScreen)
        walk = writer.app.screen.query_one(Walk)
        await writer.press("home", "down")
        await writer.sees("↵It token 4")
        await writer.press("up")
        await writer.until(lambda: walk.number == 1)
        await writer.pilot.click(walk, offset=(1 + len("It w"), 4))
        await writer.sees("␣was token 5")


async def test_continuations_side_by_side_have_it(open_room, engine) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await writer.press("f6")
        await writer.on(CompareScreen)
        words = writer.app.screen.query_one(Candidate).query_one(Plain)
        await writer.until(lambda: words.said.endswith("sang.\n\nIt was shiny.\n\nThe end."))


async def test_the_passage_around_a_word_has_it(open_room, engine) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await writer.press("f5")
        await writer.on(AnotherWordScreen)
        passage = writer.app.screen.query_one("#passage", Plain)
        assert str(passage.content) == SHOWN
        await writer.pilot.click(passage, offset=(2 + len("It w"), 3))
        await writer.until(lambda: engine.looked[-1] == ("The key", (1001, 1002)))


async def test_a_bridge_is_marked_and_chosen_with_it(open_room, engine, monkeypatch) -> None:
    monkeypatch.setattr("tests.ui.conftest.WAYS", (" It sang.\nIt shone.",))
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await writer.command("/bridge")
        await writer.on(MarkScreen)
        passage = writer.app.screen.query_one("#marked", Plain)
        assert str(passage.content) == SHOWN.replace("shiny.", "shiny. … ")
        await writer.press("enter")
        await writer.on(WaysScreen)
        before, after = (shore.said for shore in writer.app.screen.query(".shore").results(Plain))
        assert (before, after) == ("The key sang.\n\nIt was shiny.", "The end.")
        words = writer.app.screen.query_one(Candidate).query_one(Plain)
        await writer.until(lambda: words.said == "It sang.\n\nIt shone.")


async def test_the_editor_shows_it_and_leaves_what_nobody_changed(open_room, engine) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        story = writer.app.session.story
        await writer.press("f4")
        await writer.on(EditScreen)
        assert writer.app.screen.query_one(TextArea).text == SHOWN
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.app.session.story == story
        await writer.press("f4")
        await writer.on(EditScreen)
        await writer.press("ctrl+home", *"Oh. ", "escape")
        await writer.on(MainScreen)
        assert writer.text == "Oh. " + TOLD
        model = [span.text for span in writer.app.session.story.spans if span.tokens]
        assert model == ["".join(WORDS)]


async def test_an_empty_line_that_the_editor_put_in_is_no_change_to_come_back_to(
    open_room, engine
) -> None:
    engine.words = WORDS
    async with open_room(engine) as writer:
        await writer.tell("The key")
        await writer.press("f4")
        await writer.on(EditScreen)
        assert writer.room.drafting.draft.edit == ""
        await writer.press("!")
        assert writer.room.drafting.draft.edit == SHOWN + "!"
