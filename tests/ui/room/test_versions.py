"""One story in several versions: edits, siblings, candidates side by side, the map."""

from __future__ import annotations

from textual.widgets import TextArea, Tree

from mgpt_tui.inference.request import FinishReason, Until
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Author, Story
from mgpt_tui.ui.room.main import MainScreen
from mgpt_tui.ui.screens.branches import BranchesScreen
from mgpt_tui.ui.screens.compare import Candidate, CompareScreen
from mgpt_tui.ui.screens.edit import EditScreen

BEGINNING = "The girl found a key"
TOLD = BEGINNING + " on the ground. It was shiny."


async def test_the_story_goes_on_by_a_word_a_sentence_a_paragraph_or_to_the_end(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        for key in ("alt+w", "alt+s", "alt+p"):
            asked = len(engine.asked)
            await writer.press(key)
            await writer.until(lambda asked=asked: len(engine.asked) > asked)
        await writer.command("/whole")
        await writer.until(lambda: len(engine.asked) == 5)
        assert engine.untils == [
            Until.LENGTH, Until.WORD, Until.SENTENCE, Until.PARAGRAPH, Until.END,
        ]  # fmt: skip
        await writer.until(lambda: not writer.app.session.is_busy)
        await writer.press("ctrl+r")
        await writer.until(lambda: len(engine.asked) == 6)
        assert engine.untils[-1] is Until.END


# Editing.


async def test_the_story_is_edited_anywhere_and_undo_takes_it_back(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f4")
        await writer.on(EditScreen)
        editor = writer.app.screen.query_one(TextArea)
        assert editor.text == TOLD
        await writer.press("ctrl+home", *["right"] * 5, *["delete"] * 3, *"boy")
        edited = editor.text
        assert edited.startswith("The gboy found")
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.text == writer.shown == edited
        model = [span.text for span in writer.app.session.story.spans if span.tokens]
        assert model == [TOLD.removeprefix(BEGINNING)]
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 2)
        assert any(isinstance(part, tuple) for part in engine.asked[1][0])
        await writer.until(lambda: not writer.app.session.is_busy)
        await writer.press("ctrl+z", "ctrl+z")
        assert writer.shown == TOLD


async def test_an_edit_can_be_forgotten(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f4", *"xyz", "f10")
        await writer.on(MainScreen)
        assert writer.text == TOLD


async def test_controls_pasted_into_the_editor_are_shown(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f4")
        await writer.on(EditScreen)
        await writer.paste("\x1b[2J\r\nend")
        await writer.press("escape")
        await writer.until(lambda: writer.text == TOLD + "␛[2J\nend")


async def test_editing_stops_the_model_first(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: writer.shown.endswith(" the"))
        await writer.press("f4")
        await writer.on(EditScreen)
        assert manual.stopped == [1]
        manual.write(" ground")
        await writer.press("!", "escape")
        await writer.on(MainScreen)
        assert writer.text == BEGINNING + " on the!"


# Siblings.


async def test_a_retry_stays_as_a_branch_one_key_away(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("alt+left")
        assert writer.shown == TOLD
        engine.words = (" here.",)
        await writer.press("ctrl+r")
        await writer.until(lambda: writer.text == BEGINNING + " here.")
        await writer.sees("version 2 of 2")
        await writer.press("alt+left")
        assert writer.shown == TOLD
        await writer.sees("version 1 of 2")
        await writer.press("alt+left")
        await writer.until(lambda: "the first of 2 versions; alt+right goes" in writer.toasts)
        assert writer.shown == TOLD
        await writer.press("alt+right")
        assert writer.shown == BEGINNING + " here."
        await writer.press("ctrl+z")
        assert writer.shown == TOLD


async def test_at_80_columns_a_seed_of_ten_digits_does_not_take_the_version_away(
    open_room, engine
) -> None:
    async with open_room(engine, (80, 24)) as writer:
        await writer.command("/set seed 1512633110")
        await writer.command("/goal 500")
        await writer.tell(BEGINNING)
        await writer.press("ctrl+r")
        await writer.sees("version 2 of 2")
        await writer.sees("11 of 500 words")
        await writer.sees("len 50")


# Side by side.


async def test_one_of_several_is_kept_and_the_others_stay_as_branches(
    open_room, engine, size
) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f6")
        await writer.on(CompareScreen)
        await writer.sees("[2] on the")
        await writer.press("2")
        await writer.on(MainScreen)
        kept = TOLD + " [1]" + TOLD.removeprefix(BEGINNING)
        assert writer.text == writer.shown == kept
        story = writer.app.session.story
        assert len(story.siblings) == 3
        assert [story.nodes[id].span.seed for id in story.siblings] == [102, 103, 104]
        await writer.sees("seed 103")
        await writer.press("alt+left")
        assert " [0] on" in writer.shown
        await writer.sees("seed 102")
        await writer.press("ctrl+z", "ctrl+z")
        assert writer.shown == TOLD


async def test_side_by_side_goes_on_from_the_line_that_is_being_typed(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.paste(BEGINNING)
        await writer.press("f6")
        await writer.on(CompareScreen)
        await writer.sees("[2] on the")
        await writer.press("2")
        await writer.on(MainScreen)
        assert writer.text == BEGINNING + " [1]" + TOLD.removeprefix(BEGINNING)
        assert writer.prompt.text == ""


async def test_a_line_stays_where_nothing_can_be_put_side_by_side(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.paste(BEGINNING)
        await writer.press("f6")
        await writer.until(lambda: "not ready" in writer.toasts)
        assert (writer.text, writer.prompt.text) == ("", BEGINNING)


async def test_candidates_are_chosen_by_walking_and_by_the_mouse(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.command("/compare 4")
        await writer.on(CompareScreen)
        await writer.sees("[3]")
        await writer.press("right", "right", "enter")
        await writer.on(MainScreen)
        assert " [2] on" in writer.shown
        await writer.press("f6")
        await writer.on(CompareScreen)
        await writer.sees("[1]")
        wanted = writer.app.screen.query(Candidate)[1]
        for _ in range(2):
            await writer.pilot.click(wanted, offset=(3, 3))
            await writer.settle()
        await writer.on(MainScreen)
        assert writer.text.count(" [1] on") == 1


async def compare(writer, manual) -> None:
    """Have continuations begun that a test writes by hand."""
    await writer.begin(BEGINNING)
    manual.end()
    await writer.until(lambda: not writer.app.session.is_busy)
    await writer.press("f6")
    await writer.on(CompareScreen)
    manual.begin()


async def test_leaving_the_candidates_keeps_none_but_loses_none(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await compare(writer, manual)
        manual.write(" one", sample=0)
        manual.write(" two", sample=2)
        await writer.sees("two")
        await writer.press("2")  # nothing is there yet
        await writer.press("escape")  # stops
        assert manual.stopped == [2]
        await writer.press("escape")
        await writer.on(MainScreen)
        assert writer.text == BEGINNING
        texts = [node.span.text for node in writer.app.session.story.nodes]
        assert texts[-2:] == [" one", " two"]


async def test_a_story_that_has_ended_is_continued_all_the_same(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await writer.begin(BEGINNING, " fell.")
        manual.end(FinishReason.END)
        await writer.until(lambda: not writer.app.session.is_busy)
        await writer.sees("Enter has it go on all the same")
        await writer.press("ctrl+z", "ctrl+y", "f6")
        await writer.on(CompareScreen)
        manual.begin()
        for sample in range(3):
            manual.end(FinishReason.END, sample=sample)
        await writer.until(lambda: len(manual.asked) == 3)
        assert "the story ends here" not in writer.screen
        manual.begin()
        for sample in range(3):
            manual.write(f" Number {sample}.", sample=sample)
            manual.end(sample=sample)
        await writer.sees("Number 2.")
        await writer.press("2")
        await writer.on(MainScreen)
        assert writer.shown == BEGINNING + " fell. Number 1."


async def test_an_empty_column_says_why_it_cannot_be_kept(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await compare(writer, manual)
        manual.write(" zebras", sample=0)
        manual.end(FinishReason.END, sample=1)
        await writer.sees(" zebras")
        for key in "32":
            await writer.press(key)
            await writer.sees("has written nothing there yet")
        assert "story ends" not in writer.screen  # the model will be asked to go past its end
        await writer.press("escape", "2")
        await writer.sees("(the story ends here)")
        await writer.sees("The story ends there")
        await writer.press("right", "right", "enter")
        await writer.sees("stopped before")
        await writer.press("1")
        await writer.on(MainScreen)
        assert writer.shown == BEGINNING + " zebras"


async def test_a_number_that_cannot_be_compared_is_refused(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.command("/compare 99")
        await writer.sees("from 2 to 8")
        assert writer.app.screen is writer.room


# The map.


async def test_the_map_leads_to_every_version(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        engine.words = (" here.",)
        await writer.press("ctrl+r")
        await writer.until(lambda: writer.text == BEGINNING + " here.")
        await writer.press("f7")
        await writer.on(BranchesScreen)
        await writer.sees("● · here.")
        await writer.sees("○ │ The girl found a key")
        await writer.sees("· on the ground.")
        await writer.press("up", "enter")
        await writer.on(MainScreen)
        assert writer.shown == TOLD
        await writer.press("ctrl+z")
        assert writer.shown == BEGINNING + " here."


async def test_the_map_answers_to_the_mouse(open_room, engine) -> None:
    async with open_room(engine, (100, 30)) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f7")
        await writer.on(BranchesScreen)
        tree = writer.app.screen.query_one(Tree)
        await writer.sees("on the ground.")
        await writer.pilot.click(tree, offset=(8, 1))
        await writer.on(MainScreen)
        assert writer.shown == BEGINNING


# What the writer is told.


async def test_words_are_counted_by_author(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.sees("you 5, model 6 words")


async def test_text_that_the_model_cannot_see_is_marked(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin("word " * 400 + "\nlast line", " yes", window_start=256)
        manual.end(FinishReason.END)
        await writer.until(lambda: not writer.app.session.is_busy)
        await writer.press("ctrl+home")
        await writer.sees("┊ word word")
        await writer.press("end")
        await writer.sees("│ last line yes")


async def test_the_context_is_shown_wherever_the_story_was_changed(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.sees(" 14/256")
        await writer.press("f6")
        await writer.on(CompareScreen)
        await writer.sees("[2]")
        await writer.press("escape")
        await writer.sees(" 14/256")
        await writer.press("f6")
        await writer.on(CompareScreen)
        await writer.sees("[2]")
        await writer.press("2")
        await writer.sees(" 23/256")
        await writer.press("f4", *"So", "space", "escape")
        await writer.sees(" 24/256")
        await writer.press("ctrl+n")
        await writer.sees(" 0/256")
        await writer.press("ctrl+o", "enter")
        await writer.sees(" 24/256")


async def test_an_opened_story_is_dimmed_where_the_model_cannot_see_it(open_room, engine) -> None:
    library = StoryLibrary()
    library.add(Story().write("word " * 400 + "\nlast line"), "Long")
    async with open_room(engine) as writer:
        await writer.command("/open Long")
        await writer.sees("of 403")
        await writer.press("ctrl+home")
        await writer.sees("┊ word word")


async def test_a_comparison_is_written_by_the_model(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("f6")
        await writer.on(CompareScreen)
        await writer.sees("[2]")
        await writer.press("1")
        await writer.on(MainScreen)
        authors = [span.author for span in writer.app.session.story.spans]
        assert authors == [Author.WRITER, Author.MODEL, Author.MODEL]
