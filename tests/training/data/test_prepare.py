"""Preparing data: what is written, the split, the vocabulary, what bad input gets."""

import hashlib
import json
import os
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.tokenizer import GPT2_DIGEST, Tokenizer
from training.data.prepare import PORTION_BYTES, prepare
from training.data.prepare_config import PrepareConfig
from training.data.prepared import meta_digest, read_prepared

ANIMALS = ["fox", "hen", "goat", "snail", "owl", "mole", "crow", "toad"]
PLACES = ["under the bridge", "behind the moon", "in a teapot", "near the old mill"]
STORIES = [f"The {a} lived {p}.\nIt met a {b}." for a in ANIMALS for p in PLACES for b in ANIMALS]
HELD_OUT = ["A quiet whale read a map of the sea.", "Nobody knew the baker's name. né 🦊"]


def write(path, stories):
    path.write_text("\n<|endoftext|>\n".join(stories), encoding="utf-8")
    return str(path)


def run(out, *sources, portion_bytes=PORTION_BYTES, **options):
    config = PrepareConfig(sources=sources, out=out, **{"tokenizer": "gpt2", **options})
    return list(prepare(config, workers=1, portion_bytes=portion_bytes))


def stories_of(data, split):
    """The stories of a .bin file, decoded; every one must stand between two end tokens."""
    tokens = getattr(data, split).tokens
    ends = np.flatnonzero(tokens == data.tokenizer.end_token)
    assert ends[0] == 0
    assert ends[-1] == len(tokens) - 1
    return [data.tokenizer.decode(tokens[a + 1 : b].tolist()) for a, b in pairwise(ends)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    train = write(folder / "train.txt", STORIES)
    val = write(folder / "val.txt", HELD_OUT)
    run(folder / "data", train, val=val, vocab_size=400)
    return folder / "data"


def test_the_stories_come_back(prepared):
    data = read_prepared(prepared)
    assert data.train.tokens.dtype == np.uint16
    assert stories_of(data, "train") == STORIES
    assert stories_of(data, "val") == HELD_OUT


def test_meta_says_what_is_there(prepared):
    data = read_prepared(prepared)
    meta = json.loads((prepared / "meta.json").read_text())
    assert meta["format"] == 1
    assert meta["tokenizer"]["vocab_size"] == data.tokenizer.vocab_size == 400
    assert meta["tokenizer"]["digest"] == data.tokenizer.digest
    assert meta["splits"]["train"] == {
        "stories": len(STORIES),
        "tokens": len(data.train.tokens),
        "bytes": sum(len(story.encode()) for story in STORIES),
    }
    assert data.val.bytes == sum(len(story.encode()) for story in HELD_OUT)
    assert data.val.stories == 2
    assert set(meta["files"]) == {"train.bin", "val.bin", "tokenizer.tiktoken"}
    for name, entry in meta["files"].items():
        content = (prepared / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert {path.name for path in prepared.iterdir()} == {*meta["files"], "meta.json"}


def test_the_trimmed_vocabulary_comes_from_the_training_text(prepared):
    data = read_prepared(prepared)
    assert b" goat" in data.tokenizer.ranks
    assert b" whale" not in data.tokenizer.ranks  # only in the held-out stories


def test_without_a_size_the_whole_vocabulary_is_used(tmp_path):
    run(tmp_path / "data", write(tmp_path / "a.txt", STORIES), val_fraction=0.2)
    assert read_prepared(tmp_path / "data").tokenizer.digest == GPT2_DIGEST


def test_stories_of_the_validation_source_are_dropped(tmp_path):
    respaced = HELD_OUT[0].replace(" ", "\n ")
    train = write(tmp_path / "a.txt", [*STORIES[:5], respaced, STORIES[0], HELD_OUT[1]])
    run(tmp_path / "data", train, val=write(tmp_path / "val.txt", HELD_OUT), vocab_size=300)
    data = read_prepared(tmp_path / "data")
    assert stories_of(data, "train") == [*STORIES[:5], STORIES[0]]
    assert data.meta["dropped"] == 2
    assert data.meta["duplicates"] == 1


def test_the_share_held_out_depends_on_the_stories_alone(tmp_path):
    halves = []
    shuffled = random.Random(5).sample(STORIES, len(STORIES))
    for at, stories in enumerate((STORIES, [*shuffled, *STORIES[:40]])):
        out = tmp_path / f"data{at}"
        run(out, write(tmp_path / f"{at}.txt", stories), val_fraction=0.25, vocab_size=300)
        data = read_prepared(out)
        train, val = set(stories_of(data, "train")), set(stories_of(data, "val"))
        assert not train & val
        assert train | val == set(STORIES)
        halves.append(val)
    assert halves[0] == halves[1]
    assert 0.15 < len(halves[0]) / len(STORIES) < 0.35


def test_several_sources_and_progress(tmp_path):
    first, second = write(tmp_path / "a.txt", STORIES[:9]), write(tmp_path / "b.txt", STORIES[9:])
    val = write(tmp_path / "val.txt", HELD_OUT)
    steps = run(tmp_path / "data", first, second, val=val, vocab_size=300)
    assert stories_of(read_prepared(tmp_path / "data"), "train") == STORIES
    stages = dict.fromkeys(step.stage for step in steps)
    assert list(stages) == ["encoding stories", "counting tokens", "writing tokens"]
    size = sum(Path(name).stat().st_size for name in (first, second, val))
    last = steps[-1]
    assert (last.stories, last.done, last.total) == (len(STORIES) + 2, size, size)


def test_the_same_input_gives_the_same_files(prepared, tmp_path):
    train = write(tmp_path / "train.txt", STORIES)
    run(tmp_path / "data", train, val=write(tmp_path / "val.txt", HELD_OUT), vocab_size=400)
    again, before = read_prepared(tmp_path / "data"), read_prepared(prepared)
    assert again.meta["files"] == before.meta["files"]


def test_long_texts_and_many_shards(tmp_path):
    stories = [" ".join(STORIES), "\n".join(STORIES[::-1]) * 9, *STORIES]
    train = write(tmp_path / "train.txt", stories)
    val = write(tmp_path / "val.txt", HELD_OUT)
    steps = run(tmp_path / "data", train, val=val, portion_bytes=500)
    assert len(steps) > 12
    assert stories_of(read_prepared(tmp_path / "data"), "train") == stories


def test_the_vocabulary_of_a_model(tmp_path, tiny_checkpoint, byte_tokenizer):
    source = write(tmp_path / "a.txt", STORIES)
    run(tmp_path / "data", source, tokenizer=str(tiny_checkpoint), val_fraction=0.2)
    data = read_prepared(tmp_path / "data")
    assert data.tokenizer.digest == byte_tokenizer.digest
    assert data.meta["tokenizer"]["name"] == str(tiny_checkpoint)
    assert set(stories_of(data, "train")) | set(stories_of(data, "val")) == set(STORIES)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name not in ("a.txt", "val.txt"))


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ({"tokenizer": "nobody"}, "no model 'nobody'", "Known models"),
        ({"vocab_size": 256}, "vocab_size cannot be 256", "257"),
        ({"vocab_size": 50258}, "vocab_size cannot be 50258", "from 257 to 50257"),
        ({"val_fraction": 0.0}, "val_fraction cannot be 0", "0.0001"),
        ({"val": "missing.txt"}, "does not exist", "path"),
        ({"text_column": "text", "val": "nowhere.csv"}, "does not exist", "path"),
    ],
    ids=["model", "small", "large", "fraction", "missing", "missing csv"],
)
def test_bad_settings_leave_nothing(tmp_path, options, message, remedy):
    source = write(tmp_path / "a.txt", STORIES)
    with pytest.raises(UserError, match=message) as refused:
        run(tmp_path / "data", source, **options)
    assert remedy in refused.value.remedy
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("count", [2, 3, 40, 60, 80, 100])
@pytest.mark.parametrize("fraction", [0.0001, 0.01, 0.9])
def test_at_least_one_story_is_on_each_side(tmp_path, count, fraction):
    source = write(tmp_path / "a.txt", [*STORIES[:count], STORIES[0]])
    run(tmp_path / "data", source, val_fraction=fraction, vocab_size=300)
    data = read_prepared(tmp_path / "data")
    train, val = set(stories_of(data, "train")), set(stories_of(data, "val"))
    assert train and val and not train & val
    assert train | val == set(STORIES[:count])
    how = data.meta["validation"]["held_out"]
    if fraction == 0.0001:
        assert len(val) == 1 and how.startswith("one story")


