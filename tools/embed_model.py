"""Make the embedded model out of a checkpoint: `mgpt_tui/assets/storyteller`.

    python tools/embed_model.py MODEL --data valid.txt --source TEXT --recipe NAME [...]

Exports MODEL, or the mean of its run's --mean newest checkpoints, with 8-bit weights, scores it in
8 bits and in full on the held-out stories, refuses where 8 bits cost more than 0.002 bits per byte,
and writes down what a reader should know: where the text came from (--source, instead of paths of
this machine), the recipe, and the score.
"""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from mgpt_tui import paths
from mgpt_tui.files import atomic_write
from mgpt_tui.model.checkpoint import export_checkpoint, load_checkpoint
from mgpt_tui.model.manifest import CONFIG_FILE, read_info
from mgpt_tui.model.registry import EMBEDDED, find_model, newest_checkpoints
from training.evaluation.held_out import stories_to_score
from training.evaluation.scoring import score
from training.metrics import Score

MOST_LOST = 0.002
"""Bits per byte that 8-bit weights may cost."""


def scored(folder: Path, data: str) -> Score:
    """The score of a checkpoint on held-out stories."""
    checkpoint = load_checkpoint(folder)
    stories = stories_to_score(data, checkpoint.tokenizer)
    return score(checkpoint.model, checkpoint.tokenizer.end_token, stories)


def about(training: dict[str, Any], given: argparse.Namespace, result: Score) -> dict[str, Any]:
    """What the config tells of the training."""
    told = training | {
        "data": training["data"] | {"sources": [given.source]},
        "recipe": given.recipe,
        "validation": result.to_dict(),
    }
    told.pop("best", None)
    if given.begun_with:
        told["begun_with"] = given.begun_with
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--begun-with")
    parser.add_argument("--mean", type=int, default=1)
    given = parser.parse_args()
    sources = newest_checkpoints(find_model(given.model).path, given.mean)
    target = paths.assets_dir() / EMBEDDED
    with tempfile.TemporaryDirectory() as temporary:
        large, small = Path(temporary, "fp32"), Path(temporary, EMBEDDED)
        export_checkpoint(sources, large, "fp32")
        export_checkpoint([large], small, "int8")
        full, packed = scored(large, given.data), scored(small, given.data)
        lost = packed.bits_per_byte - full.bits_per_byte
        print(f"fp32 {full.bits_per_byte:.5f}, int8 {packed.bits_per_byte:.5f} bits per byte")
        if lost > MOST_LOST:
            print(f"8-bit weights cost {lost:.4f} bits per byte; nothing was changed.")
            return 1
        info = read_info(small)
        told = dataclasses.replace(info, training=about(info.training, given, packed))
        atomic_write(small / CONFIG_FILE, told.to_json())
        load_checkpoint(small)  # whole, as anybody will read it
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(small, target)
    size = sum(path.stat().st_size for path in target.iterdir())
    print(f"{target}: {size / 1e6:.1f} MB, fingerprint {info.fingerprint[:12]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
