"""A stories folder in which anything may lie: the rest of it is as it was, and nothing is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgpt_tui.errors import UserError
from mgpt_tui.reading import LARGEST_INT
from mgpt_tui.stories import keeper as keepers
from mgpt_tui.stories.formats import to_json
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.stories.story import Story
from tests.conftest import Outcome
from tests.test_reading import ODD

POSIX = pytest.mark.skipif(os.name != "posix", reason="files as Unix has them")


@pytest.fixture
def library(tmp_path: Path) -> StoryLibrary:
    return StoryLibrary(tmp_path / "stories")


def kept(library: StoryLibrary, text: str = "A fox.") -> Path:
    keeper = Keeper(library)
    keeper.close(Story().write(text))
    assert keeper.document is not None
    return keeper.document.path


def by_name(library: StoryLibrary) -> dict[str, Entry]:
    return {entry.name: entry for entry in library.entries()}


@POSIX
@pytest.mark.parametrize("suffix", [".json", ".journal"])
@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_story_is_named_as_trouble_and_shuts_nobody_out(
    library: StoryLibrary, odd: str, suffix: str
) -> None:
    kept(library)
    ODD[odd](library.folder / f"Odd{suffix}")
    entries = by_name(library)
    assert (entries["A fox"].trouble, entries["A fox"].words) == ("", 2)
    assert "Odd" in entries["Odd"].trouble
    assert [entry.name for entry in library.search("fox")] == ["A fox"]
    assert library.unfinished() == []
    for change in (library.duplicate, lambda entry: library.rename(entry, "Other")):
        with pytest.raises(UserError):
            change(entries["Odd"])
    with pytest.raises(UserError):
        Keeper.open(library, entries["Odd"].path)
    keeper = Keeper(library)
    keeper.close(Story().named("Odd").write("Mine."))
    assert keeper.name == "Odd 2"
    moved = library.delete(entries["Odd"])
    assert moved.parent == library.folder / "trash"
    assert os.path.lexists(moved)
    assert set(by_name(library)) == {"A fox", "Odd 2"}


@POSIX
@pytest.mark.parametrize(
    "precious",
    ["my precious one-line file", "two\nlines\n", "\0" * 99, '{"a": 1}\n', '["x"]\n', "1"],
)
@pytest.mark.parametrize("linked", [True, False])
def test_a_journal_that_is_none_is_not_written_over(
    library: StoryLibrary, tmp_path: Path, precious: str, linked: bool
) -> None:
    path = kept(library)
    journal = path.with_suffix(".journal")
    target = tmp_path / "precious" if linked else journal
    target.write_text(precious)
    if linked:
        journal.symlink_to(target)
    assert by_name(library)["A fox"].trouble
    keeper, story = Keeper.open(library, path)
    assert "copy" in keeper.note
    keeper.keep(story.write("It sang."))
    keeper.close(story.write("It sang."))
    other = Keeper(library)
    with pytest.raises(UserError):
        other.save_to(Story().write("Mine."), library.target("A fox", ""))
    assert target.read_text() == precious
    assert library.open(library.folder / "A fox 2.json")[0].text == "A fox. It sang."


def test_a_journal_that_comes_to_be_none_while_the_story_is_open_is_left(
    library: StoryLibrary,
) -> None:
    path = kept(library)
    keeper, story = Keeper.open(library, path)
    journal = path.with_suffix(".journal")
    journal.unlink()
    journal.write_text("not ours")
    keeper.close(story.write("It sang."))
    assert journal.read_text() == "not ours"
    assert library.open(library.folder / "A fox 2.json")[0].text == "A fox. It sang."


@POSIX
def test_a_private_story_stays_private(library: StoryLibrary) -> None:
    path = kept(library)
    path.chmod(0o600)
    keeper, story = Keeper.open(library, path)
    keeper.keep(story.write("Secret."))
    assert path.with_suffix(".journal").stat().st_mode & 0o777 == 0o600
    keeper.close(story.write("Secret."))
    copied = library.duplicate(by_name(library)["A fox"])
    first, _ = Keeper.open(library, path)
    second, copy = Keeper.open(library, path)
    second.keep(copy.write("More."))
    assert second.document is not None
    assert second.document.path.with_suffix(".journal").stat().st_mode & 0o777 == 0o600
    second.close(copy.write("More."))
    first.close(story.write("Secret."))
    renamed = library.rename(copied, "Other")
    assert {entry.path.stat().st_mode & 0o777 for entry in library.entries()} == {0o600}
    keeper, story = Keeper.open(library, renamed.path)
    keeper.save_to(story, library.target("Other", ""))
    assert (library.folder / "Other.md").stat().st_mode & 0o777 == 0o600


def test_half_characters_cost_no_story(library: StoryLibrary) -> None:
    path = kept(library)
    document = json.loads(path.read_text("utf-8"))
    document["nodes"].append(
        {
            "parent": 1,
            "at": 6,
            "author": "model",
            "text": " It \ud800",
            "tokens": [],
            "settings": {"stop": ["\ud800"]},
            "model": "\udfff",
            "until": "\ud900",
        }
    )
    document |= {"here": 2, "past": [0, 1], "title": "A \ud800"}
    path.write_text(json.dumps(document), encoding="utf-8")
    keeper, story = Keeper.open(library, path)
    assert (story.text, story.title, keeper.note) == ("A fox. It \ufffd", "A \ufffd", "")
    keeper.keep(story.write("More."))
    keeper.close(story.write("More."))
    assert library.open(path)[0].text == "A fox. It \ufffd More."


def test_whatever_fails_what_was_written_is_on_disk(
    library: StoryLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(library)
    keeper, story = Keeper.open(library, path)
    story = story.write("It sang.")

    def fail(*_: object) -> str:
        raise ValueError("none of us has thought of this")

    with monkeypatch.context() as broken:
        broken.setattr(keepers, "to_json", fail)
        keeper.keep(story)
        with pytest.raises(UserError, match="thought of this"):
            keeper.close(story)
    assert library.open(path)[0].text == "A fox. It sang."
    with monkeypatch.context() as broken:
        broken.setattr(keepers, "changes", fail)
        with pytest.raises(UserError, match="thought of this"):
            keeper.keep(story.write("More."))
    keeper.close(story.write("More."))
    assert library.open(path)[0].text == "A fox. It sang. More."


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    ),
    st.sampled_from(["title", "folds", "here", "past", "future", "nodes", "created", "format"]),
)
@example(10**30, "folds")
@example(LARGEST_INT, "folds")
@example(-5, "folds")
@example(float("inf"), "here")
@example([float("nan")], "past")
def test_absurd_documents_are_trouble_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, value: object, place: str
) -> None:
    library = StoryLibrary(tmp_path_factory.mktemp("stories"))
    document = json.loads(to_json(Story(created="").write("A fox.")))
    path = library.folder / "X.json"
    path.write_text(json.dumps(document | {place: value}), encoding="utf-8")
    (entry,) = library.entries()
    try:
        keeper, story = Keeper.open(library, path)
    except UserError:
        assert entry.trouble
        return
    keeper.close(story.write("More."))
    assert keeper.document is not None
    assert library.open(keeper.document.path)[0].text.endswith("More.")


@pytest.mark.parametrize("line", [b"[" * 50_000, b'{"folds": 1e999}', b'{"add": ' + b"9" * 5000])
def test_absurd_lines_of_a_journal_are_trouble(library: StoryLibrary, line: bytes) -> None:
    path = kept(library)
    journal = path.with_suffix(".journal")
    journal.write_bytes(b'{"format":1,"folds":1}\n' + line + b"\n")
    assert by_name(library)["A fox"].trouble
    keeper, _ = Keeper.open(library, path)
    assert keeper.note


Mgpt = Callable[..., Outcome]


@POSIX
def test_odd_names_and_times_are_a_line_each(home: Path, mgpt: Mgpt) -> None:
    library = StoryLibrary()
    path = kept(library)
    for name in ("a\u202eb", "a\u2028b", "a\nb", "a\tb", "a\udcffb"):
        (library.folder / f"{name}.json").write_bytes(path.read_bytes())
    for number, stamp in enumerate((2**33, 253402300800, 2**40, -1, -(2**33))):
        odd = library.folder / f"time {number}.json"
        odd.write_bytes(path.read_bytes())
        try:
            os.utime(odd, (stamp, stamp))
        except (OSError, OverflowError):  # some file systems have no such years
            continue
    outcome = mgpt("stories")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == len(list(library.folder.iterdir()))
    assert "\u202e" not in outcome.out
    names = [entry["name"] for entry in json.loads(mgpt("stories", "--json").out)]
    for name in names:
        assert mgpt("stories", "show", name).out == "A fox.\n"


@pytest.mark.parametrize("name", ["\udcff", "a\u202eb", "a\u2028b", "a\x1bb", "/", "../x"])
def test_names_that_no_story_can_have_are_refused(home: Path, mgpt: Mgpt, name: str) -> None:
    kept(StoryLibrary())
    for command in (("rename", "A fox", name), ("duplicate", "A fox", name), ("show", name)):
        outcome = mgpt("stories", *command)
        assert outcome.code == 2
        assert outcome.err.startswith("mgpt-tui: ")
        assert len(outcome.err.splitlines()) == 2
    assert [entry.name for entry in StoryLibrary().entries()] == ["A fox"]
    assert mgpt("stories", "search", name).code == 0


def test_a_folder_that_cannot_be_read_is_told(
    home: Path, mgpt: Mgpt, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(StoryLibrary())

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    for command in ((), ("search", "fox"), ("show", "A fox")):
        outcome = mgpt("stories", *command)
        assert outcome.code == 2
        assert "cannot be read" in outcome.err
        assert "No story" not in outcome.err


@pytest.mark.parametrize("written", ["café", "cafe\u0301"])
@pytest.mark.parametrize("wanted", ["café", "cafe\u0301", "CAFÉ", "CAFE\u0301"])
def test_accents_are_found_however_they_are_written(
    library: StoryLibrary, written: str, wanted: str
) -> None:
    kept(library, f"In the {written} a fox sang.")
    (library.folder / f"{written} old.json").write_text(to_json(Story().write("Fur.")), "utf-8")
    assert len(library.search(wanted)) == 2
    assert library.find(f"{wanted} OLD").words == 1
    assert library.search("cafés") == []


def test_a_name_that_was_only_claimed_before_a_kill_is_free(library: StoryLibrary) -> None:
    library.folder.mkdir()
    (library.folder / "A fox.journal").touch()
    assert library.entries() == []
    assert kept(library).stem == "A fox"
    assert list(library.folder.iterdir()) == [library.folder / "A fox.json"]


def test_a_document_of_ours_with_a_separator_of_lines_comes_in_again(
    library: StoryLibrary, tmp_path: Path
) -> None:
    path = tmp_path / "fox.json"
    path.write_text(to_json(Story().write("A fox.")).replace("A fox", "A\u2028fox"), "utf-8")
    assert library.open(library.import_text(path).path)[0].text == "A\nfox."
    text = tmp_path / "fox.txt"
    text.write_bytes("A fox é.".encode("utf-16"))
    assert library.open(library.import_text(text).path)[0].text == "A fox é."