NOVEL = "\n\n".join(" ".join(STORIES[at : at + 5]) for at in range(0, 100, 5))


@pytest.mark.parametrize("fraction", [0.0001, 0.01, 0.3, 0.9])
@pytest.mark.parametrize("text", [NOVEL, NOVEL.replace("\n\n", "\n")], ids=["paragraphs", "lines"])
def test_one_text_is_cut_at_a_paragraph(tmp_path, fraction, text):
    source = write(tmp_path / "a.txt", [text, "", text])  # a copy of it changes nothing
    run(tmp_path / "data", source, val_fraction=fraction, vocab_size=300, portion_bytes=50)
    data = read_prepared(tmp_path / "data")
    (train,), (val,) = stories_of(data, "train"), stories_of(data, "val")
    border = "\n\n" if "\n\n" in text else "\n"
    assert train + border + val == text
    assert abs(len(val) / len(text) - fraction) < 0.06
    assert data.meta["validation"]["held_out"].startswith("the end of the only text")
    assert data.meta["dropped"] == 1
    assert (data.train.bytes, data.val.bytes) == (len(train.encode()), len(val.encode()))


def test_nothing_to_hold_out_or_to_learn_from_is_refused(tmp_path):
    source = write(
        tmp_path / "a.txt", ["One story, in one paragraph.", "One story, in one paragraph."]
    )
    with pytest.raises(UserError, match="one story alone") as refused:
        run(tmp_path / "data", source, val_fraction=0.5)
    assert "--val" in refused.value.remedy
    with pytest.raises(UserError, match="in the validation source too"):
        run(tmp_path / "data", source, val=source)
    assert leftovers(tmp_path) == []


