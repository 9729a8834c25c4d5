"""Type into the app in a terminal, in bursts, and find what was typed, no more and no less.

    python campaigns/keystrokes.py [--ends N] [--seed N] [--keep-files]

Keys are written to the terminal of the real app in bursts of one to eight: letters in every way
that terminals send them, corrections, pastes, undo and redo, enter, the editor of f4 and the field
of f3, between them sequences that mean nothing and damaged ones. What stands in the field then must
be what a small editor of this file has, and the story must hold every line that was sent. `--ends`
is the number of keys.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab import Different, Lab, campaign

from mgpt_tui.stories.paragraphs import apart

KEYS = 20_000
PATIENCE = 60.0
"""Seconds in which the app must have acted on what was typed."""
BACKSPACE, DELETE, LEFT, RIGHT = "\x7f", "\x1b[3~", "\x1b[D", "\x1b[C"
UNDO, REDO, ENTER, NEWLINE, TELL = "\x1a", "\x19", "\r", "\n", "\x1b[24~"
LONGEST_LINE = 60
"""Characters of a line that fits into the prompt, whose home and end are the line's then."""

NOTHING = (
    *("\x1b[97;1:3u", "\x1b[99999999;1u", "\x1b[55296u", "\x1b[97;5;;u", "\x1b[57441;2u", "\x1b[u"),
    *("\x1b[<35;10;5M", "\x1b[<35;999;999M", "\x1b[I", "\x1b[O", "\x1b[?2026;2$y", "\x1b[>1;95;0c"),
    *("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\", "\x1bP>|XTerm(389)\x1b\\", "\x1b_Gi=31;OK\x1b\\"),
)
"""Whole sequences that type nothing, and some that no terminal should send."""
CUT = (
    "\x1b[97;1:",
    "\x1b[1;2;",
    "\x1b[",
    "\x1b[<35;1",
    "\x1bO",
    "\x1b]11;rgb:",
    "\x1bP1$",
    "\x1b[20",
)
"""What means nothing where another sequence follows."""


@dataclass
class Editor:
    """A text and a cursor in it: what ought to stand in a field."""

    text: str = ""
    at: int = 0

    def put(self, text: str) -> None:
        """Type or paste at the cursor."""
        self.text = self.text[: self.at] + text + self.text[self.at :]
        self.at += len(text)

    @property
    def line(self) -> tuple[int, int]:
        """Where the line of the cursor begins and ends."""
        end = self.text.find("\n", self.at)
        return self.text.rfind("\n", 0, self.at) + 1, len(self.text) if end < 0 else end

    def press(self, key: str) -> None:
        """A key that corrects."""
        if key == BACKSPACE and self.at:
            self.text = self.text[: self.at - 1] + self.text[self.at :]
            self.at -= 1
        elif key == DELETE:
            self.text = self.text[: self.at] + self.text[self.at + 1 :]
        elif key == LEFT:
            self.at = max(self.at - 1, 0)
        elif key == RIGHT:
            self.at = min(self.at + 1, len(self.text))


def letter(draw: random.Random) -> tuple[str, str]:
    """A letter, and one of the ways in which terminals send it."""
    character = draw.choice("abcdefghijklmnop.,!ABC\u00e9\u4f60")
    if not character.isascii() or not character.isalpha() or draw.random() < 0.7:
        return character, character
    small, number = ord(character.lower()), ord(character)
    if character.isupper():
        ways = [f"{small}:{number};2u", f"{small};2;{number}u", f"{small};2u", f"27;2;{number}~"]
    else:
        ways = [f"{number}u", f"{number};;{number}u", f"{number};1:2u", f"{number}::113;1u"]
    return character, f"\x1b[{draw.choice(ways)}"


# The child.


def child(log: Path) -> None:
    """The real app with an engine that never wakes; f12 makes it note what stands there."""
    from pretending import PretendingEngine
    from textual import events
    from textual.widgets import Input, TextArea

    from mgpt_tui.ui.app import WritingRoom

    class Asleep(PretendingEngine):
        def start(self) -> None:
            """Whatever is asked of it waits."""

    act_on = WritingRoom.act_on

    async def watched(self: WritingRoom, event: Any) -> None:
        await act_on(self, event)  # f12, too: a key says that the window has the focus
        if not (isinstance(event, events.Key) and event.key == "f12"):
            return
        field = self.focused
        text = field.text if isinstance(field, TextArea) else ""
        text = field.value if isinstance(field, Input) else text
        with log.open("a", encoding="utf-8") as stream:
            there = {"text": text, "story": self.session.story.text}
            stream.write(json.dumps(there) + "\n")

    WritingRoom.act_on = watched  # type: ignore[method-assign]
    room = WritingRoom(Asleep(random.Random(0)), "asleep")
    room.open()
    room.finish()
    sys.exit(room.return_code)


class Typist:
    """Whoever types.

    Attributes:
        field: what ought to stand in the field that has the focus.
        count: the keys so far.
    """

    def __init__(self, lab: Lab, draw: random.Random) -> None:
        self.draw, self.log = draw, lab.folder / "stands.jsonl"
        self.field, self.count, self.told = Editor(), 0, 0
        self.sent: list[str] = []
        self._burst: list[str] = []
        self._size = 1
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.app = subprocess.Popen(
            [sys.executable, __file__, "--child", str(self.log)],
            stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env=os.environ | lab.home | {"TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(follower)
        self.drawn = b""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        with suppress(OSError):
            while data := os.read(self.leader, 1 << 16):
                self.drawn = (self.drawn + data)[-4000:]

    def key(self, *keys: str) -> None:
        """Press keys; what a burst has comes in one write."""
        for key in keys:
            self._burst.append(key)
            self.count += 1
            if len(self._burst) >= self._size:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        os.write(self.leader, "".join(self._burst).encode())
        self._burst, self._size = [], self.draw.randrange(1, 9)

    def resize(self) -> None:
        """The window has another size now."""
        size = struct.pack("HHHH", self.draw.randrange(20, 50), self.draw.randrange(80, 170), 0, 0)
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, size)

    def look(self) -> str:
        """What the app says stands in the field; gives the story.

        Raises:
            Different: where that is not what was typed, or the app is gone.
        """
        self.key(TELL)
        self.flush()
        limit, lines = time.monotonic() + PATIENCE, [""]
        while len(lines) <= self.told + 1:
            if self.app.poll() is not None or time.monotonic() > limit:
                raise Different(
                    f"After {self.count} keys the app is gone (exit code {self.app.poll()}) "
                    f"or does not answer; it drew {self.drawn[-500:]!r}"
                )
            time.sleep(0.002)
            lines = self.log.read_text(encoding="utf-8").split("\n") if self.log.exists() else [""]
        there = json.loads(lines[self.told])
        self.told += 1
        if there["text"] != self.field.text:
            raise Different(f"Typed was {self.field.text!r}, there stands {there['text']!r}.")
        return str(there["story"])

    # What a writer does.

    def correct(self) -> None:
        """Letters and corrections."""
        if self.draw.random() < 0.6:
            character, data = letter(self.draw)
            self.field.put(character)
            self.key(data)
        else:
            key = self.draw.choice((BACKSPACE, BACKSPACE, DELETE, LEFT, RIGHT))
            self.field.press(key)
            self.key(key)

    def paste(self, *, lines: bool = True) -> None:
        """A paste, which is undone now and then, and that undone too."""
        breaks = "\n" if lines else ""
        text = "".join(self.draw.choices("abc def" + breaks, k=self.draw.randrange(2, 30)))
        self.key(f"\x1b[200~{text}\x1b[201~")
        before = replace(self.field)
        self.field.put(text)
        if lines and self.draw.random() < 0.5:
            self.take_back(before)

    def word(self) -> None:
        """A word after a blank, which is undone, and that undone too now and then."""
        self.field.put(" ")
        self.key(" ")
        before = replace(self.field)
        for _ in range(self.draw.randrange(1, 7)):
            character, data = letter(self.draw)
            self.field.put(character)
            self.key(data)
        self.take_back(before)

    def take_back(self, before: Editor) -> None:
        """Undo what was done last; half of the time that is undone, too."""
        self.key(UNDO)
        if self.draw.random() < 0.5:
            self.key(REDO)
        else:
            self.field = before

    def noise(self) -> None:
        """What types nothing."""
        if self.draw.random() < 0.6:
            self.key(self.draw.choice(NOTHING))
        else:
            self.key(self.draw.choice(CUT), TELL)
            self.told += 1

    def send(self) -> None:
        """Send the line."""
        line = self.field.text
        self.key(ENTER)
        self.field = Editor()
        if line.strip():
            self.sent.append(line.strip())

    def in_prompt(self) -> None:
        """One thing in the prompt."""
        what, (begin, end) = self.draw.random(), self.field.line
        if what < 0.02 or end - begin > LONGEST_LINE or self.field.text.count("\n") > 3:
            self.send()
        elif what < 0.05:
            self.paste()
        elif what < 0.07:
            self.word()
        elif what < 0.1:
            self.noise()
        elif what < 0.11:
            self.key(NEWLINE)
            self.field.put("\n")
        elif what < 0.13:
            self.key("\x1b[F")
            self.field.at = end
        elif what < 0.15 and not self.field.text[begin:end].startswith(" "):
            self.key("\x1b[H")
            self.field.at = begin
        elif what < 0.155 and "\n" not in self.field.text and self.field.at:
            self.key("\x15")
            self.field = Editor(self.field.text[self.field.at :], 0)
        else:
            self.correct()

    def in_editor(self, story: str) -> None:
        """A visit to the editor of f4, which opens and closes in the middle of a burst."""
        kept = self.field
        shown = apart(story)
        self.field = Editor(shown, len(shown))
        self.key("\x1bOS")
        for _ in range(self.draw.randrange(30)):
            self.draw.choice((*[self.correct] * 5, self.paste, self.word))()
        self.look()
        self.key("\x1b[21~")  # f10 forgets what was changed
        self.field = kept

    def in_field(self) -> None:
        """A visit to the field of f3."""
        kept, self.field = self.field, Editor()
        self.key("\x1bOR", "\x15")
        for _ in range(self.draw.randrange(20)):
            self.correct()
        self.paste(lines=False)
        self.look()
        self.key("\x1b[27u")
        self.field = kept


def body(lab: Lab, draw: random.Random, ends: int) -> str:
    typist, story, looks = Typist(lab, draw), "", 0
    try:
        while b"ow does the story begin?" not in typist.drawn:
            if typist.app.poll() is not None:
                raise Different(f"The app does not start: {typist.drawn[-500:]!r}")
            time.sleep(0.05)
        while typist.count < ends:
            for _ in range(draw.randrange(1, 60)):
                typist.in_prompt()
            story = typist.look()
            looks += 1
            at = 0
            for line in typist.sent:
                at = story.find(line, at) + 1
                if not at:
                    raise Different(f"The line {line!r} is not in the story {story!r}.")
            if story and draw.random() < 0.15:
                typist.in_editor(story)
            elif story and draw.random() < 0.15:
                typist.in_field()
            elif draw.random() < 0.05:
                typist.resize()
            if len(story) > 1500:  # else every look takes longer
                typist.send()
                typist.key("\x0e")
                typist.sent.clear()
        typist.look()
        typist.app.send_signal(signal.SIGTERM)
        if typist.app.wait(PATIENCE):
            raise Different(f"The app ended with the exit code {typist.app.returncode}.")
    finally:
        typist.app.kill()
        os.close(typist.leader)
    return f"{typist.count:,} keys, nothing different at {looks} looks"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
    else:
        sys.exit(campaign(__doc__ or "", KEYS, body, ready=lambda lab: None))
