"""`mgpt-tui prepare` beside one plain tiktoken `encode_ordinary` over the same text.

    python benchmarks/prepare.py [--source stories.txt] [--megabytes 300] [--rounds 3]

Without --source the text is made up of GPT-2's own words. A --source that is smaller than
--megabytes is repeated with its characters renamed and its stories shuffled, so that no story
comes twice. Both sides run in child processes, in turn. Ours is timed as a whole command: start,
reading, dropping what is held out, hashing, writing, and `--vocab-size` trims. The peer has the
joined text in memory, and the call alone is timed.

One JSON line on standard output: median MB/s of each, their ratio, and the peak of the resident
memory of all processes of a side together, which counts shared pages once for each of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from mgpt_tui.cores import cores
from mgpt_tui.model.tokenizer import END_OF_TEXT, Tokenizer

SEPARATOR = f"\n{END_OF_TEXT}\n"
PEER = """
import sys, time
import tiktoken
from tiktoken_ext.openai_public import r50k_pat_str
from mgpt_tui.cores import cores
from mgpt_tui.model.tokenizer import END_OF_TEXT, Tokenizer
ranks = Tokenizer.gpt2().ranks  # what get_encoding("gpt2") would download
gpt2 = tiktoken.Encoding(
    "gpt2", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: 50256}
)
text = open(sys.argv[1], encoding="utf-8").read().replace(END_OF_TEXT + "\\n", "")
gpt2.encode_ordinary(text[:1000])
begun = time.perf_counter()
tokens = gpt2.encode_ordinary(text)
print(time.perf_counter() - begun)
"""
CAPITALISED = re.compile(r"\b[A-Z][a-z]+\b")


def made_up_stories(chance: random.Random) -> Iterator[str]:
    """Endless stories of GPT-2's words, those of low rank by far the likeliest."""
    words = [
        token.decode()
        for token in Tokenizer.gpt2().ranks
        if re.fullmatch(rb" [a-z]{2,}|'s|,", token)
    ]
    weights = list(accumulate((place + 20) ** -1.9 for place in range(len(words))))
    while True:
        paragraphs = []
        for _ in range(chance.randint(1, 5)):
            sentences = []
            for _ in range(chance.randint(1, 6)):
                chosen = chance.choices(words, cum_weights=weights, k=chance.randint(4, 16))
                sentence = name(chance) + "".join(chosen)
                sentences.append(sentence + chance.choice([".", ".", ".", "!", "?"]))
            paragraphs.append(" ".join(sentences))
        yield "\n\n".join(paragraphs)


def name(chance: random.Random) -> str:
    """A character's name, one of some thousands."""
    syllables = ("la", "mi", "to", "ra", "ben", "sa", "lu", "na", "ti", "mo", "zel", "ko")
    return "".join(chance.choices(syllables, k=chance.randint(2, 3))).capitalize()


def retold_stories(source: Path, chance: random.Random) -> Iterator[str]:
    """The stories of a file, then endlessly the same ones shuffled, of other characters."""
    stories = source.read_text(encoding="utf-8").split(SEPARATOR)
    yield from stories
    while True:
        chance.shuffle(stories)
        for story in stories:
            new_names: dict[str, str] = {}

            def rename(match: re.Match[str], new_names: dict[str, str] = new_names) -> str:
                return new_names.setdefault(match[0], name(chance) if len(match[0]) > 2 else "It")

            yield CAPITALISED.sub(rename, story)


def write_corpus(path: Path, stories: Iterator[str], size: int) -> None:
    """Write stories until there are `size` bytes."""
    with path.open("w", encoding="utf-8") as stream:
        while stream.tell() < size:
            stream.write(next(stories) + SEPARATOR)


def run(command: list[str]) -> tuple[float, int | None, str]:
    """Seconds, peak memory in bytes (None where /proc is not), and output of a command.

    Raises:
        RuntimeError: where it fails.
    """
    begun = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = 0
    while child.poll() is None:
        peak = max(peak, memory_of(child.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    out, errors = child.communicate()
    if child.returncode:
        raise RuntimeError(errors)
    return seconds, peak or None, out


def memory_of(process: int) -> int:
    """Resident bytes of a process and all below it."""
    folder = Path("/proc", str(process))
    try:
        pages = int((folder / "statm").read_text().split()[1])
        children = [
            int(child)
            for task in (folder / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has just ended, or this is not Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(memory_of, children))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="a .txt file of stories")
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vocab-size", type=int, default=9984, help="0 does not trim")
    parser.add_argument("--no-peer", action="store_true", help="for texts that it has no room for")
    options = parser.parse_args()
    chance = random.Random(1)
    stories = retold_stories(options.source, chance) if options.source else made_up_stories(chance)
    seconds: dict[str, list[float]] = {"prepare": [], "encode_ordinary": []}
    memory: dict[str, list[int]] = {"prepare": [], "encode_ordinary": []}
    with tempfile.TemporaryDirectory() as folder:
        corpus, out = Path(folder, "corpus.txt"), Path(folder, "data")
        write_corpus(corpus, stories, options.megabytes * 1_000_000)
        ours = [sys.executable, "-m", "mgpt_tui", "prepare", "--overwrite"]
        ours += ["--source", str(corpus), "--out", str(out)]
        if options.vocab_size:
            ours += ["--vocab-size", str(options.vocab_size)]
        peer = [sys.executable, "-c", PEER, str(corpus)]
        megabytes = corpus.stat().st_size / 1e6
        for _ in range(options.rounds):
            for side, command in (("prepare", ours), ("encode_ordinary", peer)):
                if side == "encode_ordinary" and options.no_peer:
                    continue
                taken, peak, printed = run(command)
                seconds[side].append(float(printed) if side == "encode_ordinary" else taken)
                memory[side].append(peak or 0)
    speeds = {
        side: round(megabytes / statistics.median(values), 1)
        for side, values in seconds.items()
        if values
    }
    result = {
        "megabytes": round(megabytes),
        "processes": cores(),
        "rounds": options.rounds,
        "vocab_size": options.vocab_size or None,
        "mb_per_second": speeds,
        "peak_memory_mb": {
            side: round(max(values) / 1e6) or None for side, values in memory.items() if values
        },
    }
    if "encode_ordinary" in speeds:
        result["ratio"] = round(speeds["prepare"] / speeds["encode_ordinary"], 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
