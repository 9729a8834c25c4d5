"""A preparation that is stopped, killed, or runs out of disk: it goes on, and nothing differs."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing import active_children

import pytest

from mgpt_tui.errors import UserError
from tests.waiting import PATIENCE, until
from training.data.prepare import prepare
from training.data.prepare_config import PrepareConfig
from training.data.prepared import read_prepared

NAMES = ["Ada", "Ben", "Cleo", "Dov", "Eli", "Fay"]
STORIES = [
    f"{name} found {number} shells by the {place}.\nThen {name} went home and counted to {number}."
    for number in range(100)
    for name in NAMES
    for place in ("sea", "lake")
]
HELD_OUT = ["Nobody was home.", STORIES[77]]
PORTION = 6000  # which makes some 17 shards

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


def write_corpus(folder):
    """The settings of a preparation of stories in `folder`."""
    for name, stories in (("train", STORIES), ("val", HELD_OUT)):
        text = "\n<|endoftext|>\n".join(stories)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return {
        "sources": (str(folder / "train.txt"),),
        "val": str(folder / "val.txt"),
        "vocab_size": 300,
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Settings of a preparation, `out` apart; not to be changed."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def run(out, settings, workers=1, portion_bytes=PORTION):
    config = PrepareConfig(out=out, **settings)
    return list(prepare(config, workers=workers, portion_bytes=portion_bytes))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory, corpus):
    """What an uninterrupted run gives."""
    out = tmp_path_factory.mktemp("straight") / "data"
    run(out, corpus)
    return contents(out)


CHILD = """
import json, resource, sys
from pathlib import Path
from training.data.prepare import prepare
from training.data.prepare_config import PrepareConfig
if __name__ == "__main__":
    out, settings, workers, portion, limit = json.loads(sys.argv[1])
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    config = PrepareConfig(out=Path(out), **settings | {"sources": tuple(settings["sources"])})
    steps = prepare(config, workers=workers, portion_bytes=portion)
    kept = max(step.kept for step in steps)
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    own = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    helpers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peaks = [*own, helpers]  # in units of 1024 bytes
    print(json.dumps({"kept": kept, "peaks": peaks}))
"""


def start(out, settings, *, workers=2, portion_bytes=PORTION, limit=None):
    """A preparation in a process of its own, which leads a session."""
    arguments = json.dumps([str(out), settings, workers, portion_bytes, limit])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outcome(child):
    """Its exit code, what it said, and its errors, when it and its helpers are gone."""
    with child:
        out, errors = child.communicate(timeout=PATIENCE)
    until(lambda: is_gone(child.pid), "helpers that end with the process that began them")
    return child.returncode, out, errors


def is_gone(group):
    """Whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def shards(folder):
    return sorted((folder / "shards").glob("[!.]*")) if folder.exists() else []


@posix
def test_killed_again_and_again_it_ends_as_if_it_never_was(tmp_path, corpus, expected):
    out, partial = tmp_path / "data", tmp_path / "data.partial"
    chance = random.Random(4)
    before = {}
    for number in sorted(chance.sample(range(1, 60), 3)):
        child = start(out, corpus, portion_bytes=1500)  # 65 shards or so
        until(
            lambda number=number, child=child: (
                len(shards(partial)) >= number or child.poll() is not None
            ),
            f"{number} shards",
        )
        time.sleep(chance.random() * 0.02)  # wherever it is then
        os.kill(child.pid, signal.SIGKILL)
        outcome(child)
        assert not out.exists()
        after = {path.name: path.stat().st_mtime_ns for path in shards(partial)}
        assert len(after) >= number
        assert before.items() <= after.items()  # what was done was not done again
        before = after
    code, said, errors = outcome(start(out, corpus, portion_bytes=1500))
    assert code == 0, errors
    assert json.loads(said)["kept"] > (len(before) - 2) * 1500
    assert contents(out) == expected
    assert not partial.exists()


@posix
def test_killed_while_it_writes(tmp_path, corpus, expected):
    out, partial = tmp_path / "data", tmp_path / "data.partial"
    child = start(out, corpus, workers=1)
    until(
        lambda: (partial / "data" / "train.bin").exists() or child.poll() is not None,
        "the file that it writes",
    )
    assert child.poll() is None
    os.kill(child.pid, signal.SIGKILL)
    outcome(child)
    run(out, corpus)
    assert contents(out) == expected


