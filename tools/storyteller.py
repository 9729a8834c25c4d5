"""Train teachers, one after the other, and then a student of all of them.

    python tools/storyteller.py --data FOLDER [--name teller] [--teachers 4]
        [--teacher RECIPE]... [--student RECIPE] [-- SETTINGS OF train FOR ALL ...]

The runs are NAME-teacher-1, NAME-teacher-2 ... and NAME. A recipe is a TOML file, or the name of
one that comes along; of several teachers' recipes each is taken in turn. The teachers have the
seeds 1, 2 ..., and so other weights at the start and another order.

The same command goes on wherever it was stopped or killed: runs that are done are left alone, one
that is not is resumed.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.model.registry import run_folder, step_folders
from training.config import TrainConfig, find_recipe, read_toml
from training.runs.listing import find_run

Train = Callable[[Sequence[str]], int]
"""Runs `mgpt-tui` with arguments; its exit code."""


def by_process(arguments: Sequence[str]) -> int:
    """`mgpt-tui` in a process of its own, which saves and ends where this one is asked to end."""
    process = subprocess.Popen([sys.executable, "-m", "mgpt_tui", *arguments])
    former = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue  # Ctrl-C reaches it by itself
    finally:
        signal.signal(signal.SIGTERM, former)


def is_done(name: str) -> bool:
    """Whether a run is there and has done its steps."""
    return (paths.runs_dir() / name).is_dir() and find_run(name).state == "finished"


def runs(given: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """The name of each run and what it begins with, in order."""
    teachers = []
    for number in range(1, given.teachers + 1):
        recipe = given.teacher[(number - 1) % len(given.teacher)]
        teachers.append(f"{given.name}-teacher-{number}")
        yield teachers[-1], ["--config", recipe, "--seed", str(number), *given.settings]
    taught = ["--teachers", ",".join(teachers)] if teachers else []
    yield given.name, ["--config", given.student, *taught, *given.settings]


def chain(given: argparse.Namespace, train: Train = by_process) -> int:
    """Do what is left of it.

    Returns:
        The exit code of the run that stopped, or 0.

    Raises:
        UserError: for a recipe or a name that cannot be, before anything begins.
    """
    for recipe in (*given.teacher, given.student):
        TrainConfig().updated(read_toml(find_recipe(recipe)))
    for name, begins in runs(given):
        if step_folders(run_folder(name)):
            if is_done(name):
                continue
            begins = ["--resume"]
        code = train(["train", "--name", name, "--data", str(given.data), *begins])
        if code:
            return code
    return 0


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What was given on the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that `prepare` wrote")
    parser.add_argument("--name", default="teller", help="of the student")
    parser.add_argument("--teachers", type=int, default=4, help="how many; 0 for none")
    parser.add_argument("--teacher", action="append", metavar="RECIPE", help="of the teachers")
    parser.add_argument("--student", default="storyteller", metavar="RECIPE", help="of the student")
    parser.add_argument("settings", nargs="*", help="settings of `train` for all, after --")
    given = parser.parse_args(arguments)
    given.teacher = given.teacher or ["storyteller"]
    if given.teachers < 0:
        parser.error("--teachers: 0 or more")
    return given


def main() -> int:
    try:
        return chain(parsed())
    except UserError as error:
        sys.stderr.write(f"storyteller: {error.message} {error.remedy}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
