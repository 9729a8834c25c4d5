"""Every command prints wherever it is sent: odd encodings, full devices, readers that leave."""

import errno
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mgpt_tui import paths
from mgpt_tui.cli import COMMANDS, main
from mgpt_tui.errors import UserError
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from tests.waiting import PATIENCE

TITLE = "Zoë “and” 🦊"
TEXT = f"{TITLE} met Łucja.\nThey sang."
ENCODINGS = ("cp1252", "latin-1", "ascii", "utf-8")
TRAIN = (
    *("--preset", "tiny", "--n-embd", "16", "--block-size", "16", "--batch-size", "2"),
    *("--max-steps", "1", "--sample-prompt", "Zoë 🦊", "--sample-tokens", "4"),
    *("--device", "cpu", "--dtype", "fp32"),
)


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_checkpoint):
    """A folder with everything that the commands are about, all of it with an odd name."""
    folder = tmp_path / "plaçe “🦊”"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr("training.data.prepare.cores", lambda: 1)
    monkeypatch.setenv("MGPT_CACHE_DIR", str(folder / "cache 🦊"))
    shutil.copytree(tiny_checkpoint, folder / "möd🦊l")
    run = paths.runs_dir() / "mine"
    shutil.copytree(tiny_checkpoint, run / "step-00000003")
    (run / "last.json").write_text('{"checkpoint": "step-00000003"}')
    record = {"step": 3, "loss": 2.0, "sample": {"prompt": TITLE, "text": TEXT}}
    record |= {"validation": {"loss": 2.0, "tokens": 4, "bytes": 4}}
    (run / "metrics.jsonl").write_text(json.dumps(record))
    (folder / "størıes.txt").write_text(f"{TEXT}\n<|endoftext|>\nTom 🦊 ran.\n", "utf-8")
    (folder / "våłid.txt").write_text("Ada 🦊 slept.\n", "utf-8")
    (folder / "begin🦊ings.yaml").write_text(f"- {TITLE}\n", "utf-8")
    library, keeper = StoryLibrary(), Keeper(StoryLibrary())
    keeper.close(keeper.save_to(Story().write(TEXT), library.target("Zoë 🦊", "")))
    for number in range(3):  # enough to learn from
        library.add(Story().write("\n".join(40 * [TEXT])), f"Łong 🦊 {number}")
    return folder


def words(*command):
    return [str(word) for word in command]


PRINTING = {
    "help": words("--help"),
    "usage": words("nonsense 🦊"),
    "tui": words("tui"),
    "generate": words(
        "generate", "--model", "möd🦊l", "--prompt", TITLE, "--max-tokens", 3, "--seed", 1
    ),
    "generate many": words(
        *("generate", "--model", "möd🦊l", "--prompt", "Tom", "--num-samples", 2),
        *("--max-tokens", 3, "--seed", 1),
    ),
    "generate json": words(
        *(
            "generate",
            "--model",
            "möd🦊l",
            "--prompt",
            TITLE,
            "--max-tokens",
            3,
            "--seed",
            1,
            "--json",
        )
    ),
    "inspect": words("inspect", "--model", "möd🦊l", "--prompt", TITLE, "--mute", "M1"),
    "inspect json": words("inspect", "--model", "möd🦊l", "--prompt", TITLE, "--json"),
    "stories": words("stories"),
    "stories json": words("stories", "--json"),
    "stories show": words("stories", "show", "Zoë 🦊"),
    "stories search": words("stories", "search", "łucja"),
    "stories rename": words("stories", "rename", "Zoë 🦊", "Ł🦊"),
    "stories duplicate": words("stories", "duplicate", "Zoë 🦊", "Ł🦊"),
    "stories export": words("stories", "export", "Zoë 🦊", "Ł🦊.md"),
    "stories import": words("stories", "import", "våłid.txt"),
    "stories delete": words("stories", "delete", "Zoë 🦊"),
    "stories missing": words("stories", "show", "Łucja 🦊"),
    "replay": words("replay", "Zoë 🦊"),
    "prepare": words("prepare", "--source", "størıes.txt", "--val", "våłid.txt", "--out", "o🦊"),
    "import missing": words("import", "Zoë/🦊"),
    "train": words("train", "--data", "🦊", "--name", "x"),
    "learn": words("learn", "--model", "möd🦊l", "--dry-run"),
    "runs": words("runs"),
    "runs one": words("runs", "mine", "--explain"),
    "runs missing": words("runs", "🦊"),
    "eval": words("eval", "möd🦊l", "--data", "størıes.txt"),
    "eval writing": words(
        *("eval", "möd🦊l", "--prompts", "begin🦊ings.yaml", "--max-tokens", 4),
        *("--against", "størıes.txt"),
    ),
    "models": words("models"),
    "models json": words("models", "--json"),
    "export": words("export", "möd🦊l", "🦊"),
    "paths": words("paths"),
}
"""What prints something, from every command."""


def run(arguments, encoding, terminal=False):
    """Output, errors and exit code of a command whose streams have that encoding."""
    raw = io.BytesIO(), io.BytesIO()
    streams = [io.TextIOWrapper(buffer, encoding, "strict", newline="") for buffer in raw]
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            stream.isatty = lambda: terminal
            patch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as caught:
            main(arguments)
    return (*(buffer.getvalue().decode(encoding) for buffer in raw), caught.value.code)