@pytest.mark.parametrize(("workers", "portion"), [(2, PORTION), (1, 10**9), (1, 1500)])
def test_neither_processes_nor_shards_show_in_the_result(
    tmp_path, corpus, expected, workers, portion
):
    run(tmp_path / "data", corpus, workers, portion)
    assert contents(tmp_path / "data") == expected
    assert not active_children()


def stop_after(out, settings, shards):
    """Leave a preparation when so many shards are made."""
    steps = prepare(PrepareConfig(out=out, **settings), workers=1, portion_bytes=PORTION)
    for _ in range(1 + shards):
        next(steps)
    steps.close()


def test_leaving_keeps_whole_shards_and_nothing_else(tmp_path, corpus, expected):
    out, partial = tmp_path / "data", tmp_path / "data.partial"
    steps = prepare(PrepareConfig(out=out, **corpus), workers=1, portion_bytes=PORTION)
    next(steps)
    steps.close()
    assert not partial.exists()  # there was nothing to keep
    stop_after(out, corpus, 5)
    assert not out.exists()
    assert sorted(path.name for path in partial.iterdir()) == [
        "README.txt",
        "shards",
        "tokenizer.tiktoken",
    ]
    assert len(shards(partial)) == 5
    (partial / "shards" / ".tmp-torn").write_bytes(b"torn")
    run(out, corpus)
    assert contents(out) == expected
    assert not partial.exists()


@pytest.mark.parametrize(
    "change",
    [{"vocab_size": 310}, {"vocab_size": None}, {"val": None, "val_fraction": 0.2}],
    ids=["size", "whole", "share"],
)
def test_other_settings_use_the_same_shards(tmp_path, corpus, change):
    run(tmp_path / "straight", corpus | change)
    stop_after(tmp_path / "data", corpus, 9)
    steps = run(tmp_path / "data", corpus | change)
    assert max(step.kept for step in steps) > 7 * PORTION
    assert contents(tmp_path / "data") == contents(tmp_path / "straight")


def test_stale_shards_are_never_used(tmp_path):
    settings = write_corpus(tmp_path)
    out, train = tmp_path / "data", tmp_path / "train.txt"
    stop_after(out, settings, 9)
    stale = {path.name for path in shards(tmp_path / "data.partial")}
    train.write_bytes(train.read_bytes().replace(b"sea", b"bay"))  # of the same size
    steps = prepare(PrepareConfig(out=out, **settings), workers=1, portion_bytes=PORTION)
    while next(steps).stage == "encoding stories":
        pass
    # Only that of the held-out stories, which are as they were, is still of use.
    assert len(stale & {path.name for path in shards(tmp_path / "data.partial")}) == 1
    list(steps)
    data = read_prepared(out)
    text = data.tokenizer.decode(data.train.tokens.tolist())
    assert text.count("bay.") == len(STORIES) // 2
    assert "sea" not in text


def test_another_vocabulary_makes_other_shards(tmp_path, corpus, tiny_checkpoint):
    settings = corpus | {"vocab_size": None, "tokenizer": str(tiny_checkpoint)}
    run(tmp_path / "straight", settings)
    stop_after(tmp_path / "data", corpus, 9)
    steps = run(tmp_path / "data", settings)
    assert max(step.kept for step in steps) == 0
    assert contents(tmp_path / "data") == contents(tmp_path / "straight")


def test_a_stream_goes_on_where_its_stories_are_the_same(tmp_path, corpus):
    """CSV cannot be cut: it is read again, but encoded only where that has not been done."""
    source = tmp_path / "train.csv"
    source.write_text("text\n" + "\n".join(f'"{story}"' for story in STORIES))
    settings = corpus | {"sources": (str(source),)}
    run(tmp_path / "straight", settings)
    stop_after(tmp_path / "data", settings, 9)
    os.utime(source, ns=(0, 0))
    steps = run(tmp_path / "data", settings)
    assert max(step.kept for step in steps) > 7 * PORTION
    assert contents(tmp_path / "data") == contents(tmp_path / "straight")


