"""Lists without a place on the screen."""

from contextlib import asynccontextmanager

import pytest
from textual.command import CommandList

from mgpt_tui.ui.screens.dialog import Palette
from mgpt_tui.ui.widgets.options import Options


@pytest.mark.parametrize("how", ["page_up", "page_down"])
async def test_a_list_that_has_no_room_turns_no_page(host, how):
    options = Options("one", "two", "three")
    async with host(options) as person:
        options.focus()
        options.highlighted = 1
        await person.press("pagedown")
        assert options.highlighted == 2
        options.highlighted = 1
        options.styles.height = 0
        options.clear_options()
        options.add_options(["one", "two"])
        options.highlighted = 1
        await person.settle()
        getattr(options, f"action_{how}")()
        assert options.highlighted == 1


async def test_nor_does_the_palettes(open_palette):
    async with open_palette() as (person, commands):
        await person.press("down", "pagedown")
        assert commands.highlighted
        commands.styles.height = 0
        commands.clear_options()
        commands.add_options(["one", "two"])
        commands.highlighted = 0
        await person.settle()
        await person.press("pageup", "pagedown")
        assert person.app.is_running and commands.highlighted == 0


@pytest.fixture
def open_palette(host):
    @asynccontextmanager
    async def opened():
        async with host() as person:
            palette = Palette()
            person.app.push_screen(palette)
            await person.until(lambda: palette.is_mounted and palette.query(CommandList))
            commands = palette.query_one(CommandList)
            await person.until(lambda: commands.option_count > 0)
            yield person, commands

    return opened
