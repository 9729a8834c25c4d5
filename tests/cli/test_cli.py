"""The command line as a whole."""

import subprocess
import sys

import pytest

from mgpt_tui.cli import COMMANDS


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
