"""Models of other programs, damaged, as `import` reads them: taken whole, or nothing is left."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from damage import damaged, json_bytes, odd_file, odd_json

from fuzzers.files import emptied, laid_out, put
from mgpt_tui import paths
from mgpt_tui.errors import UserError

NAME = "fuzzed"


@cache
def exported() -> dict[str, dict[str, bytes]]:
    """The small checkpoint in every format, its files by name; of hf, as GPT-Neo's too."""
    from mgpt_tui.family.exporting.targets import TARGETS, export
    from mgpt_tui.model.contents import read_contents

    contents, folder = read_contents(laid_out({})), emptied("exported")
    found = {}
    for to, target in TARGETS.items():
        out = folder / ("x.gguf" if target.is_file else to)
        export(contents, to, out, "f32" if to == "gguf" else "fp32")
        found[to] = {path.name: path.read_bytes() for path in ([out], out.iterdir())[out.is_dir()]}
    return found


def taken_or_nothing(source: Path) -> None:
    """Import it; where that is refused, nothing may be left."""
    from mgpt_tui.family.importing.source import ImportRequest, import_model
    from mgpt_tui.model.checkpoint import load_checkpoint

    shutil.rmtree(paths.runs_dir() / NAME, ignore_errors=True)
    try:
        made = import_model(ImportRequest(source=str(source), name=NAME), lambda come, total: None)
    except UserError:
        left = list(paths.runs_dir().glob("*")) if paths.runs_dir().exists() else []
        assert not [path for path in left if NAME in path.name], "something is left"
        raise
    tokenizer = load_checkpoint(made.folder).tokenizer
    assert tokenizer.decode(tokenizer.encode("It's a fox.")) == "It's a fox."


def laid(files: dict[str, bytes]) -> Path:
    """These files in a folder."""
    folder = emptied("foreign")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def folders(draw: random.Random) -> None:
    """A folder of Hugging Face's, one of its files damaged."""
    files = exported()["hf"]
    folder = laid(files)
    name = draw.choice(("config.json", "tokenizer.json", "model.safetensors"))
    content = files[name]
    if name.endswith(".json"):
        content = odd_file(draw, json.loads(content))
    elif draw.random() < 0.5:
        content = damaged(draw, content)
    else:
        end = 8 + int.from_bytes(content[:8], "little")
        header = json_bytes(draw, odd_json(draw, json.loads(content[8:end])))
        content = len(header).to_bytes(8, "little") + header + content[end:]
    put(folder / name, content)
    taken_or_nothing(folder)


def pickles(draw: random.Random) -> None:
    """A checkpoint of nanoGPT's."""
    folder = laid(exported()["nanogpt"])
    put(folder / "ckpt.pt", damaged(draw, exported()["nanogpt"]["ckpt.pt"]))
    taken_or_nothing(folder)


def gguf_files(draw: random.Random) -> None:
    """A GGUF file, as bytes or with other numbers in its header."""
    [(name, content)] = exported()["gguf"].items()
    if draw.random() < 0.5:
        content = damaged(draw, content)
    else:
        at = draw.randrange(4, len(content) // 2)
        number = draw.choice((b"\xff", b"\0" * 8, b"\xff" * 8, draw.randbytes(4)))
        content = content[:at] + number + content[at + len(number) :]
    folder = laid({})
    put(folder / name, content)
    taken_or_nothing(folder / name)


def make_ready() -> None:
    """Make once what all processes can share."""
    exported()


TARGETS: dict[str, Callable[[random.Random], None]] = {
    "models of transformers": folders,
    "checkpoints of nanoGPT": pickles,
    "GGUF files": gguf_files,
}
