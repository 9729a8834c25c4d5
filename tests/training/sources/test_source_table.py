"""Every kind of source: what is in the file, what is read of it, and what is told."""

import gzip
import io
import json
import os
import socket
from dataclasses import dataclass, field

import pytest

from mgpt_tui.errors import UserError
from training.sources.stories import open_source

END = "<|endoftext|>"
FOX, HEN, OWL = "The fox lost its tail, and cried.", "A hen sat on a pin.", "The owl; it laughed."
STORIES = [FOX, HEN, OWL]


@dataclass
class Case:
    """Files in a folder, the one to read, and what is to come of it.

    Attributes:
        name: of the file to read; that of a folder ends with a slash.
        content: of the file, or by their names of the files in the folder.
        read: its stories.
        told: what is left out, as `LeftOut.lines` has it, the folder's own name taken away.
        refused: a part of the message, where it cannot be read; nothing else counts then.
        column: the text column that is given.
    """

    name: str
    content: bytes | str | dict[str, bytes | str]
    read: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    refused: str = ""
    column: str | None = None

    def __str__(self) -> str:
        return self.name


def rows(*fields):
    return "\n".join(json.dumps(row) for row in fields)


def parquet(**columns):
    import pyarrow as pa
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pa.table(columns), stream)
    return stream.getvalue()


def doubled_parquet():
    import pyarrow as pa
    from pyarrow import parquet

    stream = io.BytesIO()
    parquet.write_table(pa.table([[FOX], [HEN]], names=["text", "text"]), stream)
    return stream.getvalue()


BINARY = [story.encode() for story in STORIES]
TEXT = f"\n{END}\n".join(STORIES)

