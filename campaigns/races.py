"""Two commands at once, of every pair that writes: nothing is lost, and what is said is so.

    python campaigns/races.py [--times N] [--training-times N] [--seed N] [--keep-files]

Import, rename, duplicate, delete, and save in the app begin in the same moment over the same names,
and so do train and prepare. Every command is the real one, in a process of its own that was
forked ready to begin. What they say gives what must be in the folder: every text once where it was
said to be, nothing else, and nothing half made. Who comes second is refused with a reason that is
so, or has another name.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lab import Different, Lab, prepare

from mgpt_tui.cli import main as command_line
from mgpt_tui.errors import UserError
from mgpt_tui.stories.formats import to_json
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from training import launch as _launch
from training.data import prepare as _prepare

PRELOADED = (_launch, _prepare)  # so that a forked process begins at once
WANTED = "notes"
"""The name that everybody wants."""
SHORT = (
    *("--preset", "tiny", "--n-embd", "16", "--block-size", "16", "--batch-size", "2"),
    *("--max-steps", "1", "--warmup-steps", "0", "--eval-stories", "2", "--sample-tokens", "0"),
    *("--device", "cpu", "--dtype", "fp32"),
)
HANGS = 120
"""Seconds after which a command counts as hung."""


@dataclass
class Told:
    """A command, and what came of it."""

    what: str
    source: str = ""
    text: str = ""
    code: int = 0
    said: str = ""

    @property
    def name(self) -> str:
        """The name that it says the story has."""
        found = re.search(r"Saved as '(.*)'\.", self.said)
        return found[1] if found else ""


@dataclass
class Round:
    """A home, two stories in it, and files to make more of.

    Attributes:
        expected: the text of each story by its name, as everybody said by now.
        deleted: the texts that must be in the trash.
    """

    folder: Path
    data: Path
    expected: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    @property
    def stories(self) -> Path:
        return self.folder / "stories"

    def begin(self) -> None:
        self.stories.mkdir(parents=True)
        for name, text in (("a", "Ada sang."), ("b", "Ben ran.")):
            self.expected[name] = text
            (self.stories / f"{name}.json").write_text(to_json(Story().write(text)), "utf-8")
        for number in range(2):
            path = self.folder / f"in{number}" / f"{WANTED}.txt"
            path.parent.mkdir()
            path.write_text(f"File {number}.", encoding="utf-8")
            texts = (f"Story {number} of {count} ended well." for count in range(40))
            (self.folder / f"source{number}.txt").write_text("\n<|endoftext|>\n".join(texts))

    def act(self, what: str, number: int, source: str) -> tuple[Told, Callable[[], None]]:
        """What the contender of this number does."""
        told = Told(what, source, self.expected[source])
        words: tuple[str, ...] = ()
        match what:
            case "import":
                told.source, told.text = "", f"File {number}."
                words = ("stories", "import", str(self.folder / f"in{number}" / f"{WANTED}.txt"))
            case "rename" | "duplicate":
                words = ("stories", what, source, WANTED)
            case "delete":
                words = ("stories", "delete", source)
            case "save":
                told.source, told.text = "", f"Told {number}."
                return told, lambda: _save(told.text)
            case "train":
                words = ("train", "--data", str(self.data), "--name", "run", *SHORT)
                words += ("--seed", str(number))
            case "prepare":
                source_file = str(self.folder / f"source{number}.txt")
                words = ("prepare", "--source", source_file, "--out", str(self.folder / "out"))
                words += ("--vocab-size", "300")
        return told, lambda: command_line(list(words))

    # What must hold.

    def check(self, contenders: Sequence[Told]) -> None:
        """Raise `Different` where something is not as it was said."""
        for told in contenders:
            if told.code not in (0, 2) or "Traceback" in told.said:
                raise Different(f"{told.what} ended with {told.code}")
            if told.what in ("train", "prepare"):
                continue
            if told.code == 0:
                self._believe(told)
            else:
                self._excused(told, contenders)
        found = {entry.name: _text(self.stories, entry.name) for entry in _entries(self.stories)}
        if found != self.expected:
            raise Different(f"there are {found}, and by what was said {self.expected}")
        trash = [_text(self.stories / "trash", e.name) for e in _entries(self.stories / "trash")]
        if sorted(trash) != sorted(self.deleted):
            raise Different(f"in the trash are {trash}, and by what was said {self.deleted}")
        left = [path for path in self.folder.rglob("*") if _is_left_over(path)]
        if left:
            raise Different(f"these are left over: {left}")
        self._check_one_of(contenders, "train", self.folder / "runs" / "run")
        self._check_one_of(contenders, "prepare", self.folder / "out")

    def _believe(self, told: Told) -> None:
        if told.what in ("rename", "delete"):
            if told.source not in self.expected:
                raise Different(f"{told.source} was taken twice")
            del self.expected[told.source]
        if told.what == "delete":
            self.deleted.append(told.text)
            return
        if not told.name or told.name in self.expected:
            raise Different(f"{told.what} says that it has the name {told.name!r}")
        self.expected[told.name] = told.text

    def _excused(self, told: Told, contenders: Sequence[Told]) -> None:
        """A command that was refused had a reason, and what it worked on is where it was."""
        others = [other for other in contenders if other is not told and other.code == 0]
        if "already" in told.said:
            is_so = any(other.what not in ("delete", "train", "prepare") for other in others)
        elif "There is no story" in told.said:
            is_so = any(
                other.what in ("rename", "delete") and other.source == told.source
                for other in others
            )
        else:
            is_so = False
        if not is_so:
            raise Different(f"{told.what} was refused for what is not so")
        if told.what == "save":  # the app keeps it under its first words
            self.expected[told.text.rstrip(".")] = told.text

    def _check_one_of(self, contenders: Sequence[Told], what: str, folder: Path) -> None:
        """One of those who wanted this folder has it, whole, and the other was told so."""
        mine = [(number, told) for number, told in enumerate(contenders) if told.what == what]
        won = [number for number, told in mine if told.code == 0]
        if not mine:
            return
        if len(won) != 1:
            raise Different(f"{len(won)} of {len(mine)} have {folder}")
        if what == "train":
            held = json.loads((folder / "run.json").read_text())["settings"]["seed"]
            checkpoint = folder / json.loads((folder / "last.json").read_text())["checkpoint"]
            is_so = held == won[0] and (checkpoint / "SHA256SUMS").exists()
        else:
            is_so = f"source{won[0]}.txt" in (folder / "meta.json").read_text()
        if not is_so:
            raise Different(f"{folder} is not that of who says that it has it")
        for number, told in mine:
            reasons = (
                "another process",
                "already",
                "exists",
                "is not empty",
                "not be written over",
            )
            if number not in won and not any(reason in told.said for reason in reasons):
                raise Different(f"{what} was refused for what is not so")


def _save(text: str) -> None:
    """What the app does when a story is begun, saved under a name and left."""
    library = StoryLibrary()
    keeper, story = Keeper(library), Story().write(text)
    keeper.keep(story)
    try:
        story = keeper.save_to(story, library.target(WANTED, ""))
    except UserError as error:
        print(error)
    keeper.close(story)
    if story.title:
        print(f"Saved as {story.title!r}.")
    sys.exit(0 if story.title else 2)


def _entries(folder: Path) -> list:
    return StoryLibrary(folder).entries()


def _text(folder: Path, name: str) -> str:
    return StoryLibrary(folder).open(folder / f"{name}.json")[0].text


def _is_left_over(path: Path) -> bool:
    return path.name.startswith(".tmp-") or path.suffix in (".journal", ".partial")


# Running.


def fork(act: Callable[[], None], home: Path, said: Path, wait: float, go: int) -> int:
    """A process that is ready to act, and does so a moment after `go` can be read."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.environ["MGPT_DATA_DIR"] = str(home)
        stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        signal.alarm(HANGS)
        os.read(go, 1)
        time.sleep(wait)
        act()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def race(lab: Lab, draw: random.Random, pair: tuple[str, str], number: int) -> None:
    """One round of a pair.

    Raises:
        Different: where something was lost, or said that is not so.
    """
    this = Round(lab.folder / "-".join((*pair, str(number))), lab.folder / "data")
    this.begin()
    sources = draw.choice((("a", "b"), ("a", "a")))
    acts = [this.act(what, at, sources[at]) for at, what in enumerate(pair)]
    go, start = os.pipe()
    # Whoever lists stories first begins later by as much: the ends meet as often as the beginnings.
    waits = [draw.uniform(0, draw.choice((0.0005, 0.003, 0.01))) for _ in acts]
    files = [this.folder / f"said{at}" for at in range(len(acts))]
    children = [
        fork(act, this.folder, said, wait, go)
        for (_, act), said, wait in zip(acts, files, waits, strict=True)
    ]
    os.write(start, b"!" * len(children))
    for (told, _), child, said in zip(acts, children, files, strict=True):
        told.code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told.said = said.read_text("utf-8", "replace")
    os.close(go)
    os.close(start)
    try:
        this.check([told for told, _ in acts])
    except Different as different:
        every = "\n".join(f"{told.what} {told.source}: {told.said}" for told, _ in acts)
        raise Different(f"{different}, in {this.folder}. They said:\n{every}") from None
    shutil.rmtree(this.folder)


