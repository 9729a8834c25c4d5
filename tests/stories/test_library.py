"""Files: where stories go, and that none is lost to another."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.stories.library import Keeper, StoryLibrary
from mgpt_tui.stories.names import FORBIDDEN, MAX_BYTES, RESERVED, check_name, first_words
from mgpt_tui.stories.story import Story


@pytest.fixture
def library(tmp_path: Path) -> StoryLibrary:
    return StoryLibrary(tmp_path / "stories")


def text_of(path: Path) -> str:
    return "".join(span["text"] for span in json.loads(path.read_text("utf-8"))["spans"])


@given(st.text(max_size=300))
def test_any_story_gives_a_name_that_any_system_takes(text: str) -> None:
    name = first_words(text)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not FORBIDDEN.search(name)
    assert not RESERVED.fullmatch(name)
    assert not name.startswith(".")
    assert not name.endswith((".", " "))


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
        ("The girl found a key on the ground.", "The girl found a key on"),
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


def test_two_stories_with_one_beginning_are_two_files(library: StoryLibrary) -> None:
    for _ in range(3):
        Keeper(library).keep(Story().write("Once upon a time"))
    names = {entry.name for entry in library.entries()}
    assert names == {"Once upon a time", "Once upon a time 2", "Once upon a time 3"}


def test_an_empty_story_is_never_written(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    keeper.keep(Story())
    story = Story().write("Once")
    keeper.keep(story)
    keeper.keep(story.undo())
    assert text_of(library.entries()[0].path) == "Once"


def test_a_document_that_another_program_wrote_is_left_alone(library: StoryLibrary) -> None:
    keeper = Keeper(library)
    story = Story().write("Once")
    keeper.keep(story)
    path = library.entries()[0].path
    other = path.read_text("utf-8").replace("Once", "Never touch this")
    path.write_text(other, encoding="utf-8")
    keeper.keep(story.write("more"))
    assert path.read_text("utf-8") == other
    assert keeper.name == "Once 2"


def test_saving_under_a_name_renames_the_document_and_writes_a_page(
    library: StoryLibrary,
) -> None:
    keeper = Keeper(library)
    story = Story().write("The girl found a key.")
    keeper.keep(story)
    story = keeper.save_to(story, library.target("Keys", ""))
    assert story.title == "Keys"
    assert sorted(path.name for path in library.folder.iterdir()) == ["Keys.json", "Keys.md"]
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
    target = library.target(str(tmp_path / "out" / "page.txt"), "")
    story = keeper.save_to(story, target)
    assert (tmp_path / "out" / "page.txt").read_text("utf-8") == "A key."
    assert story.title == ""
    assert [entry.name for entry in library.entries()] == ["A key"]


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
    keeper.save_to(Story().write("A key."), library.target(str(outside), ""))
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
    assert [path.name for path in library.folder.iterdir()] == ["A hen sat.json"]
    assert text_of(library.folder / "A hen sat.json") == "A hen sat. It slept. It woke."


def test_an_old_story_is_not_written_over_the_one_that_was_put_down(
    library: StoryLibrary,
) -> None:
    keeper = Keeper(library)
    old = Story().write("Once")
    keeper.keep(old)
    late = old.write("there"), keeper.turn
    keeper.close(old.write("there was a fox."))
    keeper.keep(*late)
    assert text_of(library.folder / "Once.json") == "Once there was a fox."


def test_the_newest_story_is_listed_first(library: StoryLibrary) -> None:
    assert library.entries() == []
    for age, line in enumerate(["One", "Two", "Three"]):
        keeper = Keeper(library)
        keeper.keep(Story().write(line))
        os.utime(library.folder / f"{line}.json", (1000 - age, 1000 - age))
    assert [entry.name for entry in library.entries()] == ["One", "Two", "Three"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_damaged_document_is_refused(library: StoryLibrary, content: bytes) -> None:
    library.folder.mkdir()
    path = library.folder / "Keys.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="Keys"):
        library.open(path)
    with pytest.raises(UserError):
        library.open(library.folder / "missing.json")


def test_a_folder_that_cannot_be_written_is_said_and_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    keeper = Keeper(StoryLibrary(tmp_path / "file" / "stories"))
    story = Story().write("Once")
    with pytest.raises(UserError):
        keeper.keep(story)
    assert keeper.needs(story)
