"""Files: where stories go, and that none is lost to another."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.formats import form_of
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.stories.names import (
    CONTROL,
    FORBIDDEN,
    MAX_BYTES,
    RESERVED,
    check_name,
    first_words,
    numbered,
    path_in,
    safe_name,
)
from mgpt_tui.stories.story import Author, Story
from mgpt_tui.text import clean_text
from tests.stories.conftest import ELSEWHERE, anything


@pytest.fixture
def library(tmp_path: Path) -> StoryLibrary:
    return StoryLibrary(tmp_path / "stories")


def text_of(path: Path) -> str:
    return StoryLibrary(path.parent).open(path)[0].text


def files(library: StoryLibrary) -> list[str]:
    return sorted(path.name for path in library.folder.iterdir())


@given(st.text(max_size=300))
def test_any_story_gives_a_name_that_any_system_takes(text: str) -> None:
    name = first_words(text)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not FORBIDDEN.search(name)
    assert not RESERVED.fullmatch(name)
    assert not name.startswith(".")
    assert not name.endswith((".", " "))


@given(anything | st.text(max_size=300))
def test_a_path_that_is_made_of_a_name_is_in_its_folder(name: str) -> None:
    folder = Path("/stories")
    for tried in (name, *islice(numbered(name), 3)):
        path = path_in(folder, tried, ".json")
        assert Path(os.path.normpath(path)).parent == folder
        assert check_name(path.stem) == path.stem == path_in(folder, path.stem, ".md").stem
        assert len(path.name.encode()) <= MAX_BYTES + len(".json")
    assert len(set(islice(numbered(name), 3))) == 3


def test_what_a_terminal_would_obey_is_no_name() -> None:
    odd = [char for code in range(sys.maxunicode + 1) if clean_text(char := chr(code)) != char]
    assert all(CONTROL.search(char) and FORBIDDEN.search(char) for char in odd)


@given(st.text(max_size=300))
def test_a_name_that_passes_stays_in_its_folder(text: str) -> None:
    try:
        name = check_name(text)
    except UserError:
        return
    folder = Path("/stories")
    assert Path(os.path.normpath(folder / f"{name}.md")).parent == folder


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "...", "../up", "a/b", "a\\b", ".hidden", "con", "NUL", "aux.b", "a:b"],
)
def test_names_that_could_leave_or_hide_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        check_name(name)
    with pytest.raises(UserError):
        check_name(f"{name}." if name else "x" * 121)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The girl found a key on the ground.", "The girl found a key"),
        ("The girl found a golden key on the ground.", "The girl found a golden key"),
        ("The girl found a key. It sang.", "The girl found a key"),
        ("Mr. Fox ran. He sang.", "Mr. Fox ran"),
        ("There was a boy named Tim who sang.", "There was a boy named Tim"),
        ("When the rain came, the fox and the hen ran.", "When the rain came"),
        ("One day a very and", "One day"),
        ("Once upon a time", "Once upon a time"),
        ("Once upon a time, there was a", "Once upon a time"),
        ("Once upon a time, there was a girl", "A girl"),
        ("Once upon a time, there was a girl named Mia. She sang.", "A girl named Mia"),
        ("Once upon a time there was a little fox who lived in the wood.", "A little fox"),
        ("Once upon a time, in a big forest, there lived a hen.", "A hen"),
        ("Once there were two kings, Ben and Tom.", "Two kings, Ben and Tom"),
        ("One sunny day, Tim ran home.", "Tim ran home"),
        ("Long ago, ", "Long ago"),
        ("Once upon a midnight dreary", "Once upon a midnight dreary"),
        ("The fox who had a red hat was glad of it.", "The fox"),
        ("A fox\nA hen and more", "A fox"),
        ("“Look!”", "“Look!”"),
        ("\n\n", "untitled"),
        ("...", "untitled"),
        ("con", "con story"),
        ("a/b\\c: d", "a b c d"),
    ],
)
def test_a_story_is_called_by_its_first_words(text: str, name: str) -> None:
    assert first_words(text) == name


def test_a_story_is_kept_under_its_first_words(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("The girl found a key.")
    assert keeper.needs(story)
    keeper.keep(story)
    assert not keeper.needs(story)
    assert keeper.name == "The girl found a key"
    longer = story.write("It sang.")
    keeper.keep(longer)
    assert [entry.name for entry in library.entries()] == ["The girl found a key"]
    assert library.open(library.entries()[0].path)[0] == longer


def test_a_name_follows_the_first_line_until_the_writer_gives_one(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("A fox")
    keeper.keep(story)
    story = story.edited("A hen ran.\nA fox came.")
    keeper.keep(story)
    assert keeper.name == "A hen ran"
    keeper.close(story)
    assert files(library) == ["A hen ran.json"]
    keeper, story = Keeper.open(library, library.find("A hen ran").path)
    story = story.edited("A cow ran.\nA fox came.")
    keeper.keep(story)
    assert files(library) == ["A cow ran.journal"]
    keeper.keep(story.undo())
    keeper.keep(Story())
    assert keeper.name == "A hen ran"
    story = keeper.save_to(story, library.target("Mine", ""))
    story = story.edited("A dog.")
    keeper.keep(story)
    keeper.close(story)
    assert [entry.name for entry in library.entries()] == ["Mine"]
    (library.folder / "Mine.json").rename(library.folder / "By hand.json")
    keeper, story = Keeper.open(library, library.folder / "By hand.json")
    keeper.close(story.edited("A cat."))
    assert [entry.name for entry in library.entries()] == ["By hand"]


def test_two_stories_with_one_beginning_are_two_files(library: StoryLibrary) -> None:
    for _ in range(3):
        Keeper(library).keep(Story().write("Once upon a time"))
    names = {entry.name for entry in library.entries()}
    assert names == {"Once upon a time", "Once upon a time 2", "Once upon a time 3"}


def test_an_empty_story_is_never_written(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    for empty in (Story(), Story().begin(SamplingSettings())):
        assert not keeper.needs(empty)
        keeper.keep(empty)
        keeper.close(empty)
    assert not library.folder.exists()


def test_a_story_that_was_undone_can_be_redone_tomorrow(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("Once")
    keeper.keep(story)
    keeper.close(story.undo())
    _, again = Keeper.open(library, library.entries()[0].path)
    assert (again.text, again.redo().text) == ("", "Once")


def test_a_document_that_another_program_wrote_is_left_alone(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("Once")
    keeper.keep(story)
    keeper.close(story)
    path = library.entries()[0].path
    keeper, story = Keeper.open(library, path)
    other = path.read_text("utf-8").replace("Once", "Never touch this")
    path.write_text(other, encoding="utf-8")
    keeper.keep(story.write("more"))
    assert path.read_text("utf-8") == other
    assert keeper.name == "Once 2"
    keeper.close(story.write("more"))
    assert files(library) == ["Once 2.json", "Once.json"]
    assert text_of(library.folder / "Once 2.json") == "Once more"


def test_saving_under_a_name_renames_the_document_and_writes_a_page(
    library: StoryLibrary,
) -> None:
    keeper = Keeper(library)
    story = Story().write("The girl found a key.")
    keeper.keep(story)
    story = keeper.save_to(story, library.target("Keys", ""))
    assert story.title == "Keys"
    assert files(library) == ["Keys.journal", "Keys.json", "Keys.md"]
    assert (library.folder / "Keys.md").read_text("utf-8") == "# Keys\n\nThe girl found a key.\n"
    keeper.keep(story.write("It sang."))
    assert text_of(library.folder / "Keys.json") == "The girl found a key. It sang."


def test_leaving_brings_the_copy_up_to_date(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = keeper.save_to(Story().write("A key."), library.target("Keys.txt", ""))
    keeper.close(story.write("It sang."))
    assert (library.folder / "Keys.txt").read_text("utf-8") == "A key. It sang."


def test_a_copy_that_was_edited_by_hand_is_left_alone(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = keeper.save_to(Story().write("A key."), library.target("Keys", ""))
    page = library.folder / "Keys.md"
    page.write_text("edited", encoding="utf-8")
    keeper.close(story.write("It sang."))
    assert page.read_text("utf-8") == "edited"
    assert text_of(library.folder / "Keys.json") == "A key. It sang."


def test_saving_a_named_story_as_another_leaves_the_first(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = keeper.save_to(Story().write("A key."), library.target("Keys", ""))
    keeper.save_to(story.write("It sang."), library.target("Songs", ""))
    assert text_of(library.folder / "Keys.json") == "A key."
    assert text_of(library.folder / "Songs.json") == "A key. It sang."
    assert keeper.name == "Songs"


def test_a_path_gets_a_copy_and_the_document_stays(library: StoryLibrary, tmp_path: Path) -> None:
    keeper = Keeper(library)
    story = Story().write("A key.")
    target = library.target(str(tmp_path / "page.txt"), "")
    story = keeper.save_to(story, target)
    assert (tmp_path / "page.txt").read_text("utf-8") == "A key."
    assert story.title == ""
    assert [entry.name for entry in library.entries()] == ["A key"]


def test_what_has_no_document_is_saved_to_a_path_all_the_same(
    library: StoryLibrary, tmp_path: Path
) -> None:
    target = library.target(str(tmp_path / "page.txt"), "")
    Keeper(library).save_to(Story(), target)
    assert target.path.read_text("utf-8") == ""
    first = Keeper(library)
    story = first.save_to(Story().write("A key."), library.target("Keys", ""))
    second, copy = Keeper.open(library, library.find("Keys").path)
    with pytest.raises(UserError, match="already"):
        second.save_to(copy, target)
    copy = second.save_to(copy, replace(target, replaces=True))
    assert target.path.read_text("utf-8") == "A key."
    second.close(copy.write("It sang."))
    first.close(story)
    assert target.path.read_text("utf-8") == "A key. It sang."
    assert {entry.name for entry in library.entries()} == {"Keys", "Keys 2"}


def test_only_what_belongs_to_another_story_is_taken(library: StoryLibrary, tmp_path: Path) -> None:
    other = Keeper(library)
    other.save_to(Story().write("Mine."), library.target("Keys", ""))
    keeper = Keeper(library)

    def taken(answer: str) -> bool:
        return library.is_taken(library.target(answer, "x"), keeper.document, keeper.copy)

    assert taken("Keys")
    assert taken("Keys.txt")
    assert not taken("Songs")
    keeper.save_to(Story().write("A key."), library.target("Songs", ""))
    assert not taken("Songs")
    assert not taken("Songs.txt")
    outside = tmp_path / "page.md"
    outside.write_text("not ours", encoding="utf-8")
    assert taken(str(outside))
    agreed = replace(library.target(str(outside), ""), replaces=True)
    keeper.save_to(Story().write("A key."), agreed)
    assert not taken(str(outside))


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("Keys", "Keys.md"),
        ("Keys.md", "Keys.md"),
        ("Keys.TXT", "Keys.txt"),
        ("Keys.json", "Keys.json"),
        ("Mr. Fox", "Mr. Fox.md"),
        ("v1.2", "v1.2.md"),
        ("  Keys  ", "Keys.md"),
        ("Mr.Fox.md.txt", "Mr.Fox.md.txt"),
    ],
)
def test_the_ending_chooses_the_form(library: StoryLibrary, answer: str, name: str) -> None:
    assert library.target(answer, "x").path == library.folder / name


@pytest.mark.parametrize("title", ELSEWHERE)
def test_a_title_that_is_a_path_stays_in_the_folder(library: StoryLibrary, title: str) -> None:
    story = Story().write("A key.").named(title)
    kept = library.add(story, title).path
    keeper, opened = Keeper.open(library, kept)
    second, copy = Keeper.open(library, kept)
    second.close(copy.write("It sang."))
    copied = library.duplicate(library.find(second.name)).path
    target = library.target(f"{library.folder}/", keeper.called(opened))
    keeper.close(opened)
    assert {path.parent for path in (kept, copied, target.path)} == {library.folder}
    assert len(library.entries()) == 3
    assert list(library.folder.parent.iterdir()) == [library.folder]


@pytest.mark.parametrize(
    "answer", ["../Keys", "a/../../Keys", "a/b", "~b/c", ".md", "..", "", "a\x00b"]
)
def test_no_name_leaves_the_folder(library: StoryLibrary, answer: str) -> None:
    with pytest.raises(UserError):
        library.target(answer, "x")


def test_paths_go_where_they_say(
    library: StoryLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert library.target("~/a.txt", "x").path == tmp_path / "a.txt"
    assert library.target("./a", "x").path == tmp_path / "a.md"
    assert library.target(f"{tmp_path}/", "Mr. Fox").path == tmp_path / "Mr. Fox.md"
    assert library.target("./../a", "x").path.parent != library.folder


def test_paths_that_cannot_be_are_refused_and_not_more(
    library: StoryLibrary, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    keeper = Keeper(library)
    for answer in (f"/{'x' * 5000}", f"{tmp_path}/file/a", f"{tmp_path}/{'x' * 300}"):
        target = library.target(answer, "x")
        assert not library.is_taken(target, keeper.document, keeper.copy)
        with pytest.raises(UserError):
            keeper.save_to(Story().write("A key."), target)
    with pytest.raises(UserError):
        library.target("/a\x00b", "x")


def test_a_path_that_cannot_be_written_does_not_fork_the_story(
    library: StoryLibrary, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    keeper = Keeper(library)
    story = Story().write("A hen sat.")
    keeper.keep(story)
    for line in ("It slept.", "It woke."):
        story = story.write(line)
        with pytest.raises(UserError):
            keeper.save_to(story, library.target(f"{tmp_path}/file/a", "x"))
        keeper.keep(story)
    keeper.close(story)
    assert files(library) == ["A hen sat.json"]
    assert text_of(library.folder / "A hen sat.json") == "A hen sat. It slept. It woke."


def test_an_old_story_is_not_written_over_the_one_that_was_put_down(
    library: StoryLibrary,
) -> None:
    keeper = Keeper(library)
    old = Story().write("Once.")
    keeper.keep(old)
    late = old.write("there"), keeper.turn
    keeper.close(old.write("there was a fox."))
    keeper.keep(*late)
    assert text_of(library.folder / "Once.json") == "Once. there was a fox."


def test_the_newest_story_is_listed_first(library: StoryLibrary) -> None:
    assert library.entries() == []
    for age, line in enumerate(["One", "Two", "Three"]):
        keeper = Keeper(library)
        keeper.close(Story().write(line))
        os.utime(library.folder / f"{line}.json", (1000 - age, 1000 - age))
    assert [entry.name for entry in library.entries()] == ["One", "Two", "Three"]


def test_a_folder_that_cannot_be_written_is_said_and_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    keeper = Keeper(StoryLibrary(tmp_path / "file" / "stories"))
    story = Story().write("Once")
    with pytest.raises(UserError):
        keeper.keep(story)
    assert keeper.needs(story)


# What is done with stories that are not open.


def told(library: StoryLibrary, text: str, name: str = "") -> Entry:
    """A story that was written and closed."""
    keeper = Keeper(library)
    story = Story().write(text)
    if name:
        story = keeper.save_to(story, library.target(name, ""))
    keeper.close(story)
    return library.find(keeper.name)


def test_an_entry_says_what_the_story_is(library: StoryLibrary) -> None:
    entry = told(library, "\n A fox ran.\nIt sang.", "Foxes")
    assert (entry.name, entry.words, entry.first_line) == ("Foxes", 5, "A fox ran.")
    assert entry.trouble == ""
    (library.folder / "Broken.json").write_text("{", encoding="utf-8")
    (library.folder / ".hidden.json").write_text("{", encoding="utf-8")
    assert {entry.name: entry.trouble for entry in library.entries()} == {
        "Foxes": "",
        "Broken": "Broken.json is damaged: line 1 is no JSON (Expecting property name enclosed "
        "in double quotes).",
    }


def test_search_finds_all_words_in_name_or_text(library: StoryLibrary) -> None:
    told(library, "The girl found a KEY.", "Straße")
    told(library, "The key broke.", "Doors")

    def found(text: str) -> set[str]:
        return {entry.name for entry in library.search(text)}

    assert found("key") == found("") == {"Straße", "Doors"}
    assert found("GIRL key") == {"Straße"}
    assert found("STRASSE found") == {"Straße"}
    assert found("doors girl") == set()


def test_a_story_that_changed_is_looked_at_again(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("Once")
    keeper.keep(story)
    assert library.entries()[0].words == 1
    keeper.keep(story.write("upon a time"))
    assert library.entries()[0].words == 4
    assert library.search("upon")


def test_a_name_is_found_however_it_is_spelt(library: StoryLibrary) -> None:
    told(library, "One.", "Keys")
    assert library.find("keys").name == "Keys"
    told(library, "Two.", "KEYS")
    assert library.find("Keys").name == "Keys"
    for name in ("keys", "nobody", "../Keys"):
        with pytest.raises(UserError, match="no story"):
            library.find(name)


def test_renaming_takes_the_readable_files_along(library: StoryLibrary) -> None:
    entry = library.rename(told(library, "A key.", "Keys"), "Doors")
    assert files(library) == ["Doors.json", "Doors.md"]
    assert (entry.name, library.open(entry.path)[0].title) == ("Doors", "Doors")
    told(library, "Mine.", "Songs")
    for name in ("Songs", "../up", "con", "x" * 200, "a\x07b"):
        with pytest.raises(UserError):
            library.rename(entry, name)
    assert text_of(entry.path) == "A key."


def test_duplicates_are_stories_of_their_own(library: StoryLibrary) -> None:
    entry = told(library, "A key.", "Keys")
    assert [library.duplicate(entry).name, library.duplicate(entry, "Locks").name] == [
        "Keys 2",
        "Locks",
    ]
    assert library.open(library.find("Keys 2").path)[0].title == "Keys 2"
    assert text_of(library.folder / "Locks.json") == "A key."
    with pytest.raises(UserError, match="already"):
        library.duplicate(entry, "Locks")


def test_what_is_deleted_is_in_the_trash(library: StoryLibrary) -> None:
    for number in ("", " 2"):
        path = library.delete(told(library, "A key.", "Keys"))
        assert path == library.folder / "trash" / f"Keys{number}.json"
        assert text_of(path) == "A key."
        assert path.with_suffix(".md").exists()
    assert library.entries() == []
    assert files(library) == ["trash"]


def test_a_path_is_advised_where_one_is_taken(library: StoryLibrary) -> None:
    """Who gave a story another name was told to give a path, which is no name either."""
    entry = library.add(Story().write("A key."), "Keys")
    with pytest.raises(UserError, match="give a path that begins with"):
        library.target("a/b", "")
    for name in ("a/b", "/tmp/b", ".b"):
        with pytest.raises(UserError, match="Leave that out"):
            library.rename(entry, name)


def test_what_is_open_is_neither_renamed_nor_deleted(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    keeper.keep(Story().write("A key."))
    (entry,) = library.entries()
    for refused in (lambda: library.rename(entry, "Doors"), lambda: library.delete(entry)):
        with pytest.raises(UserError, match="open in another window"):
            refused()
    assert library.duplicate(entry).words == 2


@pytest.mark.parametrize(
    ("name", "content", "title", "text"),
    [
        ("Keys.txt", b"A key.\n\nIt sang.\n", "Keys", "A key.\n\nIt sang."),
        ("Keys.TXT", b"\xef\xbb\xbfA key.\r\n", "Keys", "A key."),
        ("Keys.md", b"# Doors: two\n\nA key.\n", "Doors two", "A key."),
        ("Keys.md", b"# Doors\nA key.", "Keys", "# Doors\nA key."),
        ("con.txt", b"A \x1b[2J key.", "con story", "A ␛[2J key."),
        ("Keys.txt", b"<|endoftext|>\nA key.\n<|endoftext|>\n", "Keys", "A key."),
        ("Keys.txt", b"A <|key|>.\n", "Keys", "A <|key|>."),
    ],
)
def test_a_text_becomes_a_story(
    library: StoryLibrary, tmp_path: Path, name: str, content: bytes, title: str, text: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    entry = library.import_text(path)
    story, _ = library.open(entry.path)
    assert story.title == entry.name
    assert entry.name == title
    assert [span.author for span in story.spans] == [Author.WRITER]
    assert story.text == text
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.txt", b""), ("a.txt", b" \n"), ("a.md", b"\xff"), ("a.png", b"x"), ("a.json", b"{}")],
)
def test_what_is_no_text_is_refused(
    library: StoryLibrary, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="a\\."):
        library.import_text(tmp_path / name)
    with pytest.raises(UserError):
        library.import_text(tmp_path / "missing.txt")
    assert library.entries() == []


def test_a_file_of_many_stories_is_not_taken_for_one(library: StoryLibrary, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A key.\n<|endoftext|>\nA door.<|endoftext|>")
    with pytest.raises(UserError, match="holds 2 stories") as refused:
        library.import_text(tmp_path / "a.txt")
    assert "file of its own" in refused.value.remedy
    assert library.entries() == []


def test_what_was_exported_comes_back_as_it_was_shown_and_a_json_exactly(
    library: StoryLibrary, tmp_path: Path
) -> None:
    shown = "A key.\n\nIt sang."
    entry = told(library, "A key.\nIt sang.", "Keys")
    for suffix, text in ((".txt", shown), (".md", shown), (".json", "A key.\nIt sang.")):
        library.export(entry, tmp_path / f"out{suffix}")
        again = library.import_text(tmp_path / f"out{suffix}")
        assert text_of(again.path) == text
    library.export(entry, tmp_path / "out.html")
    assert "It sang." in (tmp_path / "out.html").read_text("utf-8")
    for bad in (tmp_path / "out.pdf", tmp_path / "out", library.folder / "Other.json"):
        with pytest.raises(UserError):
            library.export(entry, bad)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.md", ".md"), ("a.TXT", ".txt"), ("~/b.c/a.json", ".json"), ("a", ""), ("b.pdf/a", ""),
        ("Mr. Fox", ""), ("Chapter 1.5", ""), (".pdf", ""), ("a.", ""), ("Mr.Fox.html", ".html"),
    ],
)  # fmt: skip
def test_the_form_that_a_name_asks_for(name: str, form: str) -> None:
    assert form_of(name) == form


@pytest.mark.parametrize("name", ["a.pdf", "./a.PDF", "a.mp3", "a.md.gz", "Mr.Fox"])
def test_a_form_that_there_is_not(name: str) -> None:
    with pytest.raises(UserError, match=Path(name).name) as refused:
        form_of(name)
    assert ".html" in refused.value.remedy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_pipes_among_the_stories_are_not_waited_for(library: StoryLibrary) -> None:
    entry = told(library, "A key.", "Keys")
    os.mkfifo(entry.path.with_name("Pipe.json"))
    entry.path.with_name("Pipe.journal").write_text("{}\n", encoding="utf-8")
    os.mkfifo(entry.path.with_suffix(".journal"))
    troubles = {one.name: one.trouble for one in library.entries()}
    assert set(troubles) == {"Keys", "Pipe"}
    assert all("is no regular file" in trouble for trouble in troubles.values())


@given(st.text(max_size=300))
def test_any_text_is_made_a_name_that_passes(text: str) -> None:
    name = safe_name(text)
    assert check_name(name) == name


def test_a_renamed_story_takes_its_page_along(library: StoryLibrary) -> None:
    story = Story().write("A fox ran.")
    keeper = Keeper(library)
    keeper.close(keeper.save_to(story, library.target("One", "")))
    page = library.folder / "Two.md"
    entry = library.rename(library.find("One"), "Two")
    assert page.read_text("utf-8") == "# Two\n\nA fox ran.\n"
    page.write_text("mine", encoding="utf-8")
    library.rename(entry, "Three")
    assert (library.folder / "Three.md").read_text("utf-8") == "mine"


def test_the_folder_of_stories_comes_with_the_first_file(home: Path) -> None:
    library = StoryLibrary()
    story = Story().write("A key.")
    kept = library.target(f"{library.folder}/a.json", "").path
    with pytest.raises(UserError, match="where stories are kept"):
        library.copy(story, "", kept)
    page = library.target(f"{library.folder}/a.md", "").path
    assert not library.folder.exists()
    library.copy(story, "", page)
    assert [path.name for path in library.folder.iterdir()] == ["a.md"]