TABLE = {
    # plain text
    "lines of marks": Case("a.txt", TEXT, STORIES),
    "one story": Case("a.txt", FOX, [FOX]),
    "marks within a line": Case("a.txt", END.join(STORIES), STORIES),
    "marks at the start": Case("a.txt", f"{END}{FOX}\n{END}{HEN}", [FOX, HEN]),
    "marks at the end": Case("a.txt", f"{FOX}{END}\n{HEN}{END}\n", [FOX, HEN]),
    "marks on lines of CR": Case("a.txt", f"\r{END}\r".join(STORIES), STORIES),
    "marks of both kinds": Case(
        "a.txt", "".join(f"<|startoftext|>{story}{END}" for story in STORIES), STORIES
    ),
    "marks alone": Case("a.txt", END * 3, refused="holds no stories"),
    "UTF-8 with a mark": Case("a.txt", TEXT.encode("utf-8-sig"), STORIES),
    "UTF-16": Case("a.txt", TEXT.encode("utf-16"), STORIES),
    "UTF-16, big first": Case("a.txt", b"\xfe\xff" + TEXT.encode("utf-16-be"), STORIES),
    "UTF-32": Case("a.txt", TEXT.encode("utf-32"), STORIES),
    "UTF-16 without a mark": Case("a.txt", TEXT.encode("utf-16-le"), refused="NUL characters"),
    "UTF-16 cut off": Case("a.txt", TEXT.encode("utf-16")[:-1], refused="is not UTF-16"),
    "Latin-1": Case("a.txt", b"Orl\xe9ans", refused="byte 3 is 0xE9"),
    "a program": Case("a.txt", b"\x7fELF\0\0", refused="NUL characters"),
    "packed": Case("a.txt.gz", gzip.compress(TEXT.encode()), STORIES),
    "packed twice over": Case(
        "a.TXT.GZ", gzip.compress(FOX.encode()) + gzip.compress(f"{END}{HEN}".encode()), [FOX, HEN]
    ),
    "packed, cut off": Case("a.txt.gz", gzip.compress(TEXT.encode())[:-9], refused="cut off"),
    "packed, damaged": Case("a.txt.gz", b"no gzip", refused="damaged"),
    "packed, odd bytes": Case("a.txt.gz", gzip.compress(b"Orl\xe9ans"), refused="byte 3 is 0xE9"),
    # CSV
    "commas": Case("a.csv", f'id,text\n1,"{FOX}"\n2,{HEN}\n', [FOX, HEN]),
    "semicolons": Case("a.csv", f'id;text\n1;"{FOX}"\n2;"{OWL}"\n', [FOX, OWL]),
    "tabs": Case("a.csv", f"id\ttext\n1\t{FOX}\n2\t{OWL}\n", [FOX, OWL]),
    "a .tsv": Case("a.tsv", f"text\n{FOX}\n{OWL}\n", [FOX, OWL]),
    "bars": Case("a.csv", f"id|text\n1|{FOX}\n2|{OWL}\n", [FOX, OWL]),
    "Excel says what separates": Case("a.csv", f"sep=;\nid;text\n1;{FOX}\n", [FOX]),
    "two that may separate": Case(
        "a.csv", f'id;"short, long";text\n1;"a, b";"{FOX}"\n2;"c, d";"{HEN}"\n', [FOX, HEN]
    ),
    "nobody knows what separates": Case("a.csv", "a;b,text\nx\n", refused="commas or semicolons"),
    "one column": Case("a.csv", f'text\n"{FOX}"\n{OWL}\n', [FOX, OWL]),
    "blanks after commas": Case("a.csv", f'id, text\n1, "{FOX}"\n', [FOX]),
    "UTF-16 from Excel": Case("a.csv", f"id\ttext\r\n1\t{FOX}\r\n".encode("utf-16"), [FOX]),
    "lines of CR": Case("a.csv", f'id,text\r1,"{FOX}"\r2,{HEN}\r', [FOX, HEN]),
    "lines within quotes": Case("a.csv", 'text\n"One.\r\nTwo."\n', ["One.\nTwo."]),
    "unquoted commas": Case("a.csv", f"text\n{HEN}\n{FOX}\n", refused="line 3: 2 fields"),
    "unquoted commas, two columns": Case(
        "a.csv", f"id,text\n\n1,{HEN}\n2,{FOX}\n", refused="line 4: 3 fields"
    ),
    "rows that end with a comma": Case("a.csv", f"id,text\n1,{HEN},\n2,{OWL},,\n", [HEN, OWL]),
    "two columns of a name": Case(
        "a.csv", "text,text\na,b\n", refused="line 1: several columns are named 'text'"
    ),
    "the names again": Case(
        "a.csv",
        f"id,text\n1,{HEN}\nid,text\n2,{OWL}\n",
        [HEN, OWL],
        ["left out, rows without text: 1 (a.csv)"],
    ),
    "empty texts": Case(
        "a.csv",
        f"id,text\n1,\n2,{HEN}\n3\n4,  \n",
        [HEN],
        ["left out, rows without text: 3 (a.csv)"],
    ),
    "a first row without text": Case(
        "a.csv", f"id,story,title\n0,,Lost\n1,{HEN},Pin\n", refused="does not say which column"
    ),
    "a first row without text, the column named": Case(
        "a.csv",
        f"id,story,title\n0,,Lost\n1,{HEN},Pin\n",
        [HEN],
        ["left out, rows without text: 1 (a.csv)"],
        column="story",
    ),
    "titles first": Case(
        "a.csv",
        "title,story\n" + "Lost,\n" * 1500 + f"Pin,{HEN}\n",
        refused="line 1502: this row has text in 'story', too",
    ),
    "a row that is too short": Case(
        "a.csv", f"title,text\n{HEN}\n", refused="line 2: this row has text in 'title', and none"
    ),
    "no names": Case("a.csv", f'1,"{FOX}"\n2,{HEN}\n', refused="but with a story"),
    "a quote left open": Case("a.csv", f'text\n{HEN}\n"{FOX}\n{OWL}\n', refused="line 3: unexp"),
    "a quote too many": Case("a.csv", 'text\n"He said "no""\n', refused="line 2: "),
    "a packed table": Case("a.csv.gz", gzip.compress(f"text\n{HEN}\n".encode()), [HEN]),
    # JSON
    "an object a line": Case("a.jsonl", rows(*({"text": s} for s in STORIES)), STORIES),
    "a text a line": Case("a.jsonl", rows(*STORIES), STORIES),
    "another name": Case(
        "a.jsonl", rows({"id": 1, "tale": FOX}, {"id": 2, "tale": HEN}), [FOX, HEN]
    ),
    "mixed names": Case(
        "a.jsonl",
        rows({"text": FOX}, {"story": HEN}),
        refused="line 2: this row has text in 'story', and none in 'text'",
    ),
    "mixed names, the other first": Case(
        "a.jsonl", rows({"story": HEN}, {"text": FOX}), refused="line 1: this row has text in 'sto"
    ),
    "mixed names, one named": Case(
        "a.jsonl",
        rows({"text": FOX}, {"story": HEN}),
        [HEN],
        ["left out, rows without text: 1 (a.jsonl)"],
        column="story",
    ),
    "nothing in a text": Case(
        "a.jsonl",
        rows({"text": None, "title": "Lost"}, {"text": FOX, "title": "Tail"}, {"id": 3}, {}),
        [FOX],
        ["left out, rows without text: 3 (a.jsonl)"],
    ),
    "a first story that is null": Case(
        "a.jsonl", rows({"story": None, "title": "x"}, {"story": FOX}), refused="which column"
    ),
    "a name twice": Case("a.jsonl", '{"text": "a", "text": "b"}', refused="'text' stands twice"),
    "marks in a text": Case("a.jsonl", rows({"text": f"{FOX}{END}{HEN}{END}"}), [FOX, HEN]),
    "numbers without end": Case(
        "a.jsonl", '{"id": ' + "9" * 5000 + ', "x": Infinity, "y": 1e999, "text": "A."}', ["A."]
    ),
    "a number for a text": Case("a.jsonl", '{"text": 1e999}', refused="line 1: 'text' is no text"),
    "deep": Case("a.jsonl", '{"text": ' + "[" * 100_000, refused="line 1: this is no JSON object"),
    "more after the object": Case("a.jsonl", '{"text": "a"} {"text": "b"}', refused="line 1"),
    "a list": Case("a.json", json.dumps([{"text": s} for s in STORIES]), STORIES),
    "a long list": Case(
        "a.json",
        json.dumps([{"text": f"{HEN} {n}"} for n in range(9000)], indent=1),
        [f"{HEN} {n}" for n in range(9000)],
    ),
    "a list of texts": Case("a.json", json.dumps(STORIES), STORIES),
    "objects on lines": Case("a.json", rows(*({"text": s} for s in STORIES)), STORIES),
    "one object": Case("a.json", json.dumps({"title": "x", "text": FOX}, indent=2), [FOX]),
    "an empty list": Case("a.json", " [ ] ", refused="holds no stories"),
    "a list cut off": Case(
        "a.json", '[{"text": "a"},\n{"text": "b"}', refused="line 2: this is no"
    ),
    "a list, and more": Case("a.json", '[{"text": "a"}]\n\n[', refused="line 3: this is no JSON"),
    "a deep list": Case("a.json", "[" * 100_000, refused="line 1: this is no JSON"),
    "a list of numbers": Case("a.json", "[1, 2]", refused="line 1: this is no JSON object"),
    "a packed list": Case("a.json.gz", gzip.compress(json.dumps(STORIES).encode()), STORIES),
    # Parquet
    "strings": Case("a.parquet", parquet(id=[1, 2, 3], text=STORIES), STORIES),
    "bytes": Case("a.parquet", parquet(text=BINARY), STORIES),
    "bytes that are no text": Case("a.parquet", parquet(text=[b"\xff"]), refused="cannot be read"),
    "nulls": Case(
        "a.parquet",
        parquet(text=[None, FOX, ""]),
        [FOX],
        ["left out, rows without text: 2 (a.parquet)"],
    ),
    "nothing but nulls": Case("a.parquet", parquet(text=[None, None]), refused="no stories"),
    "lists": Case("a.parquet", parquet(text=[[FOX], [HEN]]), refused="'text' is no text"),
    "structs": Case("a.parquet", parquet(text=[{"x": FOX}]), refused="'text' is no text"),
    "floats": Case("a.parquet", parquet(text=[1.5]), refused="'text' is no text"),
    "two strings": Case("a.parquet", parquet(a=[FOX], b=[HEN]), refused="which column"),
    "a Parquet name twice": Case("a.parquet", doubled_parquet(), refused="several columns"),
    "no Parquet": Case("a.parquet", b"PAR1 and no more", refused="cannot be read as Parquet"),
    # folders
    "a folder": Case(
        "f/",
        {
            "a.txt": FOX,
            "b.txt.gz": gzip.compress(HEN.encode()),
            "c.json": json.dumps([OWL]),
            "sub/d.jsonl": rows({"text": "Deep."}),
        },
        [FOX, HEN, OWL, "Deep."],
    ),
    "a folder with other things": Case(
        "f/",
        {
            "a.txt": FOX,
            "README.md": "Not read.",
            "b.pdf": b"x",
            "c.zip.gz": b"x",
            "e.parquet.gz": b"x",
            "package.json": '{"name": "x", "version": "1"}',
            "broken.json": "{",
            ".hidden.txt": HEN,
            ".git/x.txt": HEN,
        },
        [FOX],
        [
            "left out, hidden files and folders: 2 (f/.git, f/.hidden.txt)",
            "left out, files of other kinds: 4 (f/README.md, f/b.pdf, f/c.zip.gz, ...)",
            "left out, JSON files without a list of stories: 2 (f/broken.json, f/package.json)",
        ],
    ),
    "a folder with nothing to read": Case(
        "f/",
        {"README.md": "x"},
        refused=r"(?s)holds no \.txt, .*files of other kinds: 1 \(f/README",
    ),
    "another kind": Case("a.docx", b"x", refused="of an unknown kind"),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_the_table_of_sources(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    files = case.content if isinstance(case.content, dict) else {"": case.content}
    for name, content in files.items():
        path = tmp_path / (case.name + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    name = case.name.removesuffix("/")
    if case.refused:
        with pytest.raises(UserError, match=case.refused) as refused:
            list(open_source(name, case.column).stories())
        assert name in refused.value.message
        assert refused.value.remedy
        return
    source = open_source(name, case.column)
    for _ in range(2):  # nothing is counted twice
        assert [story.text for story in source.stories()] == case.read
        assert list(source.left_out.lines()) == case.told
    for size in (1, 100, 10**6):
        told = [story for portion in source.portions(size) for story in portion.stories()]
        assert told == case.read
        assert list(source.left_out.lines()) == case.told
    assert sum(portion.size for portion in source.portions(50)) == source.size


def test_what_no_folder_can_give_is_named(tmp_path, monkeypatch):
    """Folders that cannot be read, links, pipes and sockets: counted, and never opened."""
    (tmp_path / "a.txt").write_text(FOX)
    locked = tmp_path / "locked"
    locked.mkdir()
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nowhere")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
    scandir = os.scandir

    def refusing(folder):
        if os.fspath(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    source = open_source(".")
    assert [story.text for story in source.stories()] == [FOX]
    entries = {entry["what"]: entry for entry in source.left_out.to_meta()}
    assert entries["links to folders"]["names"] == ["again"]
    assert entries["files and folders that cannot be read"]["names"] == ["./locked"]
    assert entries["things that are no regular files"]["count"] == 3


def test_names_of_any_characters_stay_in_one_line(tmp_path):
    """A right-to-left override, a line separator and bytes that are no UTF-8."""
    for name in ("a\u202eb.txt", "a\u2028b\n.csv", os.fsdecode(b"a\xff.jsonl"), "a\x1b[2J.docx"):
        try:
            (tmp_path / name).write_bytes(b"\0")
        except (OSError, UnicodeError):  # not on this file system
            continue
        with pytest.raises(UserError) as refused:
            list(open_source(str(tmp_path / name)).stories())
        told = str(refused.value)
        told.encode()
        assert told.count("\n") == 1
        assert not {"\u202e", "\u2028", "\x1b"} & set(told)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b.txt", "/" + "d/" * 3000 + "a.txt"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(UserError) as refused:
        open_source(name)
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", b"word " * 2**21),
        ("a.txt.gz", b"word " * 2**21),
        ("a.jsonl", b'{"text": "' + b"word " * 2**21),
        ("a.json", b'["' + b"word " * 2**21),
        ("a.csv", b'text\n"' + b"word\n" * 2**21),
    ],
)
def test_a_story_without_end_is_told_early(tmp_path, monkeypatch, name, content):
    """It is not read to its end: no more of it than a story may have, and a little."""
    import training.sources.json_files
    import training.sources.streams
    import training.sources.tables
    import training.sources.text_files

    for module in (
        training.sources.json_files,
        training.sources.streams,
        training.sources.tables,
        training.sources.text_files,
    ):
        monkeypatch.setattr(module, "LONGEST", 2**20)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    read = []
    decode = training.sources.streams.io.IncrementalNewlineDecoder

    class Counted(decode):
        def decode(self, content, final=False):
            read.append(len(content))
            return super().decode(content, final)

    monkeypatch.setattr(training.sources.streams.io, "IncrementalNewlineDecoder", Counted)
    with pytest.raises(UserError, match=r"more than 16 MB|more than 1 MB") as refused:
        list(open_source(str(path)).portions(2**16))
    assert name in refused.value.message
    assert sum(read) < 5 * 2**20
