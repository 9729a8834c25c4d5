"""Completions of given beginnings, and their figures."""

import os

import pytest

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.request import SamplingSettings
from training.evaluation.completions import (
    Completion,
    complete,
    read_beginnings,
    sum_up,
    written_by_people,
)
from training.evaluation.held_out import prepared_stories
from training.evaluation.novelty import Novelty

SETTINGS = SamplingSettings(max_tokens=5, seed=4)


def test_each_sample_is_what_its_seed_writes(tiny_model, byte_tokenizer):
    engine = Engine(PlainDecoder(tiny_model), byte_tokenizer)
    found = list(complete(engine, ["A cat", "A dog"], SETTINGS, 2))
    assert [(one.beginning, one.seed) for one in found] == [
        ("A cat", 4), ("A cat", 5), ("A dog", 4), ("A dog", 5),
    ]  # fmt: skip
    again = "".join(
        chunk.text
        for chunk in engine.stream(
            ["A cat"], SamplingSettings(max_tokens=5, seed=5, finish_sentence=False)
        )
    )
    assert found[1].text == again
    assert all(one.tokens <= 5 for one in found)


def test_figures_of_completions():
    told = [
        Completion("Once", " the cat sat here." * 5, 30, True, 1),
        Completion("Once", " a dog ran.", 10, False, 2),
        Completion("Once", " a bird sang.", 12, True, 3),
    ]
    figures = sum_up(told, None)
    assert figures.completions == 3
    assert figures.ended == pytest.approx(2 / 3)
    assert figures.median_tokens == 12
    assert figures.repetitive == pytest.approx(1 / 3)
    assert figures.longest_shared is figures.median_shared is figures.known_share is None
    novelty = [Novelty(("a",) * length, share) for length, share in ((7, 0.5), (2, 0), (3, 0.1))]
    figures = sum_up(told, novelty)
    assert (figures.longest_shared, figures.median_shared) == (7, 3)
    assert figures.known_share == pytest.approx(0.2)


def test_repeats_are_those_of_the_whole_story():
    beginning = "The cat sat down. The cat sat down. "
    assert Completion(beginning, "The cat sat down.", 4, True, 1).repeats == 3


def test_people_tell_whole_stories(prepared):
    stories = prepared_stories(prepared)
    told = written_by_people(stories, prepared.tokenizer)
    assert told[0].text.startswith("Mia had a kite.")
    assert told[0].tokens == len(stories[0].tokens)
    assert all(one.ended and one.seed is None and one.beginning == "" for one in told)


def test_beginnings_from_yaml_and_from_stories(tmp_path):
    listed = tmp_path / "some.yaml"
    listed.write_text('- "Once upon"\n- |-\n  Two\n\n  lines\n- "  "\n- "a\\eb"\n')
    assert read_beginnings(listed) == ["Once upon", "Two\n\nlines", "a␛b"]
    stories = tmp_path / "some.txt"
    stories.write_text("Once\n<|endoftext|>\nTwice\n")
    assert read_beginnings(stories) == ["Once", "Twice"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.yaml", "{a: b}", "no list"),
        ("x.yaml", "- [1]", "no list"),
        ("x.yaml", "- [", "not YAML"),
        ("x.yaml", "[" * 5000, "not YAML"),
        ("x.yaml", "[]", "no beginnings"),
        ("x.yml", b"\xff\xfe\xff", "not UTF-8"),
        ("x.txt", "  \n", "no stories"),
        ("x.doc", "Once", "unknown kind"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=words):
        read_beginnings(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    for name in ("owner/name", "none.yaml"):
        with pytest.raises(UserError, match=r"does not exist|[Nn]o such"):
            read_beginnings(tmp_path / name)


def test_beginnings_are_read_as_all_files_are(tmp_path):
    """With the byte order marks of Windows; and nothing is waited for in a pipe."""
    path = tmp_path / "a.yaml"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes('- "né 🦊"\n'.encode(encoding))
        assert read_beginnings(path) == ["né 🦊"]
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(UserError, match="is no regular file"):
            read_beginnings(path)


def test_no_tag_of_yaml_makes_anything_but_text(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("- !!bool foo\n- !!int ''\n- !!python/object/apply:os.system ls\n- 12\n")
    assert read_beginnings(path) == ["foo", "ls", "12"]
