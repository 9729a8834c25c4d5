"""`mgpt-tui import`: a model of another program becomes one of those here."""

from __future__ import annotations

import sys
import time

import click

from mgpt_tui.console import console_for, say
from mgpt_tui.text import clean_text, shortened

SECONDS_BETWEEN_LINES = 10.0
"""Off a terminal."""


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--name", metavar="NAME", help="What it is called here. [default: as there]")
@click.option(
    "--weights",
    type=click.Choice(["fp32", "bf16", "int8"]),
    default="fp32",
    show_default=True,
    help="Storage format; fp32 keeps every weight as it is.",
)
@click.option(
    "--n-head",
    type=click.IntRange(min=1),
    metavar="N",
    help="Heads in a layer, where the file does not say. [default: 64 wide]",
)
@click.option(
    "--tokenizer",
    metavar="MODEL|PATH",
    help="Whose tokenizer it has, where none lies with it. [default: GPT-2's]",
)
def command(
    source: str, name: str | None, weights: str, n_head: int | None, tokenizer: str | None
) -> None:
    """Take in a model of GPT-2's family, to write with it, to look into it and to train it on.

    SOURCE is a folder of Hugging Face's (gpt2 or gpt_neo), or OWNER/NAME[@REVISION] on its hub; a
    checkpoint of nanoGPT, or a state dict with GPT-2's names; or a GGUF file of gpt2. The model
    stands among those of `mgpt-tui models`. Of a pickle nothing but weights is read.
    """
    from mgpt_tui.family.importing.source import ImportRequest, import_model

    request = ImportRequest(
        source=source, name=name, weights=weights, n_head=n_head, tokenizer=tokenizer
    )
    with _Download() as download:
        made = import_model(request, download.told)
    shape = made.info.config
    say(
        f"{made.name}: {shortened(shape.parameters())} parameters, {shape.n_layer} layers, "
        f"width {shape.n_embd}, context {shape.block_size:,}, "
        f"vocabulary {shape.vocab_size:,}\n"
        f"{clean_text(str(made.folder))}, fingerprint {made.info.fingerprint[:12]}"
    )


class _Download:
    """A progress bar of a download, or a line now and then where nobody could see one."""

    def __init__(self) -> None:
        from rich import progress

        self._console = console_for(sys.stderr)
        self._shown = time.monotonic()
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=20),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=self._console,
        )
        self._task: progress.TaskID | None = None

    def __enter__(self) -> _Download:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._bar.stop()

    def told(self, come: int, total: int) -> None:
        """Show that `come` of `total` bytes are here."""
        if not self._console.is_terminal:
            if time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
                self._shown = time.monotonic()
                say(f"{come / 1e6:,.0f} of {total / 1e6:,.0f} MB", error=True)
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("fetching", total=total)
        self._bar.update(self._task, completed=come, total=total)
