"""The command line as a whole."""

import json
import shutil
import subprocess
import sys

import pytest
from rich.text import Text

from mgpt_tui import paths
from mgpt_tui.cli import COMMANDS
from mgpt_tui.inference.decoders import compiling


def test_help_lists_every_command(mgpt):
    outcome = mgpt("--help")
    assert outcome.code == 0
    for name, text in COMMANDS.items():
        assert name in outcome.out
        assert text in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(mgpt, name):
    outcome = mgpt(name, "--help")
    assert outcome.code == 0
    assert f"mgpt-tui {name}" in outcome.out


def test_version(mgpt):
    assert mgpt("--version").out.startswith("mgpt-tui, version ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["train", "--nonsense"], ["export"]])
def test_bad_usage(mgpt, arguments):
    outcome = mgpt(*arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_paths(mgpt, home):
    outcome = mgpt("paths")
    assert str(home / "data") in outcome.out
    assert "MGPT_DATA_DIR" in outcome.out


def test_paths_tell_of_the_compiled_code(mgpt, home, monkeypatch):
    if compiling.is_available():
        line = mgpt("paths").out.splitlines()[-1]
        assert line.startswith("native  ") and "decode-" in line and compiling.made_by() in line
    compiling._library.cache_clear()
    monkeypatch.setenv("CC", "no-such-compiler")
    try:
        line = mgpt("paths").out.splitlines()[-1]
    finally:
        compiling._library.cache_clear()
    assert line.startswith("native  none, so torch decodes: CC names 'no-such-compiler', which")


@pytest.mark.parametrize("command", ["eval nobody --data x", "export nobody out"])
def test_unknown_models_name_the_known_ones(mgpt, command):
    outcome = mgpt(*command.split())
    assert outcome.code == 2
    assert "There is no model 'nobody'" in outcome.err
    assert "Known models:" in outcome.err


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["models"], ["paths"]])
def test_quick_commands_import_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from mgpt_tui.cli import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = {'torch', 'textual', 'datasets', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["generate", "--prompt", "a", "--seed", "1"],
        ["eval", "--data", "x"],
        ["models"],
        ["models", "--json"],
        ["runs"],
        ["stories", "--json"],
        ["stories", "delete", "x"],
        ["paths"],
        ["--help"],
    ],
)
def test_a_closed_standard_output_is_told(mgpt, monkeypatch, arguments):
    monkeypatch.setattr("sys.stdout", None)
    outcome = mgpt(*arguments)
    assert outcome.code == 2
    assert "Standard output is closed." in outcome.err
    assert len(outcome.err.splitlines()) == 2


def test_what_has_nothing_for_standard_output_does_without(mgpt, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    assert "There is no file nowhere" in mgpt("train", "--name", "x", "--config", "nowhere").err
    assert "The app needs a terminal" in mgpt().err


@pytest.mark.parametrize("before", [[], ["paths"], ["models", "--weights"]])
@pytest.mark.parametrize("control", ["\x1b[2J", "\x1bc", "\x9b2J", "\x07"])
def test_bad_usage_reaches_the_terminal_as_text(mgpt, monkeypatch, before, control):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    outcome = mgpt(*before, f"{control}x")
    assert outcome.code == 2
    assert not set("\x1b\x9b\x07") & set(outcome.err)
    assert outcome.err.startswith("Usage: ")


def test_paths_reach_the_terminal_as_text(mgpt, tmp_path, monkeypatch):
    monkeypatch.setenv("MGPT_DATA_DIR", str(tmp_path / "a\x1b[31mb"))
    assert "a␛[31mb" in mgpt("paths").out
    monkeypatch.chdir(tmp_path)
    out = mgpt("export", "storyteller", "a\x1b[31mb").out
    assert out.startswith("a␛[31mb: ")


def test_models_off_a_terminal_are_a_line_each(mgpt, tiny_checkpoint, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    run = paths.runs_dir() / "mine"
    folder = run / "step-00000003"
    shutil.copytree(tiny_checkpoint, folder)
    (run / "last.json").write_text(json.dumps({"checkpoint": folder.name}))
    embedded, mine = mgpt("models").out.splitlines()
    assert embedded.split("\t")[0] == "storyteller"
    assert mine == f"mine/last\t10.8 k\t3\t\t{folder}"
    (folder / "config.json").write_text("{")
    assert mgpt("models").out.splitlines()[1] == f"mine/last\tdamaged\t\t\t{folder}"


def test_models_on_a_terminal_are_a_table(mgpt, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    heading, row = mgpt("models").out.splitlines()
    assert "bits/byte" in heading and "storyteller" in row


def plain(text):
    """Lines without their colours."""
    return Text.from_ansi(text).plain.splitlines()


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_a_terminal_never_cuts_the_name_of_a_model(mgpt, tiny_checkpoint, monkeypatch, columns):
    run = paths.runs_dir() / "a-run-with-a-longish-name"
    shutil.copytree(tiny_checkpoint, run / "step-00000003")
    (run / "last.json").write_text('{"checkpoint": "step-00000003"}')
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = plain(mgpt("models").out)
    assert all(len(line) <= columns for line in lines)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "model", "storyteller", "a-run-with-a-longish-name/last"
    ]  # fmt: skip
