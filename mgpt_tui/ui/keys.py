"""Everything that the app can do, declared once.

The key bindings, the footer, the palette, the slash commands, the help screen and docs/app.md
all read this table. An id names what is done, so that `settings.json` can give it another key.
What an entry says is told by `declaration`.
"""

from __future__ import annotations

from textual.binding import Binding, BindingType

from mgpt_tui.ui.arguments import MODEL, NUMBER, PRESET, SETTING, STORY, THEME, TO_COPY
from mgpt_tui.ui.declaration import Footer, Group, Key, Room, Where, show_key


def _has_story(room: Room) -> bool:
    return bool(room.session.story.spans)


def _has_siblings(room: Room) -> bool:
    return len(room.session.story.siblings) > 1


KEYS = (
    Key(
        id="send", group=Group.WRITING, keys="enter", action="send", label="go on",
        where=Where.PROMPT, footer=Footer.ALWAYS,
        help="send the line and let the model go on; on an empty line it just goes on",
    ),
    Key(
        id="newline", group=Group.WRITING, keys="ctrl+j,shift+enter", action="newline",
        label="new line", where=Where.PROMPT, help="begin a new line without sending",
    ),
    Key(
        id="stop", group=Group.WRITING, keys="escape", action="stop", label="stop",
        slash="/stop", footer=Footer.ALWAYS, priority=False,
        help="stop the model and keep what it wrote",
        can=lambda room: room.session.is_busy or room.is_behind,
        unless="The model is not writing, so there is nothing to stop.",
    ),
    Key(
        id="retry", group=Group.WRITING, keys="ctrl+r", action="retry", label="retry",
        slash="/retry", footer=Footer.ALWAYS, palette=True,
        help="let the model write its last passage anew; the old one stays as a branch",
        can=lambda room: room.session.story.ends_with_model,
        unless="The model did not write last, so there is nothing to try again.",
    ),
    Key(
        id="word", group=Group.WRITING, keys="alt+w", action="go_on('word')",
        label="go on by a word", slash="/word", palette=True,
        help="let the model write one word",
    ),
    Key(
        id="sentence", group=Group.WRITING, keys="alt+s", action="go_on('sentence')",
        label="go on by a sentence", slash="/sentence", palette=True,
        help="let the model write to the end of a sentence",
    ),
    Key(
        id="paragraph", group=Group.WRITING, keys="alt+p", action="go_on('paragraph')",
        label="go on by a paragraph", slash="/paragraph", palette=True,
        help="let the model write to the end of a paragraph",
    ),
    Key(
        id="whole", group=Group.WRITING, keys="alt+g", action="go_on('end')",
        label="go on to the end", slash="/whole", palette=True,
        help="let the model write until the story ends",
    ),
    Key(
        id="remember", group=Group.WRITING, action="remember", label="remember",
        slash="/remember", argument="[NOTE]", palette=True,
        help="keep a note in the model's view as the story grows, or off; alone, change it",
    ),
    Key(
        id="forget", group=Group.WRITING, action="forget", label="forget the note",
        slash="/forget", palette=True, help="take the note out of the model's view again",
        can=lambda room: bool(room.session.story.note),
        unless="There is no note to forget.",
    ),
    Key(
        id="goal", group=Group.WRITING, action="aim", label="goal in words", slash="/goal",
        argument="[WORDS]", palette=True,
        help="set how many words the story is to have, or off; alone, change it",
    ),
    Key(
        id="earlier_line", group=Group.WRITING, keys="up", action="earlier_line",
        label="earlier line", where=Where.PROMPT,
        help="in the first line: bring back what was typed before",
    ),
    Key(
        id="later_line", group=Group.WRITING, keys="down", action="later_line",
        label="later line", where=Where.PROMPT,
        help="in the last line: go back to what was typed later",
    ),
    Key(
        id="complete", group=Group.WRITING, keys="tab", action="complete", label="complete",
        where=Where.PROMPT, help="after a /: complete the command",
    ),
    Key(
        id="undo", group=Group.CHANGING, keys="ctrl+z", action="undo", label="undo",
        slash="/undo", footer=Footer.ALWAYS, palette=True,
        help="take back the last step of the story (in a line being typed: the typing)",
        can=lambda room: room.session.can_undo or room.is_typing,
        unless="There is nothing to undo.",
    ),
    Key(
        id="redo", group=Group.CHANGING, keys="ctrl+y", action="redo", label="redo",
        slash="/redo", palette=True, help="bring back what undo took",
        can=lambda room: room.session.can_redo or room.is_typing,
        unless="There is nothing to redo.",
    ),
    Key(
        id="edit", group=Group.CHANGING, keys="f4", action="edit", label="edit",
        slash="/edit", footer=Footer.WIDE, palette=True,
        help="change the story anywhere, as in a text editor that finds and replaces",
        can=_has_story,
        unless="There is no story to change yet.",
    ),
    Key(
        id="another_word", group=Group.CHANGING, keys="f5", action="another_word",
        label="another word", slash="/other", footer=Footer.WIDE, palette=True,
        help="choose another word anywhere, type one, or have the model write anew from there",
        can=_has_story,
        unless="There is no story to change yet.",
    ),
    Key(
        id="compare", group=Group.CHANGING, keys="f6", action="compare", label="compare",
        slash="/compare", argument="[N]", takes=NUMBER, footer=Footer.WIDE, palette=True,
        help="let the model write several continuations side by side, and keep one",
    ),
    Key(
        id="bridge", group=Group.CHANGING, keys="alt+o", action="bridge", label="bridge",
        slash="/bridge", palette=True,
        help="let the model write what leads from here to there, or say a sentence otherwise",
        can=_has_story,
        unless="There is no story to bridge yet.",
    ),
    Key(
        id="branches", group=Group.CHANGING, keys="f7", action="branches", label="branches",
        slash="/branches", aliases=("/branch",), footer=Footer.WIDE, palette=True,
        help="see every version of the story and go to one",
        can=lambda room: len(room.session.story.nodes) > 1,
        unless="The story has no versions yet.",
    ),
    Key(
        id="earlier_branch", group=Group.CHANGING, keys="alt+left", action="sibling(-1)",
        label="earlier branch", slash="/prev", palette=True,
        help="go to the version before this one, at the same place",
        can=_has_siblings,
        unless="There is no other version of this passage. {Retry} makes one.",
    ),
    Key(
        id="later_branch", group=Group.CHANGING, keys="alt+right", action="sibling(1)",
        label="later branch", slash="/next", palette=True,
        help="go to the version after this one, at the same place",
        can=_has_siblings,
        unless="There is no other version of this passage. {Retry} makes one.",
    ),
    Key(
        id="save", group=Group.STORIES, keys="ctrl+s", action="save", label="save",
        slash="/save", argument="[NAME]", footer=Footer.ALWAYS, palette=True,
        help="save the story; the first time, say under which name",
        can=_has_story,
        unless="There is no story to save yet.",
    ),
    Key(
        id="save_as", group=Group.STORIES, keys="f3", action="save_as", label="save as",
        palette=True, help="save the story under another name or somewhere else",
        can=_has_story,
        unless="There is no story to save yet.",
    ),
    Key(
        id="rename", group=Group.STORIES, action="rename", label="rename",
        slash="/rename", argument="NAME", palette=True, help="give the story another name",
        can=_has_story,
        unless="There is no story to rename yet.",
    ),
    Key(
        id="export", group=Group.STORIES, action="export", label="export",
        slash="/export", argument="FILE", palette=True,
        help="copy the story to a file that ends in .md, .txt, .json or .html",
        can=_has_story,
        unless="There is no story to export yet.",
    ),
    Key(
        id="open", group=Group.STORIES, keys="ctrl+o", action="open", label="open",
        slash="/open", aliases=("/stories", "/library"), argument="[NAME]", takes=STORY,
        footer=Footer.ALWAYS, palette=True,
        help="find, open, rename, copy, delete or restore a story, or bring in files",
    ),
    Key(
        id="new", group=Group.STORIES, keys="ctrl+n", action="new", label="new",
        slash="/new", palette=True, help="begin a new story; this one is kept",
        can=_has_story,
        unless="This story is new: nothing is written yet.",
    ),
    Key(
        id="settings", group=Group.SETTINGS, keys="ctrl+t,f2", action="settings",
        label="settings", slash="/settings", footer=Footer.ALWAYS, palette=True,
        help="show or hide the settings",
    ),
    Key(
        id="set", group=Group.SETTINGS, action="set", label="set", slash="/set",
        argument="SETTING VALUE", takes=SETTING, palette=True, help="change one setting",
    ),
    Key(
        id="ban", group=Group.SETTINGS, action="ban", label="ban", slash="/ban",
        argument="[WORD]", palette=True,
        help="let the model never write a word; alone, change which ones are banned",
    ),
    Key(
        id="words", group=Group.SETTINGS, action="words", label="words that come",
        slash="/words", argument="[WORD, WORD]", palette=True,
        help="have the next passage hold some words, in any of their forms; alone, change them",
    ),
    Key(
        id="presets", group=Group.SETTINGS, action="preset", label="preset",
        slash="/preset", argument="NAME", takes=PRESET, palette=True,
        help="take the settings of a preset: calm, balanced or wild",
    ),
    Key(
        id="unmute", group=Group.SETTINGS, action="unmute", label="unmute", slash="/unmute",
        palette=True,
        help="write with the whole model again, after the look (7 mute, g) has taken parts away",
        can=lambda room: bool(room.session.muted),
        unless="Nothing of the model is muted.",
    ),
    Key(
        id="theme", group=Group.SETTINGS, action="theme", label="theme", slash="/theme",
        argument="[NAME]", takes=THEME, where=Where.APP, palette=True,
        help="change the colours: dark, light, terminal (its own), or another theme",
    ),
    Key(
        id="models", group=Group.MODELS, keys="f8", action="models", label="model",
        slash="/model", aliases=("/models",), argument="[NAME]", takes=MODEL, palette=True,
        help="go on with another model, whose size and speed are told; the story stays",
    ),
    Key(
        id="learn", group=Group.MODELS, action="learn", label="learn your stories",
        slash="/learn", palette=True,
        help="let the model learn your stories and become another, or see how far it has come",
    ),
    Key(
        id="both", group=Group.MODELS, action="both", label="told by both",
        slash="/both", argument="MODEL", takes=MODEL, palette=True,
        help="have one beginning told by the model that writes and by another, side by side",
    ),
    Key(
        id="end", group=Group.READING, keys="end,ctrl+end", action="jump_end",
        label="to the end", slash="/bottom", palette=True,
        help="jump to the end of the story and follow it again",
    ),
    Key(
        id="top", group=Group.READING, keys="ctrl+home", action="jump_top",
        label="to the top", slash="/top", palette=True,
        help="jump to the beginning of the story",
    ),
    Key(
        id="page_up", group=Group.READING, keys="pageup", action="page_up", label="back by a page",
        help="scroll back; the story goes on below",
    ),
    Key(
        id="page_down", group=Group.READING, keys="pagedown", action="page_down",
        label="on by a page", help="scroll on",
    ),
    Key(
        id="inside", group=Group.READING, keys="f9", action="inside", label="look inside",
        slash="/inside", footer=Footer.WIDE, palette=True,
        help="see how the model came to every word, and what a change of word or model does",
        can=_has_story,
        unless="There is no story to look into yet.",
    ),
    Key(
        id="lessons", group=Group.READING, action="lessons", label="lessons",
        slash="/lessons", palette=True,
        help="learn how the model works: ten cards with numbers of this story, and a game",
    ),
    Key(
        id="copy_text", group=Group.READING, keys="alt+c", action="copy_text",
        label="copy the text", slash="/copy", argument="[WHAT]", takes=TO_COPY, palette=True,
        help="copy the story, or its last passage, to the clipboard or a file",
        can=_has_story,
        unless="There is no story to copy yet.",
    ),
    Key(
        id="copy", group=Group.READING, keys="ctrl+c", action="copy", label="copy",
        where=Where.TEXTUAL,
        help="copy the text marked with the mouse, or with shift and the arrows where it is edited",
    ),
    Key(
        id="help", group=Group.APP, keys="f1", action="app.help", label="help", slash="/help",
        footer=Footer.FIRST, palette=True, help="show this help",
    ),
    Key(
        id="palette", group=Group.APP, keys="ctrl+p", action="command_palette",
        label="palette", where=Where.APP, help="find anything of this by name",
    ),
    Key(
        id="quit", group=Group.APP, keys="ctrl+q", action="quit", label="quit", slash="/quit",
        aliases=("/exit",), where=Where.APP, palette=True, help="leave; the story is kept",
    ),
)  # fmt: skip
KEY = {key.id: key for key in KEYS}


def bindings(where: Where) -> list[BindingType]:
    """The Textual bindings of one part of the app."""
    return [
        Binding(
            key.keys,
            f"do({key.id!r})" if where is Where.ROOM else key.action,
            key.label,
            show=key.footer is not Footer.NEVER,
            key_display=show_key(key.keys.partition(",")[0], short=True),
            priority=key.priority,
            tooltip=key.help,
            id=key.id,
        )
        for key in KEYS
        if key.where is where and key.keys
    ]
