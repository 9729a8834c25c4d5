"""Where models can be exported to; the module `to_NAME` in this folder writes the format NAME."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.family.exporting.holding import check
from mgpt_tui.files import atomic_folder
from mgpt_tui.memory import check_room
from mgpt_tui.model.contents import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A format of the family, to be written.

    Attributes:
        forms: of weights that it knows, the usual one first, as `--weights` takes them.
        is_file: whether it is one file; else it is a folder of them.
    """

    forms: tuple[str, ...]
    is_file: bool = False


TARGETS = {
    "hf": Target(forms=("fp32", "bf16", "fp16")),
    "gguf": Target(forms=("f16", "f32", "q8_0"), is_file=True),
    "nanogpt": Target(forms=("fp32",)),
}
"""Every format by its name, as `--to` takes it."""


def check_form(to: str, form: str | None) -> str:
    """The form of weights that a format is to have: the one asked for, or its usual one.

    Raises:
        UserError: where the format does not know it.
    """
    forms = TARGETS[to].forms
    if form not in (None, *forms):
        raise UserError(
            f"{to} does not keep weights as {form}.", f"Give --weights {' or '.join(forms)}."
        )
    return form or forms[0]


def export(contents: Contents, to: str, out: Path, form: str) -> None:
    """Write a model in another format; `out` is whole or not there.

    Args:
        to: one of `TARGETS`.
        out: a new folder or file; what the model is called there, too.
        form: of the weights, one that the format knows.

    Raises:
        OutOfMemory: where memory has no room for what is to be written.
        UserError: where the format cannot hold the model, its weights are no numbers, or `out`
            cannot be written.
    """
    check(contents, to)
    shape = contents.info.config
    # All of them as they are to be written, where the format takes no single ones; one in fp32.
    held = 0 if TARGETS[to].is_file else (4 if form == "fp32" else 2) * shape.parameters()
    check_room(f"To export it to {to}", held + 3 * 4 * shape.vocab_size * shape.n_embd)
    write: Callable[[Contents, Path, str, str], None]
    write = import_module(f"mgpt_tui.family.exporting.to_{to}").write
    if TARGETS[to].is_file:
        write(contents, out, form, out.stem)
        return
    with atomic_folder(out) as temporary:
        write(contents, temporary, form, out.name)
