"""Train teachers, one after the other, and then a student of all of them.

    python tools/storyteller.py --data FOLDER [--name teller] [--teachers 4]
        [--teacher RECIPE]... [--student RECIPE] [-- SETTINGS OF train FOR ALL ...]

The runs are NAME-teacher-1, NAME-teacher-2 ... and NAME. A recipe is a TOML file, or the name of
one that comes along; of several teachers' recipes each is taken in turn. The teachers have the
seeds 1, 2 ..., and so other weights at the start and another order; with `-- --seed N` it is N,
N + 1 ... to the student's.

The same command goes on wherever it was stopped or killed: runs that are done are left alone, one
that is not is resumed. What was begun with other settings is refused.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from mgpt_tui import paths
from mgpt_tui.cli.given.options import given as given_options
from mgpt_tui.cli.train_command import command as train_command
from mgpt_tui.console import say
from mgpt_tui.errors import UserError
from mgpt_tui.model.manifest import CONFIG_FILE
from mgpt_tui.model.registry import run_folder, step_folders
from mgpt_tui.settings_fields import declared
from mgpt_tui.settings_text import value_text
from training.config import SECTION_OF, SECTIONS, TrainConfig, find_recipe, read_toml
from training.runs.listing import find_run
from training.runs.signals import STOPPING

TEACHER, STUDENT = "storyteller-teacher", "storyteller-student"
"""The recipes of those that are given none."""

Train = Callable[[Sequence[str]], int]
"""Runs `mgpt-tui` with arguments; its exit code."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run of the chain.

    Attributes:
        name: its own.
        recipe: file of its settings.
        arguments: of `train`, which win over the recipe.
        settings: what both come to, by name.
        teachers: names of the runs that it learns from.
    """

    name: str
    recipe: Path
    arguments: list[str]
    settings: dict[str, Any]
    teachers: tuple[str, ...] = ()

    def otherwise(self) -> str | None:
        """What a run that is there was begun with instead, in words; None where it is the same.

        Where it computes and what it reports may change on the way.
        """
        found = find_run(self.name)
        if found.config is None:
            return None
        learns_from = tuple(name.partition("/")[0] for name in found.config.teaching.names)
        if learns_from != self.teachers:
            own, asked = (", ".join(names) or "none" for names in (learns_from, self.teachers))
            return f"--teachers {own}, not {asked}"
        before = found.config.flat()
        for section in SECTIONS:
            for setting in declared(SECTIONS[section]):
                name = setting.name
                if section in ("machine", "report") and name != "seed":
                    continue
                if name in self.settings and self.settings[name] != before[name]:
                    own, asked = (
                        value_text(setting, value) for value in (before[name], self.settings[name])
                    )
                    return f"{setting.flag} {own}, not {asked}"
        return None


def by_process(arguments: Sequence[str]) -> int:
    """`mgpt-tui` in a process of its own, which saves and ends where this one is asked to end."""
    asked: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def hand_on(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        if process is not None:
            process.send_signal(number)

    former = {
        number: signal.signal(number, hand_on)
        for number in STOPPING
        if number != signal.SIGINT and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        process = subprocess.Popen([sys.executable, "-m", "mgpt_tui", *arguments])
        if asked:  # while it was being started
            process.send_signal(asked[0])
        while True:
            try:
                code = process.wait()
                break
            except KeyboardInterrupt:
                asked.append(signal.SIGINT)  # it reaches the process by itself
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    if code == 0 and asked:  # it was done by then, but nothing is to follow
        return 128 + asked[0]
    return code if code >= 0 else 128 - code


def is_done(name: str) -> bool:
    """Whether a run is there and has done its steps."""
    return (paths.runs_dir() / name).is_dir() and find_run(name).state == "finished"


def settings_in(arguments: Sequence[str]) -> dict[str, Any]:
    """Settings of a run by name, as `train` would understand them.

    Raises:
        UserError: where it would not, or for what is no setting that all runs can have.
    """
    remedy = (
        "After -- stand settings of `mgpt-tui train` that all runs have; those of the student "
        "alone stand in its recipe."
    )
    try:
        context = train_command.make_context("train", ["--name", "all", *arguments])
    except click.ClickException as error:
        raise UserError(error.format_message(), remedy) from None
    values = given_options(context.params)
    for name, value in values.items():
        fits = SECTION_OF.get(name) not in (None, "teaching")
        if not (fits or value is False or (name, value) == ("name", "all")):
            raise UserError(f"--{name.replace('_', '-')} is not for all runs.", remedy)
    return {name: value for name, value in values.items() if name in SECTION_OF}


def runs(given: argparse.Namespace) -> Iterator[Planned]:
    """The runs, in order.

    Raises:
        UserError: for a recipe or settings that cannot be.
    """
    own = settings_in(given.settings)
    first = own.get("seed")

    def planned(name: str, recipe: str, seed: int | None, teachers: Sequence[str]) -> Planned:
        path = find_recipe(recipe)
        settings, arguments = read_toml(path) | own, list(given.settings)
        if seed is not None:
            settings["seed"] = seed
            arguments += ["--seed", str(seed)]
        config = TrainConfig().updated(settings)
        if not teachers:
            config.check_used(settings)
        return Planned(name, path, arguments, settings, tuple(teachers))

    teachers: list[str] = []
    for at in range(given.teachers):
        name, recipe = f"{given.name}-teacher-{at + 1}", given.teacher[at % len(given.teacher)]
        yield planned(name, recipe, (1 if first is None else first) + at, ())
        teachers.append(name)
    last = None if first is None else first + given.teachers
    yield planned(given.name, given.student, last, teachers)


def chain(given: argparse.Namespace, train: Train = by_process) -> int:
    """Do what is left of it.

    Returns:
        The exit code of the run that stopped, or 0.

    Raises:
        UserError: before anything begins, for a recipe, a setting or a name that cannot be, and
            for a run that was begun otherwise.
    """
    planned = list(runs(given))
    for run in planned:
        folder = run_folder(run.name)
        if (folder / CONFIG_FILE).exists():
            raise UserError(f"{run.name} is a model that was imported.", "Choose another --name.")
        difference = run.otherwise() if step_folders(folder) else None
        if difference is not None:
            raise UserError(
                f"The run {run.name} was begun with {difference}.",
                "Ask for the same again, or choose another --name.",
            )
    for run in planned:
        begins = ["--config", str(run.recipe), *run.arguments]
        if step_folders(run_folder(run.name)):
            if is_done(run.name):
                found = find_run(run.name)
                say(f"{run.name} is done: {found.step:,} steps, on {found.data}.")
                continue
            begins.append("--resume")
        elif run.teachers:
            begins += ["--teachers", ",".join(run.teachers)]
        code = train(["train", "--name", run.name, "--data", str(given.data), *begins])
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
    parser.add_argument("--student", default=STUDENT, metavar="RECIPE", help="of the student")
    parser.add_argument("settings", nargs="*", help="settings of `train` for all, after --")
    given = parser.parse_args(arguments)
    given.teacher = given.teacher or [TEACHER]
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