def damage(partial):
    """Cut the end off a shard, and turn a bit of another."""
    by_size = sorted(shards(partial), key=lambda path: path.stat().st_size)
    cut, flipped = by_size[-2:]
    cut.write_bytes(cut.read_bytes()[:-30])
    content = bytearray(flipped.read_bytes())
    content[len(content) // 3] ^= 1
    flipped.write_bytes(content)


def test_damaged_shards_are_made_anew(tmp_path, corpus, expected):
    """Such as a power cut leaves: shards are not waited for until they are on disk."""
    out, partial = tmp_path / "data", tmp_path / "data.partial"
    stop_after(out, corpus, 9)
    damage(partial)
    shards(partial)[0].write_bytes(b"")
    run(out, corpus)
    assert contents(out) == expected


def test_a_shard_that_is_damaged_meanwhile(tmp_path, corpus, expected):
    out, partial = tmp_path / "data", tmp_path / "data.partial"
    steps = prepare(PrepareConfig(out=out, **corpus), workers=1, portion_bytes=PORTION)
    while next(steps).stage == "encoding stories":
        pass
    damage(partial)
    with pytest.raises(UserError, match=r"npz has been damaged") as refused:
        list(steps)
    assert "same command again" in refused.value.remedy
    assert not out.exists()
    run(out, corpus)
    assert contents(out) == expected


def test_a_source_that_changes_meanwhile_is_refused(tmp_path):
    config = PrepareConfig(out=tmp_path / "data", **write_corpus(tmp_path))
    steps = prepare(config, workers=1, portion_bytes=PORTION)
    for _ in range(9):
        next(steps)
    with (tmp_path / "train.txt").open("a") as stream:
        stream.write(" And more.")
    with pytest.raises(UserError, match=r"train\.txt has changed"):
        list(steps)
    assert not (tmp_path / "data").exists()


@posix
@pytest.mark.parametrize(("limit", "kept"), [(5000, 1), (100_000, 18)], ids=["shard", "train.bin"])
def test_a_full_disk(tmp_path, corpus, tiny_checkpoint, limit, kept):
    """A limit on the size of files stands for it: the same calls fail."""
    settings = corpus | {"vocab_size": None, "tokenizer": str(tiny_checkpoint)}
    run(tmp_path / "straight", settings)
    out, partial = tmp_path / "data", tmp_path / "data.partial"
    code, _, errors = outcome(start(out, settings, limit=limit))
    assert code == 1
    assert "UserError" in errors.splitlines()[-2]
    assert not out.exists()
    assert not (partial / "data").exists()
    assert len(shards(partial)) == kept
    run(out, settings)
    assert contents(out) == contents(tmp_path / "straight")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_memory_does_not_grow_with_the_text(tmp_path, corpus):
    """Neither of the parent, which reads it, nor of its helpers; ten times the text, the same."""
    story = " ".join(STORIES[:30])
    peaks = []
    for number, copies in enumerate((200, 2000)):
        source = tmp_path / f"{number}.jsonl"
        lines = (json.dumps({"text": f"{story} {copy}"}) for copy in range(copies))
        source.write_text("\n".join(lines))
        settings = corpus | {"sources": (str(source),)}
        code, said, errors = outcome(
            start(tmp_path / f"data{number}", settings, portion_bytes=2**18)
        )
        assert code == 0, errors
        peaks.append(json.loads(said)["peaks"])
    (small, small_helpers), (large, large_helpers) = peaks
    assert source.stat().st_size > 4 * 10**6
    assert large - small < 3 * 1024
    assert large_helpers - small_helpers < 3 * 1024


@posix
def test_a_helper_that_dies(tmp_path, corpus, expected):
    out = tmp_path / "data"
    config = PrepareConfig(out=out, **corpus)
    steps = prepare(config, workers=2, portion_bytes=PORTION)
    for _ in range(3):
        next(steps)
    os.kill(active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(UserError, match="has died") as refused:
        list(steps)
    assert "goes on" in refused.value.remedy
    assert not active_children()
    assert max(step.kept for step in run(out, corpus)) > 0
    assert contents(out) == expected
