"""`mgpt-tui runs`: the training runs of this machine, or all about one of them."""

from __future__ import annotations

import json
import sys

import click

from mgpt_tui.console import console_for, say, show


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--explain", is_flag=True, help="Say what each figure means.")
def command(name: str | None, as_json: bool, explain: bool) -> None:
    """List the training runs, or show settings, figures, plot and samples of the run NAME.

    A run can be looked at while it goes.
    """
    from training.report.run_report import list_report, run_details, run_report
    from training.runs.listing import find_run, list_runs

    if as_json:
        content: object = (
            [run.to_dict() for run in list_runs()] if name is None else run_details(find_run(name))
        )
        say(json.dumps(content, indent=2))
        return
    console = console_for(sys.stdout)
    if name is None:
        parts = list_report(list_runs(), console.width, explain)
    else:
        parts = run_report(find_run(name), console.width, explain)
    show(parts, console)