def test_every_command_is_tried():
    assert {arguments[0] for arguments in PRINTING.values()} >= set(COMMANDS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("what", PRINTING)
def test_what_cannot_be_encoded_is_replaced(place, what, encoding):
    out, err, code = run(PRINTING[what], encoding)
    assert code in (0, 2)
    assert "Traceback" not in err
    if "json" not in what and encoding != "utf-8":
        assert not re.search(r"\\[xuU][0-9a-f]{2}", out + err), "there is one way: ?"
    if what == "stories show":
        shown = {
            "cp1252": "Zoë “and” ? met ?ucja.",
            "latin-1": "Zoë ?and? ? met ?ucja.",
            "ascii": "Zo? ?and? ? met ?ucja.",
            "utf-8": TEXT.splitlines()[0],
        }
        assert out.splitlines()[0] == shown[encoding]
    if what == "stories missing":
        assert ("🦊" if encoding == "utf-8" else "? ?") in err.replace("?ucja", "?")


def test_a_training_shows_itself_in_any_encoding(place):
    assert run(PRINTING["prepare"], "latin-1")[2] == 0
    _, err, code = run(["train", "--data", "o🦊", "--name", "x", *TRAIN], "latin-1")
    assert code == 0, err
    assert "sample: Zoë ?" in err


class Lost(io.RawIOBase):
    """Takes nothing."""

    def __init__(self, number):
        self.number = number

    def writable(self):
        return True

    def write(self, data):
        raise OSError(self.number, os.strerror(self.number))


FOR_OUTPUT = sorted(
    PRINTING.keys() - {"usage", "tui", "train", "replay"} - {w for w in PRINTING if "miss" in w}
)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 2), (errno.EPIPE, 141), (errno.EIO, 2)]
)
@pytest.mark.parametrize("what", FOR_OUTPUT)
def test_an_output_that_takes_no_more(place, mgpt, what, number, code):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Lost(number)), "utf-8"))
        outcome = mgpt(*PRINTING[what])
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    told = f"mgpt-tui: Standard output cannot be written: {os.strerror(number)}.\n"
    assert (told in outcome.err) == (number != errno.EPIPE)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE])
@pytest.mark.parametrize("what", PRINTING)
def test_errors_that_nobody_can_be_told(place, mgpt, what, number):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(Lost(number)), "utf-8"))
        assert mgpt(*PRINTING[what]).code in (0, 2, 141)


@pytest.mark.parametrize(("number", "code"), [(errno.EPIPE, 141), (errno.ENOSPC, 2)])
def test_a_preparation_that_nobody_watches_goes_on_later(place, mgpt, number, code):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(Lost(number)), "utf-8"))
        assert mgpt(*PRINTING["prepare"]).code == code
    assert list((place / "o🦊.partial" / "shards").iterdir())
    assert mgpt(*PRINTING["prepare"]).code == 0
    assert not (place / "o🦊.partial").exists()


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_command_as_ctrl_c_does(place, mgpt, monkeypatch, name, code):
    number = getattr(signal, name)

    def steps(config):
        (place / "o🦊.partial").mkdir()
        signal.raise_signal(number)
        yield

    monkeypatch.setattr("mgpt_tui.cli.prepare_command.prepare", steps)
    outcome = mgpt(*PRINTING["prepare"])
    assert outcome.code == code
    assert "Stopped. The same command goes on from here" in outcome.err
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_whose_exception_is_lost_ends_the_command_at_its_end(place, mgpt, monkeypatch):
    """As where it comes while Python compiles a module."""

    def steps(config):
        with suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        raise UserError("Another process has told this already.", "Nothing.")

    monkeypatch.setattr("mgpt_tui.cli.prepare_command.prepare", steps)
    outcome = mgpt(*PRINTING["prepare"])
    assert (outcome.code, outcome.err) == (143, "")
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def real(arguments, **options):
    """The program itself."""
    return subprocess.run(
        [sys.executable, "-m", "mgpt_tui", *arguments], timeout=PATIENCE, **options
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is Linux's")
def test_python_does_not_complain_at_its_end():
    for arguments in (["paths"], ["--help"]):
        with Path("/dev/full").open("w") as full:
            ended = real(arguments, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
        with Path("/dev/full").open("w") as full:
            assert real(arguments, stdout=full, stderr=full).returncode == 2
        reader, writer = os.pipe()
        os.close(reader)
        ended = real(arguments, stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(os.name != "posix", reason="locales as C has them")
def test_a_locale_of_ascii_takes_names_and_words(home):
    """Python's own UTF-8 mode is switched off as some systems do."""
    plain = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    plain.pop("PYTHONIOENCODING", None)
    (home / "data").mkdir(parents=True)
    (home / "data" / "été.txt").write_text("Zoë sang.\n", "utf-8")
    imported = real(
        ["stories", "import", str(home / "data" / "été.txt")], env=plain, capture_output=True
    )
    assert imported.stdout == b"Saved as '?t?'.\n", imported.stderr
    assert (paths.stories_dir() / "été.json").is_file()
    renamed = real(["stories", "rename", "été", "Łucja"], env=plain, capture_output=True)
    assert renamed.stdout == b"Saved as '?ucja'.\n", renamed.stderr
    assert (paths.stories_dir() / "Łucja.json").is_file()


@pytest.mark.skipif(os.name != "posix", reason="descriptors as a shell closes them")
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path):
    """What a library prints would land in it."""
    code = (
        "import os, sys\n"
        "from mgpt_tui.console import open_streams\n"
        "open_streams()\n"
        f"with open({str(tmp_path / 'data')!r}, 'w') as file:\n"
        "    sys.exit(file.fileno() < 3 or sys.stdout is not None)\n"
    )
    closed = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 0<&- 1>&- 2>&-', sys.executable, code], timeout=PATIENCE
    )
    assert closed.returncode == 0
