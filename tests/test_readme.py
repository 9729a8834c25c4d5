"""The README says what the code does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mgpt_tui.cli import COMMANDS, cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = [
    line.strip().partition("#")[0]
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if re.match(r"\s*(echo .* \| )?mgpt-tui\b", line)
]


def test_tables_are_up_to_date():
    command = [sys.executable, ROOT / "tools" / "readme_tables.py", "--check"]
    assert subprocess.run(command).returncode == 0, "run python tools/readme_tables.py"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "tui"])
def test_every_command_has_an_example(name):
    assert any(f"mgpt-tui {name}" in example for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_valid_usage(example):
    words = shlex.split(example.rpartition("| mgpt-tui")[2] or example)
    arguments = [word for word in words if word != "mgpt-tui"] if "|" not in example else words
    name = arguments[0] if arguments and not arguments[0].startswith("-") else "tui"
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None
    rest = arguments[1:] if name != "tui" else arguments
    command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!http|#)[^)]+)\)", README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()


def test_places_inside_the_readme_exist():
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings
