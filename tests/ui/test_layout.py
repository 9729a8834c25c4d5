"""What the screen looks like: at every size, without colour, with settings open."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from textual.events import Key
from textual.widgets import Input

from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.presets import find_preset
from mgpt_tui.settings import ROOM, Settings, load_settings, save_settings
from mgpt_tui.ui.widgets.key_bar import KeyHint
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel
from mgpt_tui.ui.widgets.story_pane import StoryPane
from tests.ui.conftest import Writer

BEGINNING = "The girl found a golden key"
TOLD = (" on the", " ground.", " It was a shiny gold key.", "\n", '"Look, Mommy!"', " she said.")


async def frozen(pilot) -> None:
    """The same screen at every run: a told story."""
    app, engine = pilot.app, pilot.app.engine
    writer = Writer(app, pilot, engine)
    await writer.until(lambda: engine.starts and app.room.focused)
    engine.words = TOLD
    for line in (BEGINNING, "\n\nSuddenly the key began to sing."):
        asked = len(engine.asked)
        writer.prompt.insert(line)
        writer.prompt.action_send()  # at once: a prompt of three lines would move the rest
        await writer.until(lambda asked=asked: len(engine.asked) > asked)
        await writer.until(lambda: not app.session.is_busy)
    writer.prompt.insert("and [they] *walked*")
    await writer.still()


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
def test_the_room_looks_as_it_did(snap_compare, make_app, engine, size) -> None:
    assert snap_compare(make_app(engine), terminal_size=size, run_before=frozen)


async def test_every_part_is_in_view_at_the_smallest_size(open_room, engine) -> None:
    async with open_room(engine, (80, 24)) as writer:
        await writer.tell(BEGINNING)
        await writer.sees("storyteller 14M")
        for part in (
            "│ The girl found a golden key on",
            "/256",
            "T 0.8",
            "›",
            "enter go on",
            "f1 help",
        ):
            await writer.sees(part)
        await writer.press(*["ctrl+j"] * 8)
        assert writer.room.query_one(StoryPane).size.height >= 8
        assert writer.screen.splitlines()[-1].strip().endswith("f1 help")


async def test_the_room_fills_a_large_screen(open_room, engine) -> None:
    async with open_room(engine, (200, 60)) as writer:
        lines = writer.screen.splitlines()
        assert len(lines) == 60
        assert lines[0].rstrip().endswith("storyteller 14M")
        assert len(lines[0].rstrip()) > 190
        assert set(lines[1]) == {"─"}
        assert "temperature" in writer.screen
        assert writer.room.query_one(SettingsPanel).region.right == 200


async def test_it_may_be_resized_at_any_moment(open_room, manual) -> None:
    async with open_room(manual, (80, 24)) as writer:
        await writer.begin(BEGINNING)
        sizes = [(200, 60), (40, 10), (20, 5), (110, 30), (109, 30), (80, 24)]
        for number, size in enumerate(sizes):
            manual.write(f" number {number}")
            await writer.pilot.resize_terminal(*size)
            await writer.until(lambda number=number: f"number {number}" in writer.shown)
            assert writer.room.query_one(SettingsPanel).display == (size[0] >= 110)
        await writer.sees("number 5▌")
        assert writer.room.query_one(StoryPane).at_end


async def test_who_wrote_what_shows_without_colour(
    make_app, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    app = make_app(engine)
    async with app.run_test(size=(40, 24)) as pilot:
        engine.words = (" on the ground. It was a shiny gold key and it sang.\nThe end.",)
        writer = Writer(app, pilot, engine)
        await writer.tell("My")
        await writer.sees("sang")
        strips = [strip for strip in writer.strips if strip.text.strip()]
        mixed = next(strip for strip in strips if "│ My on the" in strip.text)
        later = next(strip for strip in strips if "sang" in strip.text)
        assert mixed.text.startswith(" │ My on")
        assert "│" not in later.text
        styles = {segment.text.strip(): segment.style for segment in mixed if segment.text.strip()}
        assert styles["My"].bold
        assert styles["My"].underline
        rest = next(style for text, style in styles.items() if text.startswith("on the"))
        assert not rest.bold
        assert not rest.underline


async def test_no_colour_means_none_also_in_the_terminals_own(
    make_app, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    save_settings(Settings(theme="ansi-dark"))
    app = make_app(engine)
    async with app.run_test(size=(80, 24)) as pilot:
        writer = Writer(app, pilot, engine)
        await writer.until(lambda: engine.starts)
        await writer.type("/")
        styles = {
            segment.text.strip(): segment.style
            for strip in writer.strips
            for segment in strip
            if segment.text.strip() and segment.style
        }
        assert all(style.color is None or style.color.is_default for style in styles.values())
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles.values())
        assert styles["/stop"].underline
        assert not styles["/retry"].underline


async def test_the_cursor_of_the_commands_shows_in_the_terminals_own_colours(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        writer.app.theme = "ansi-dark"
        await writer.press("/")
        await writer.sees("/retry")
        styles = {
            segment.text.strip(): segment.style for strip in writer.strips for segment in strip
        }
        assert styles["/stop"].bgcolor != styles["/retry"].bgcolor


async def test_the_gaps_between_the_keys_are_drawn_with_them(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        hints = [hint.region for hint in writer.room.query("KeyHint") if hint.display]
        assert len(hints) > 3
        assert all(one.right == other.x for one, other in pairwise(hints))


async def test_settings_are_changed_in_the_panel_and_used_next(open_room, engine, size) -> None:
    async with open_room(engine, size) as writer:
        panel = writer.room.query_one(SettingsPanel)
        wide = size[0] >= 110
        assert panel.display == wide
        await writer.press(*(["ctrl+t", "f2"] if wide else ["ctrl+t"]))
        assert panel.display
        assert writer.app.focused is panel.query(Input).first()
        for value in ("1.5", "off", "0.9", "0.05", "1.2", "40", "7"):
            await writer.press("ctrl+u")
            await writer.paste(value)
            # After the length comes the switch for sentences, which stays as it is.
            await writer.press(*{"7": ("enter",), "40": ("tab", "tab")}.get(value, ("tab",)))
        await writer.until(lambda: writer.prompt.has_focus)
        assert panel.display == wide
        wanted = replace(
            ROOM, temperature=1.5, top_k=None, top_p=0.9, min_p=0.05, repetition_penalty=1.2,
            max_tokens=40, seed=7,
        )  # fmt: skip
        await writer.sees("T 1.5  k off  len 40")
        await writer.sees("seed 7")
        await writer.tell(BEGINNING)
        assert engine.asked[0][1] == wanted
        writer.app.finish()
    assert load_settings().sampling == wanted


async def test_fields_are_made_when_they_are_to_be_seen_with_the_values_in_force(
    open_room, engine
) -> None:
    async with open_room(engine) as writer:
        panel = writer.room.query_one(SettingsPanel)
        assert not panel.children, "nobody has looked"
        await writer.command("/set top-k 7")
        await writer.sees("k 7")
        writer.app.post_message(Key("ctrl+t", None))
        writer.app.post_message(Key("2", "2"))  # typed before the fields are there
        await writer.until(lambda: panel.query("#temperature"))
        await writer.until(lambda: panel.query_one("#temperature", Input).value == "2")
        assert panel.query_one("#top_k", Input).value == "7"
        assert not writer.prompt.text


async def test_a_value_that_cannot_be_is_refused_with_the_reason(open_room, engine) -> None:
    async with open_room(engine, (120, 40)) as writer:
        for name, value, reason in (
            ("temperature", "-1", "a number from 0 to 10 (0 is"),
            ("temperature", "warm", "a number from 0 to 10 (0 is"),
            ("temperature", "nan", "a number from 0 to 10 (0 is"),
            ("top_k", "0", "a whole number, 1 or more, or off"),
            ("top_k", "", "a whole number, 1 or more, or off"),
            ("max_tokens", "1.5", "a whole number, 1 or more"),
            ("seed", "[b]", "a whole number from 0 to"),
        ):
            field = writer.room.query_one(f"#{name}", Input)
            field.focus()
            await writer.settle()
            good, field.value = field.value, value
            await writer.sees(f"✗ {reason}")
            assert writer.app.session.settings == ROOM
            field.value = good
            await writer.misses("✗")
        writer.room.query_one("#temperature", Input).focus()
        await writer.press("end", "x")
        await writer.sees("✗ a number")
        await writer.press("escape")
        await writer.misses("✗")
        assert writer.room.query_one("#temperature", Input).value == "0.8"


async def test_no_part_of_a_refused_value_is_used(open_room, engine) -> None:
    async with open_room(engine, (120, 40)) as writer:
        field = writer.room.query_one("#max_tokens", Input)
        field.focus()
        await writer.press("ctrl+u", "1", "e", "3")
        await writer.sees("✗ a whole number")
        await writer.press("enter")
        assert field.has_focus
        await writer.sees("✗ a whole number")
        await writer.press("tab")
        await writer.until(lambda: field.value == "50")
        assert writer.app.session.settings == ROOM


async def test_the_panel_leaves_with_esc_and_the_keys_of_the_room_still_work(
    open_room, engine
) -> None:
    async with open_room(engine, (80, 24)) as writer:
        await writer.press("f2", "escape")
        await writer.until(lambda: writer.prompt.has_focus)
        assert not writer.room.query_one(SettingsPanel).display


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("/set temperature 0.5", replace(ROOM, temperature=0.5)),
        ("/preset wild", find_preset("wild").of(ROOM)),
    ],
)
async def test_settings_changed_by_a_command_are_remembered(
    open_room, engine, command, wanted
) -> None:
    async with open_room(engine) as writer:
        await writer.command(command)
        await writer.until(lambda: writer.app.session.settings == wanted)
        writer.app.finish()
    assert load_settings().sampling == wanted


async def test_what_is_remembered_is_used(open_room, engine) -> None:
    save_settings(
        Settings(
            sampling=SamplingSettings(temperature=0, top_k=3),
            theme="textual-light",
            keys={"retry": "f12", "nothing": "f8"},
        )
    )
    async with open_room(engine) as writer:
        assert writer.app.theme == "textual-light"
        await writer.sees("T 0  k 3")
        await writer.sees("f12 retry")
        await writer.tell(BEGINNING)
        await writer.press("ctrl+r")
        assert len(engine.asked) == 1
        await writer.press("f12")
        await writer.until(lambda: len(engine.asked) == 2)
        writer.app.theme = "nord"
        await writer.settle()
        writer.app.finish()
    assert load_settings().theme == "nord"


async def test_a_theme_that_is_gone_does_not_matter(open_room, engine) -> None:
    save_settings(Settings(theme="no-such-theme"))
    async with open_room(engine) as writer:
        await writer.sees("storyteller")


async def test_a_narrow_top_gives_the_title_all_that_is_free(open_room, engine) -> None:
    async with open_room(engine, (60, 20)) as writer:
        await writer.tell("The girl found a golden key under the old tree")
        await writer.sees("model 6 words")
        top = writer.screen.splitlines()[0]
        title, rest = top.split("…")
        assert title.strip().startswith("The girl")
        assert rest.split() == ["you", "10,", "model", "6", "words", "storyteller", "14M"]
        assert rest.startswith("  you")
        assert "words  storyteller" in rest


@pytest.mark.parametrize("width", [30, 46, 60, 72, 80, 109, 110, 160])
async def test_the_footer_keeps_the_help_and_cuts_nothing(open_room, engine, width: int) -> None:
    async with open_room(engine, (width, 20)) as writer:
        hints = [hint for hint in writer.room.query(KeyHint) if hint.display]
        foot = writer.screen.splitlines()[-1]
        assert foot.rstrip().endswith("f1 help")
        assert all(f"{hint.key.label}" in foot for hint in hints)
        assert all(hint.region.right <= width for hint in hints)
        assert foot.lstrip().startswith("enter go on") or width < 30


@pytest.mark.parametrize("width", [40, 60, 80])
async def test_the_hint_and_the_numbers_fit_a_narrow_screen(open_room, engine, width: int) -> None:
    async with open_room(engine, (width, 24)) as writer:
        said = " ".join(writer.screen.split())
        assert "press enter." in said
        assert "What you write is kept; ctrl+o finds it again." in said
        writer.app.session.settings = SamplingSettings(seed=2**31)
        if width >= 60:
            await writer.tell("A key")
            await writer.sees("len 200")