def test_what_is_left_out_is_counted_and_named(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    write(folder / "a.txt", STORIES)
    (folder / "b.csv").write_text("id,text\n1,A hen sat down.\n2,\n3,\n")
    (folder / os.fsdecode(b"odd\xff\xe2\x80\xae.pdf")).write_bytes(b"x")
    run(tmp_path / "data", str(folder), val_fraction=0.2, vocab_size=300, portion_bytes=999)
    kinds, rows = read_prepared(tmp_path / "data").meta["left_out"]
    assert (kinds["what"], kinds["count"]) == ("files of other kinds", 1)
    assert kinds["names"] == [f"{folder}/odd\ufffd⟦RLO⟧.pdf"]
    assert rows == {"what": "rows without text", "count": 2, "in": [f"{folder}/b.csv"]}


def test_a_source_of_an_odd_name(tmp_path):
    source = write(tmp_path / os.fsdecode(b"odd\xff.txt"), STORIES)
    run(tmp_path / "data", source, val_fraction=0.2, vocab_size=300)
    assert read_prepared(tmp_path / "data").meta["sources"] == [f"{tmp_path}/odd\ufffd.txt"]


def test_prepared_data_and_work_on_it_are_never_sources(tmp_path, monkeypatch):
    """Killed and run again, it would learn from its own README and meta.json."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.txt", STORIES)
    options = {"val_fraction": 0.2, "vocab_size": 300}
    run(Path("straight"), ".", **options)
    for at, out in enumerate(("data", "deep/data")):
        config = PrepareConfig(sources=(".",), out=Path(out), tokenizer="gpt2", **options)
        steps = prepare(config, workers=1, portion_bytes=500)
        for _ in range(4):
            next(steps)
        steps.close()  # what it has done waits in data.partial
        assert Path(out + ".partial", "README.txt").exists()
        Path(out).mkdir()
        run(Path(out), ".", portion_bytes=500, **options)
        meta = read_prepared(Path(out)).meta
        assert meta["files"] == read_prepared(Path("straight")).meta["files"]
        (own,) = meta["left_out"]
        assert own["what"] == "folders of prepared data, or of work on it"
        assert own["count"] == 3 + at
    with pytest.raises(UserError, match="is where this command writes"):
        run(Path("data"), "data/meta.json", overwrite=True, **options)
    with pytest.raises(UserError, match="is prepared data"):
        run(Path("more"), "data", **options)
    with pytest.raises(UserError, match="is prepared data"):
        run(Path("more"), "data/meta.json", **options)


def test_a_source_that_breaks_off_leaves_nothing(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"A good story.\n<|endoftext|>\nA bad \xff one.")
    with pytest.raises(UserError, match="not UTF-8: byte 34 is 0xFF"):
        run(tmp_path / "data", str(tmp_path / "a.txt"))
    assert leftovers(tmp_path) == []


def test_an_existing_folder_is_refused_unless_it_is_to_be_replaced(tmp_path, prepared):
    source, out = write(tmp_path / "a.txt", STORIES), tmp_path / "data"
    run(out, source, val_fraction=0.2, vocab_size=300)
    before = read_prepared(out).meta
    with pytest.raises(UserError, match="exists already") as refused:
        run(out, source, val_fraction=0.2)
    assert "--overwrite" in refused.value.remedy
    torn = tmp_path / "a.txt"  # the source, damaged since
    whole = torn.read_bytes()
    torn.write_bytes(b"A whole story.\n<|endoftext|>\n\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        run(out, torn, overwrite=True)
    torn.write_bytes(whole)
    assert read_prepared(out).meta == before
    run(out, source, overwrite=True, val_fraction=0.2, vocab_size=310)
    assert read_prepared(out).tokenizer.vocab_size == 310
    assert leftovers(tmp_path) == ["data"]


def test_other_things_are_never_overwritten(tmp_path):
    source, out = write(tmp_path / "a.txt", STORIES), tmp_path / "data"
    out.mkdir()
    run(out, source, val_fraction=0.2, vocab_size=300)  # an empty folder is fine
    (out / "diary.md").write_text("mine")
    with pytest.raises(UserError, match="other things"):
        run(out, source, overwrite=True)
    with pytest.raises(UserError, match="other things"):
        run(tmp_path / "a.txt", source, overwrite=True)
    assert (out / "diary.md").read_text() == "mine"


def test_an_out_that_cannot_be_made(tmp_path):
    source = write(tmp_path / "a.txt", STORIES)
    with pytest.raises(UserError) as refused:
        run(tmp_path / "a.txt" / "data", source)
    assert refused.value.remedy


def copy_of(prepared, folder):
    folder.mkdir()
    for path in prepared.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("name", ["train.bin", "val.bin", "tokenizer.tiktoken", "meta.json"])
def test_damaged_data_is_refused(prepared, tmp_path, name):
    cut = copy_of(prepared, tmp_path / "cut")
    (cut / name).write_bytes((cut / name).read_bytes()[:-20])
    changed = copy_of(prepared, tmp_path / "changed")
    content = bytearray((changed / name).read_bytes())
    content[len(content) // 2] ^= 0x80
    (changed / name).write_bytes(content)
    gone = copy_of(prepared, tmp_path / "gone")
    (gone / name).unlink()
    for folder in (cut, changed, gone):
        with pytest.raises(UserError, match=name) as refused:
            read_prepared(folder)
        assert "mgpt-tui prepare" in refused.value.remedy


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes")
@pytest.mark.parametrize("name", ["train.bin", "tokenizer.tiktoken", "meta.json"])
def test_a_pipe_in_the_place_of_prepared_data_is_not_waited_for(prepared, tmp_path, name):
    folder = copy_of(prepared, tmp_path / "data")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match="is no regular file"):
        read_prepared(folder)


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"files": {}}, {"splits": None}, {"tokenizer": {}}, {"splits": {"train": {}}}],
)
def test_a_meta_of_another_kind_is_refused(prepared, tmp_path, change):
    folder = copy_of(prepared, tmp_path / "data")
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | change))
    with pytest.raises(UserError, match=r"meta\.json"):
        read_prepared(folder)


@pytest.mark.parametrize("has_digest", [True, False])
def test_no_bit_of_the_split_pattern_changes_in_silence(prepared, tmp_path, has_digest):
    folder = copy_of(prepared, tmp_path / "data")
    path = folder / "meta.json"
    meta = json.loads(path.read_text())
    if not has_digest:  # as data was prepared before
        del meta["sha256"]
        path.write_text(json.dumps(meta))
    content = path.read_bytes()
    read_prepared(folder)
    begin, end = content.index(b'"pattern"'), content.index(b'"special_tokens"')
    for bit in range(8 * begin, 8 * end, 7):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            assert read_prepared(folder).meta == meta
        except UserError:
            continue


def sealed(folder, edit):
    """Damaged, and then every digest made to match."""
    meta = json.loads((folder / "meta.json").read_text())
    edit(meta)
    for name, entry in meta["files"].items():
        entry["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "meta.json").write_text(json.dumps(meta | {"sha256": meta_digest(meta)}))


@pytest.mark.parametrize("count", [-1, True, 1.5, "3", 10**30, None, [1]])
def test_digests_that_match_absurd_counts(prepared, tmp_path, count):
    folder = copy_of(prepared, tmp_path / "data")
    sealed(folder, lambda meta: meta["splits"]["val"].update(bytes=count))
    with pytest.raises(UserError, match=r"meta\.json") as refused:
        read_prepared(folder)
    assert "mgpt-tui prepare" in refused.value.remedy


def test_digests_that_match_tokens_of_no_vocabulary(prepared, tmp_path):
    folder = copy_of(prepared, tmp_path / "data")
    (folder / "train.bin").write_bytes(b"\xff\xff" * 9)
    sealed(folder, lambda meta: None)
    with pytest.raises(UserError, match="not in its vocabulary"):
        read_prepared(folder)


def test_a_missing_split_pattern_is_told(prepared, tmp_path):
    folder = copy_of(prepared, tmp_path / "data")
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"tokenizer": {"pattern": None}}))
    with pytest.raises(UserError, match="states no split pattern"):
        read_prepared(folder)


def test_a_folder_that_was_never_prepared(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UserError, match="no prepared data") as refused:
            read_prepared(folder)
        assert "mgpt-tui prepare" in refused.value.remedy


def test_the_embedded_ranks_are_enough(monkeypatch, tmp_path):
    """No tokenizer is downloaded, whatever caches there are."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert Tokenizer.gpt2().encode("Hello") == [15496]
    assert list(tmp_path.iterdir()) == []
    assert (paths.assets_dir() / "gpt2.tiktoken").is_file()