def main() -> int:
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--times", type=int, default=5, help="rounds of a pair of story commands")
    parser.add_argument("--training-times", type=int, default=1, help="with train or prepare in it")
    parser.add_argument("--seed", type=int, help="draws the moments; left out, a new one is drawn")
    parser.add_argument("--keep-files", action="store_true", help="leave the prepared data behind")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    lab = Lab(Path(tempfile.mkdtemp(prefix="mgpt-campaign-")))
    print(f"{about}\nseed {seed}, in {lab.folder}", flush=True)
    os.environ |= lab.home
    torch.set_num_threads(1)
    draw, started, rounds = random.Random(seed), time.monotonic(), 0
    stories = ("import", "rename", "duplicate", "delete", "save")
    try:
        prepare(lab)
        for pair in itertools.combinations_with_replacement((*stories, "train", "prepare"), 2):
            times = options.times if set(pair) <= set(stories) else options.training_times
            for number in range(times):
                race(lab, draw, pair, number)
            rounds += times
            print(f"  {' and '.join(pair)}: {times} times", flush=True)
    except Different as difference:
        print(f"\nDIFFERENT (seed {seed}): {difference}")
        return 1
    if not options.keep_files:
        shutil.rmtree(lab.folder)
    print(f"Nothing lost in {rounds} races; {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
