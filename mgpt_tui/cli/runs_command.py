"""`mgpt-tui runs`: the training runs of this machine, one of them, or several together."""

from __future__ import annotations

import json
import sys

import click

from mgpt_tui.console import console_for, say, show
from mgpt_tui.errors import UserError


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print every logged step as a line of CSV.")
@click.option(
    "--tensorboard",
    metavar="DIR",
    help="Write every logged step as events for TensorBoard, a folder for each run.",
)
@click.option("--explain", is_flag=True, help="Say what each figure means.")
def command(
    names: tuple[str, ...], as_json: bool, as_csv: bool, tensorboard: str | None, explain: bool
) -> None:
    """List the training runs, or show settings, figures, plot and samples of the run NAME.

    Of several runs it shows what differs in their settings, and their scores over one another. A
    run can be looked at while it goes.
    """
    from training.report.as_csv import csv_lines
    from training.report.comparison import check_number, comparison
    from training.report.events import write_events
    from training.report.run_report import list_report, run_details, run_report
    from training.runs.listing import find_run, list_runs

    forms = {"--json": as_json, "--csv": as_csv, "--tensorboard": tensorboard is not None}
    asked = [name for name, there in forms.items() if there]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} exclude each other.", "Give one of them.")
    names = tuple(dict.fromkeys(names))
    if not asked:  # programs need no letters
        check_number(names)
    runs = [find_run(name) for name in names] if names else list_runs()
    if tensorboard is not None:
        say(f"Look at them with: tensorboard --logdir {write_events(runs, tensorboard)}")
        return
    if as_csv:
        for line in csv_lines(runs):
            say(line, end="")
        return
    if as_json:
        details = [run_details(run) for run in runs] if names else [run.to_dict() for run in runs]
        say(json.dumps(details[0] if len(names) == 1 else details, indent=2))
        return
    console = console_for(sys.stdout)
    if not names:
        parts = list_report(runs, console.width, explain)
    elif len(runs) == 1:
        parts = run_report(runs[0], console.width, explain)
    else:
        parts = comparison(runs, console.width)
    show(parts, console)
