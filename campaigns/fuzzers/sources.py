"""Damaged and odd source files, for `make fuzz`: nothing but a `UserError` leaves a reader.

Each target makes one file of its kind from stories of our own, damages it, and reads it in both
ways that there are. What is read must be the same in both, and such as can be encoded: stripped,
in UTF-8, without any mark in it.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from damage import damaged, told

from mgpt_tui.errors import UserError
from mgpt_tui.model.tokenizer import END_OF_TEXT
from training.sources.stories import open_source
from training.sources.text_files import START_OF_TEXT

STORIES = (
    "The fox lost its tail, and it cried.",
    'A hen sat on a pin.\n\nIt said, "Ouch!"',
    "né à Orléans; l'été 🦊|\tfin",
    "Once",
    "",
    " \u3000 ",
    "x" * 300,
)
SCRAPS = (
    END_OF_TEXT.encode(), START_OF_TEXT.encode(), b"<|endof", b"text|>", b"\n", b"\r", b"\r\n",
    b'"', b'""', b"'", b"\\", b",", b";", b"\t", b"|", b"sep=;\n", b"{", b"}", b"[", b"]", b":",
    b"null", b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 3000, b'{"text":' * 200,
    b'"text"', b'"text": "A cat.", "text": "A dog."', b"\\ud800", b"\\u0000", b"\0", b"\xff",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", "\u2028\u202e".encode(),
    b"\xed\xa0\x80", b" ", b"text", b"id,text\n",
)  # fmt: skip
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1")


def make_ready() -> None:
    """Import what takes long, once for all processes."""
    import pyarrow as pa
    from pyarrow import parquet

    assert parquet and pa.array(["it imports pandas, too"])


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-sources-"))


def _stories(chance: random.Random) -> list[str]:
    return chance.choices(STORIES, k=chance.randrange(1, 9))


def spoiled(chance: random.Random, content: bytes) -> bytes:
    """Some content with scraps of other files in it, or damaged, or as it is."""
    for _ in range(chance.choice((0, 0, 1, 2))):
        at = chance.randrange(len(content) + 1)
        content = content[:at] + chance.choice(SCRAPS) + content[at:]
    return damaged(chance, content) if chance.random() < 0.5 else content


def _encoded(text: str, chance: random.Random) -> bytes:
    encoding = chance.choice(ENCODINGS) if chance.random() < 0.1 else "utf-8"
    return text.encode(encoding, "replace")


def check(name: str, content: bytes, chance: random.Random) -> None:
    """Read a file in both ways; raise `AssertionError` where they differ or a story is unfit."""
    path = _folder() / name
    told(content)
    path.write_bytes(content)
    column = chance.choice((*[None] * 8, "text", "story"))
    results: list[list[str] | None] = []
    refused: UserError | None = None
    for size in (0, chance.choice((1, 30, 10**6))):
        try:
            source = open_source(str(path), column)
            if size:
                found = [text for part in source.portions(size) for text in part.stories()]
            else:
                found = [story.text for story in source.stories()]
        except UserError as error:  # which of several faults is told depends on the portions
            refused = error
            str(error).encode()
            results.append(None)
            continue
        results.append(found or None)  # only `stories` refuses a file without any
        for text in found:
            text.encode()
            assert text == text.strip() and "\r" not in text and END_OF_TEXT not in text
    assert results[0] == results[1], results
    try:
        if refused is not None:
            raise refused
    finally:
        refused = None  # else it and this frame would hold one another, and all that was open


def text(chance: random.Random) -> None:
    joined = chance.choice((f"\n{END_OF_TEXT}\n", END_OF_TEXT, "\n")).join(_stories(chance))
    check("a.txt", spoiled(chance, _encoded(joined, chance)), chance)


def table(chance: random.Random) -> None:
    stream = io.StringIO()
    names = chance.choice((*[["text"], ["id", "text"], ["id", "story"]] * 3, ["text", "title"]))
    if chance.random() < 0.1:
        names = ["text", "text"]
    quoting = chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(stream, delimiter=chance.choice(",;\t|"), quoting=quoting)
    writer.writerow(names)
    writer.writerows(
        [number if name == "id" else chance.choice(STORIES) for name in names]
        for number in range(chance.randrange(6))
    )
    check("a.csv", spoiled(chance, _encoded(stream.getvalue(), chance)), chance)


def _objects(chance: random.Random) -> list[object]:
    values = (*STORIES, None, 1, -1.5, ["x"], {"text": "y"}, True, float("inf"))
    names = ("text", "story", "id", "")
    return [
        {name: chance.choice(values) for name in chance.sample(names, chance.randrange(4))}
        if chance.random() < 0.8
        else chance.choice(values)
        for _ in range(chance.randrange(1, 6))
    ]


def lines(chance: random.Random) -> None:
    objects = _objects(chance) if chance.random() < 0.5 else [{"text": s} for s in _stories(chance)]
    content = "\n".join(json.dumps(one, ensure_ascii=chance.random() < 0.5) for one in objects)
    check("a.jsonl", spoiled(chance, _encoded(content, chance)), chance)


def values(chance: random.Random) -> None:
    objects: list[object] = _objects(chance) if chance.random() < 0.5 else [*_stories(chance)]
    content = json.dumps(objects, indent=chance.choice((None, 1)))
    check("a.json", spoiled(chance, _encoded(content, chance)), chance)


def packed(chance: random.Random) -> None:
    name = chance.choice(("a.txt.gz", "a.csv.gz", "a.jsonl.gz"))
    content = spoiled(chance, END_OF_TEXT.join(_stories(chance)).encode())
    check(name, spoiled(chance, gzip.compress(content, 1, mtime=0)), chance)


def parquet(chance: random.Random) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kind = chance.choice((pa.string(), pa.large_string(), pa.binary()))
    columns = {"text": pa.array([s or None for s in _stories(chance)], kind)}
    stream = io.BytesIO()
    parquet.write_table(
        pa.table(columns),
        stream,
        compression=chance.choice(("none", "snappy", "zstd")),
        use_dictionary=chance.random() < 0.5,
        row_group_size=chance.choice((1, 3, 100)),
    )
    check("a.parquet", spoiled(chance, stream.getvalue()), chance)


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "source text": text,
    "source csv": table,
    "source jsonl": lines,
    "source json": values,
    "source gzip": packed,
    "source parquet": parquet,
}
"""One input each, by what it reads."""
