"""Writing in the room: every key and flow, at both sizes."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste
from textual.strip import Strip

from mgpt_tui.inference.request import FinishReason, SamplingSettings, Until
from mgpt_tui.ui.widgets.story_pane import StoryPane

BEGINNING = "The girl found a key"
TOLD = BEGINNING + " on the ground. It was shiny."


def idle(writer):
    return lambda: not writer.app.session.is_busy


async def test_a_line_is_sent_and_answered_on_the_screen(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.press(*"Tom", "space", *"ran", "enter")
        await writer.until(lambda: writer.text.startswith("Tom ran on the ground."))
        await writer.until(idle(writer))
        assert writer.shown == writer.text
        await writer.sees(writer.text)
        assert writer.prompt.text == ""
        assert writer.prompt.has_focus


async def test_enter_does_not_overtake_a_fast_typist(open_room, engine) -> None:
    async with open_room(engine) as writer:
        for character in BEGINNING:
            writer.app.post_message(Key(character, character))
        writer.app.post_message(Key("enter", None))
        await writer.until(lambda: engine.asked)
        await writer.until(idle(writer))
        assert writer.text == TOLD
        assert writer.prompt.text == ""


async def test_enter_on_an_empty_line_goes_on(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 2)
        await writer.until(lambda: writer.text == TOLD + TOLD.removeprefix(BEGINNING))


async def test_a_story_may_begin_with_an_empty_line(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.press("enter")
        await writer.until(lambda: writer.text == TOLD.removeprefix(BEGINNING))


@pytest.mark.parametrize(
    ("key", "until"),
    [
        ("alt+w", Until.WORD),
        ("alt+s", Until.SENTENCE),
        ("alt+p", Until.PARAGRAPH),
        ("alt+g", Until.END),
    ],
)
async def test_whatever_lets_the_model_go_on_sends_the_typed_line_first(
    open_room, engine, key, until
) -> None:
    async with open_room(engine) as writer:
        await writer.paste(BEGINNING)
        await writer.press(key)
        await writer.until(lambda: engine.asked)
        await writer.until(idle(writer))
        assert engine.untils == [until]
        assert writer.text == TOLD
        assert writer.prompt.text == ""
        await writer.press("up")
        assert writer.prompt.text == BEGINNING  # as after enter
        await writer.press("down", key)
        await writer.until(lambda: len(engine.asked) == 2)


async def test_a_typed_command_stays_while_the_model_goes_on(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.type("/ret")
        await writer.press("alt+w")
        await writer.until(lambda: len(engine.asked) == 2)
        assert writer.text.startswith(TOLD)
        assert writer.prompt.text == "/ret"
        await writer.press("ctrl+u")
        await writer.paste("/etc [x]")
        await writer.press("alt+w")
        await writer.until(lambda: "/etc [x]" in writer.text)


async def test_retry_leaves_the_line_that_is_being_typed_for_later(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.type("And so")
        await writer.press("ctrl+r")
        await writer.until(lambda: len(engine.asked) == 2)
        await writer.until(idle(writer))
        assert writer.text == TOLD
        assert writer.prompt.text == "And so"


async def test_the_seed_on_screen_is_that_of_the_passage_on_screen(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.sees("seed 101")
        await writer.press("enter")
        await writer.until(lambda: len(engine.asked) == 2)
        await writer.sees("seed 102")
        await writer.press("ctrl+r")
        await writer.sees("seed 103")
        await writer.press("alt+left")
        await writer.sees("seed 102")
        await writer.press("ctrl+z", "ctrl+z", "ctrl+z")
        await writer.sees("seed 101")
        await writer.press("ctrl+z")
        await writer.misses("seed")
        await writer.press("ctrl+y")
        await writer.sees("seed 101")
        await writer.press("ctrl+n")
        await writer.misses("seed")
        await writer.press("ctrl+o", "enter")
        await writer.sees("seed 101")


async def test_ctrl_j_begins_a_line_and_the_prompt_grows(open_room, engine) -> None:
    async with open_room(engine) as writer:
        assert writer.prompt.size.height == 1
        await writer.press("a", "ctrl+j", "b", "shift+enter", "c")
        assert writer.prompt.text == "a\nb\nc"
        assert writer.prompt.size.height == 3
        await writer.press(*["ctrl+j"] * 20)
        assert writer.prompt.size.height <= 8
        assert writer.room.query_one(StoryPane).size.height >= 8


async def test_a_long_paste_arrives_whole_and_clean(open_room, engine) -> None:
    async with open_room(engine) as writer:
        text = "\r\n".join(f"line {number} \x1b[2J\u202e" for number in range(300))
        await writer.paste(text)
        lines = writer.prompt.text.split("\n")
        assert len(lines) == 300
        assert lines[299] == "line 299 ␛[2J⟦RLO⟧"
        await writer.press("enter")
        await writer.until(lambda: "line 0 ␛" in writer.text)
        assert "\x1b" not in writer.text


async def test_text_goes_in_at_the_cursor(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.press(*"ad", "left")
        writer.app.post_message(Paste("bc"))
        await writer.until(lambda: writer.prompt.text == "abcd")
        await writer.press("X")
        assert writer.prompt.text == "abcXd"


async def test_esc_stops_and_keeps_what_was_written(open_room, manual, size) -> None:
    async with open_room(manual, size) as writer:
        await writer.begin(BEGINNING, " on", " the")
        await writer.until(lambda: writer.shown == BEGINNING + " on the")
        await writer.sees("▌")
        await writer.press("escape")
        assert manual.stopped == [1]
        manual.write(" ground")
        manual.end(FinishReason.CANCELLED)
        await writer.until(lambda: writer.is_heard)
        assert writer.shown == BEGINNING + " on the"
        await writer.misses("▌")


async def test_ctrl_r_replaces_the_last_passage_only(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        engine.words = (" here.",)
        await writer.press("enter")
        await writer.until(lambda: writer.text == TOLD + " here.")
        engine.words = (" there.",)
        await writer.press("ctrl+r")
        await writer.until(lambda: writer.text == TOLD + " there.")
        assert engine.asked[2][0] == engine.asked[1][0]
        assert writer.shown == writer.text


async def test_retry_with_a_seed_says_that_nothing_will_change(open_room, engine) -> None:
    async with open_room(engine) as writer:
        writer.app.session.settings = SamplingSettings(seed=7)
        await writer.tell(BEGINNING)
        await writer.press("ctrl+r")
        await writer.until(lambda: len(engine.asked) == 2)
        assert "A seed is set" in writer.toasts


async def test_undo_and_redo_walk_through_the_story(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        await writer.tell(BEGINNING)
        await writer.press("ctrl+z")
        assert writer.shown == BEGINNING
        await writer.press("ctrl+z")
        assert writer.shown == ""
        await writer.press("ctrl+z", "ctrl+y")
        assert writer.shown == BEGINNING
        await writer.press("ctrl+y", "ctrl+y")
        assert writer.shown == TOLD


async def test_undo_in_a_line_being_typed_undoes_the_typing(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.press("a", "b")
        await writer.press("ctrl+z")
        assert writer.prompt.text == ""
        assert writer.text == TOLD
        await writer.press("ctrl+z")
        assert writer.text == BEGINNING


async def test_nothing_written_is_markup(open_room, engine) -> None:
    async with open_room(engine) as writer:
        engine.words = (" [red]", "on", " **the**", " \x1b[2J", " [/]")
        line = "[bold]A[/] *key* # \\[b] [@click=quit]x ["
        await writer.paste(line)
        await writer.sees(line)
        await writer.press("enter")
        told = f"{line} [red]on **the** ␛[2J [/]"
        await writer.until(lambda: writer.text == told)
        await writer.sees(told)


async def test_the_app_paints_and_takes_lines_before_the_engine_is_ready(
    open_room, manual, size
) -> None:
    async with open_room(manual, size) as writer:
        await writer.sees("the model is loading")
        await writer.send(BEGINNING)
        await writer.sees("in a moment")
        await writer.misses("F1 shows")
        assert writer.shown == BEGINNING
        assert manual.asked == []
        manual.be_ready()
        await writer.until(lambda: len(manual.asked) == 1)
        await writer.sees("storyteller 14M")
        await writer.misses("is loading")


async def test_a_crash_is_told_and_costs_no_text(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin(BEGINNING, " on", " the")
        manual.die()
        await writer.until(lambda: manual.starts == 2)
        assert writer.shown == BEGINNING + " on the"
        assert "stopped unexpectedly" in writer.toasts
        await writer.press("enter")
        manual.be_ready()
        await writer.until(lambda: len(manual.asked) == 2)


async def test_a_model_that_cannot_be_loaded_is_told_as_plain_text(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.fail(None)
        manual.die(2)
        await writer.sees("Enter tries again")
        await writer.sees("cannot be [read]")
        assert "Train *another*" in writer.toasts
        await writer.send(BEGINNING)
        await writer.until(lambda: manual.starts == 2)
        manual.be_ready()
        await writer.until(lambda: manual.asked)


async def test_no_token_is_dropped_however_fast_they_come(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin("Go")
        words = [f" w{number}" for number in range(1500)]
        manual.write(*words)
        manual.end()
        await writer.until(lambda: writer.is_heard and idle(writer)())
        assert writer.text == "Go" + "".join(words)
        assert writer.shown == writer.text
        assert writer.screen.count("w1499") == 1


async def test_a_token_redraws_its_own_line_only(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin("One.\nTwo.\nThree", " is")
        await writer.sees("Three is▌")
        pane = writer.room.query_one(StoryPane)
        drawn: list[str] = []
        render_line = pane.render_line

        def note(y: int) -> Strip:
            strip = render_line(y)
            drawn.append(strip.text.strip())
            return strip

        pane.render_line = note
        manual.write(" here")
        await writer.sees("Three is here")
        assert set(drawn) == {"│ Three is here▌"}


async def test_the_pane_follows_the_end_unless_the_reader_scrolled_up(
    open_room, manual, size
) -> None:
    async with open_room(manual, size) as writer:
        pane = writer.room.query_one(StoryPane)
        await writer.begin("Go", *(f"\nline {number}" for number in range(100)))
        await writer.sees("line 99")
        assert pane.at_end
        await writer.press("pageup")
        there = pane.scroll_y
        assert there < pane.max_scroll_y
        await writer.sees("the story goes on below")
        manual.write(*(f"\nline {number}" for number in range(100, 150)))
        await writer.until(lambda: "line 149" in writer.shown)
        assert pane.scroll_y == there
        await writer.misses("line 149")
        await writer.press("end")
        await writer.sees("line 149")
        await writer.misses("goes on below")
        manual.write("\nline 150")
        await writer.sees("line 150")
        await writer.press("ctrl+home")
        await writer.until(lambda: pane.scroll_y == 0)
        await writer.sees("│ Go")
        await writer.press("pagedown")
        assert 0 < pane.scroll_y < pane.max_scroll_y


async def test_the_end_stays_in_view_where_the_pane_becomes_smaller(open_room, engine) -> None:
    engine.words = tuple(f" Line {number}.\n" for number in range(14))
    async with open_room(engine) as writer:
        await writer.tell("A key.")
        await writer.sees("Line 13")
        await writer.press("/")
        await writer.sees("/retry")
        await writer.sees("Line 13")
        await writer.press("backspace")
        await writer.pilot.resize_terminal(80, 12)
        await writer.sees("Line 13")
        await writer.misses("the story goes on below")


async def test_a_short_story_stands_at_the_top(open_room, manual) -> None:
    async with open_room(manual) as writer:
        manual.be_ready()
        await writer.send("Go")
        await writer.until(lambda: manual.asked)
        await writer.until(lambda: "│ Go" in writer.screen.splitlines()[3])
        manual.begin()
        manual.write(*(f"\nline {number}" for number in range(100)))
        await writer.sees("line 99")
        await writer.press("ctrl+z")
        await writer.until(lambda: writer.shown == "Go")
        await writer.until(lambda: "│ Go" in writer.screen.splitlines()[3])


async def test_end_moves_the_cursor_where_a_line_is_being_typed(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.press(*"abc", "home")
        assert writer.prompt.cursor_location == (0, 0)
        await writer.press("end")
        assert writer.prompt.cursor_location == (0, 3)


async def test_the_reader_is_told_when_the_model_cannot_read_it_all(open_room, manual) -> None:
    async with open_room(manual) as writer:
        await writer.begin("word " * 400, window_start=256)
        await writer.until(lambda: "reads from the end" in writer.toasts)
        await writer.sees("145/256 of 401")


async def test_the_status_line_tells_the_numbers(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.sees("14/256")
        for part in ("16 tok/s", "seed 101", "T 0.8", "k 50", "len 50"):
            await writer.sees(part)


async def test_marked_text_is_copied_exactly(open_room, engine) -> None:
    async with open_room(engine) as writer:
        engine.words = (" sang.\n\nThe", " end.")
        await writer.tell("The key")
        await writer.sees("  The end.")
        pane = writer.room.query_one(StoryPane)
        left = pane.render_line(1).text.index("The key")
        await writer.drag(pane, (left, 1), (left + 6, 3))
        await writer.press("ctrl+c")
        assert writer.app.clipboard == "The key sang.\n\nThe end"


async def test_the_mouse_reaches_every_character_beside_the_bar(open_room, engine) -> None:
    async with open_room(engine) as writer:
        await writer.tell(BEGINNING)
        await writer.sees(TOLD)
        pane = writer.room.query_one(StoryPane)
        left = pane.render_line(1).text.index("girl")
        await writer.drag(pane, (left, 1), (left + 3, 1))
        await writer.press("ctrl+c")
        assert writer.app.clipboard == "girl"
