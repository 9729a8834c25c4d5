"""`make run` and `make test` set up what each needs, once, in any order."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or os.name != "posix", reason="needs make"
)

PYTHON = """#!/bin/sh
echo "$@" >> log
if [ "$2" = venv ]; then
  mkdir -p "$3/bin"
  cp "$0" "$3/bin/python"
  for name in mgpt-tui pytest; do
    printf '#!/bin/sh\\necho %s >> log\\n' $name > "$3/bin/$name"
  done
  chmod +x "$3"/bin/*
fi
"""
"""Stands for Python: it notes what is asked of it, and makes what `venv` would."""

RUNNING, REST = "--editable .", "--editable .[dev]"


@pytest.fixture
def made(tmp_path):
    """Runs a target in a fresh clone; what was installed and started, and what was said."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "fake-python"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def make(*targets):
        (tmp_path / "log").write_text("")
        ended = subprocess.run(
            ["make", *targets, f"PYTHON={python}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env={name: os.environ[name] for name in ("PATH",)},
        )
        assert ended.returncode == 0, ended.stderr
        lines = (tmp_path / "log").read_text().splitlines()
        done = [line.partition("--quiet ")[2] or line for line in lines if "venv" not in line]
        return done, ended.stdout

    return make


def test_running_installs_what_it_needs_alone_and_says_so(made):
    done, said = made("run")
    assert done == [RUNNING, "mgpt-tui"]
    assert "Setting mgpt-tui up in .venv" in said and "a minute or two" in said
    assert made("run")[0] == ["mgpt-tui"]


def test_tests_add_the_rest(made):
    made("run")
    done, said = made("test")
    assert done == [REST, "pytest"]
    assert "Adding to .venv" in said and "minute" in said
    assert made("test")[0] == ["pytest"]
    assert made("run")[0] == ["mgpt-tui"]


def test_tests_first(made):
    assert made("test")[0] == [RUNNING, REST, "pytest"]
    assert made("run")[0] == ["mgpt-tui"]


def test_other_dependencies_are_installed_anew(made, tmp_path):
    made("test")
    later = (tmp_path / ".venv" / ".ready").stat().st_mtime + 10
    os.utime(tmp_path / "pyproject.toml", (later, later))
    assert made("run")[0] == [RUNNING, "mgpt-tui"]
