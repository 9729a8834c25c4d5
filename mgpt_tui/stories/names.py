"""File names from stories and from people, which never leave the stories folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from mgpt_tui.errors import UserError

MAX_BYTES = 120
"""Longest name in UTF-8, so that an ending and a temporary prefix fit everywhere."""

CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
CONTROL = re.compile(f"[{CONTROLS}]")
"""What `clean_text` would change, and line ends and tabs."""
FORBIDDEN = re.compile(rf'[<>:"/\\|?*{CONTROLS}]')
_ENDS = re.compile(
    r"(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<=[.!?…])[\"'”’)]*\s"
)
_LEADING = (
    "a an and are as at be because but by for from had has he her his i if in into is it its my no"
    " not of off on one or our she so some that the their them then they this to very was we were"
    " what when where which who whose will with you your"
)
LEADING = frozenset(_LEADING.split())
"""Words that a name does not end with: something is to follow them."""
_BEGINNING = re.compile(
    r"(once upon a time|(?:a long time|long,? long|long) ago|once(?=,| there )"
    r"|one (?:\w+ ){0,2}(?:day|morning|afternoon|evening|night)(?=,)),?\s+"
    r"(?:(?:in [^,]{1,40},? )?there (?:once )?(?:was|were|lived)\s+)?",
    re.IGNORECASE,
)
"""How any story begins, which tells it from no other."""
RELATIVE = ("who", "whose", "which")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")


def first_words(text: str, most: int = 7) -> str:
    """A name made of a story's first line, cut where a sentence, a clause or a name ends.

    "untitled" where there is nothing to use. Of "Once upon a time, there was a girl named Mia" it
    is "A girl named Mia". Where nothing ends in time, words are left out at the end that only lead
    to others.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    sentence = _ENDS.split(unicodedata.normalize("NFC", first).strip(), maxsplit=1)[0]
    words = _told(sentence).split()
    short = _cut(" ".join(words[:most]), 48).split()
    if len(short) < len(words):
        short = short[: _end(short, words[len(short)])]
    while len(short) > 1 and short[-1].strip(",;:").casefold() in LEADING:
        del short[-1]
    name = _cut(" ".join(FORBIDDEN.sub(" ", " ".join(short)).split()), 48)
    return _given(name.strip(" .,;!'-_"))


def _told(sentence: str) -> str:
    """A sentence without what any story begins with, unless that is all that it says yet."""
    if (begun := _BEGINNING.match(sentence)) is None:
        return sentence
    told = sentence[begun.end() :]
    if all(word.casefold() in LEADING for word in told.split()):
        return begun[1]
    return told[:1].upper() + told[1:]


def _end(words: list[str], following: str) -> int:
    """How many of these words to keep: to the last clause, or else the last name, or else to where
    more is said of somebody, if there is one of these.

    A name is a word with a capital that is not the first, and no other goes on with it.
    """
    places = range(len(words), 2, -1)
    clauses = (end for end in places if words[end - 1][-1] in ",;:")
    nexts = [*words[1:], following]
    names = (end for end in places if _is_name(words[end - 1]) and not _is_name(nexts[end - 1]))
    more = (at for at in range(2, len(words)) if words[at] in RELATIVE)
    return next(clauses, 0) or next(names, 0) or next(more, len(words))


def _is_name(word: str) -> bool:
    return word[:1].isupper() and word.split("'")[0] != "I"


def path_in(folder: Path, name: str, suffix: str) -> Path:
    """The file of a name in a folder; whatever the name is, the file is in the folder itself.

    A name that passes `check_name` is taken as it is.
    """
    return folder / f"{safe_name(name)}{suffix}"


def numbered(name: str) -> Iterator[str]:
    """This name, made safe, then `name 2`, `name 3`, ... without end."""
    name = safe_name(name)
    yield name
    short = _cut(name, MAX_BYTES - 20).rstrip(" .")
    yield from (f"{short} {number}" for number in count(2))


def check_name(name: str, elsewhere: str = "Leave that out.") -> str:
    """`name` as a file name without its ending.

    Args:
        elsewhere: what to do where the name looks like a path.

    Raises:
        UserError: where it could leave its folder, or some system cannot hold it.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not name or not name.strip("."):
        raise UserError("A story needs a name.", "Type one.")
    if CONTROL.search(name):
        raise UserError("A name holds no control characters.", "Type it anew.")
    if FORBIDDEN.search(name):
        raise UserError('A name cannot hold any of / \\ : * ? " < > |.', elsewhere)
    if name.startswith(".") or name.endswith("."):
        raise UserError("A name cannot begin or end with a full stop.", elsewhere)
    if RESERVED.fullmatch(name):
        raise UserError(f"{name} is a reserved name on Windows.", "Choose another name.")
    if len(name.encode()) > MAX_BYTES:
        raise UserError("The name is too long.", f"Use at most {MAX_BYTES} bytes of UTF-8.")
    return name


def safe_name(name: str) -> str:
    """A name that is nearly this one and passes `check_name`; "untitled" where none is."""
    try:
        return check_name(name)
    except UserError:
        pass
    name = FORBIDDEN.sub(" ", unicodedata.normalize("NFC", name))
    name = _cut(" ".join(name.split()), MAX_BYTES - 20).strip(" .")
    return _given(name)


def _given(name: str) -> str:
    """A name in place of one that is empty or that Windows keeps to itself, with an ending too."""
    if RESERVED.fullmatch(name):
        return f"{name.replace('.', ' ')} story"
    return name or "untitled"


def _cut(name: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, whole words where there are any."""
    if len(name.encode()) <= limit:
        return name
    short = name.encode()[:limit].decode(errors="ignore")
    return short.rpartition(" ")[0] or short
