"""Build the wheel that is published: of a commit, and with decode.c ready-made in it.

A wheel that is built from a checkout as it stands leaves decoding to the user's own C compiler, or
to torch. This one carries `ready_made.TARGETS`, all cross-compiled here by the one clang that
`ziglang` is (the extra `release`):

    python -m pip install -e '.[release]'
    python tools/release.py [--out dist] [COMMIT]

It works in a copy, so the checkout stays free of binaries. Those of Linux x86-64 are tried where
this runs, as far as its processor can run them; the others are only compiled.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mgpt_tui.inference.decoders import compiling, ready_made
from mgpt_tui.inference.decoders.ready_made import TARGETS, Target

HERE = Path(__file__).resolve().parents[1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the wheel that is published.")
    parser.add_argument("commit", nargs="?", default="HEAD", help="what is built")
    parser.add_argument("--out", type=Path, default=HERE / "dist", help="a folder for the wheel")
    return parser.parse_args()


def compile_for(target: Target, source: Path, out: Path) -> None:
    """Compile decode.c in the folder `source` to a file in the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target.triple]
    options = ["-O3", *target.options, *compiling.VECTORS, compiling.THREADS, "-s"]
    files = [compiling.SOURCE.name, "-I.", "-shared", "-fPIC", "-lm", "-o", str(out / target.file)]
    named = f'-DMADE_FOR="ready-made {target.name}"'
    subprocess.run([*zig, *options, named, *files], cwd=source, check=True)
    for path in (*out.glob("*.lib"), *out.glob("*.pdb")):  # what linking for Windows leaves
        path.unlink()


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="mgpt-release-") as folder:
        copy, archive = Path(folder) / "copy", Path(folder) / "copy.tar"
        subprocess.run(["git", "archive", "-o", archive, args.commit], cwd=HERE, check=True)
        shutil.unpack_archive(archive, copy, filter="data")
        source, out = (
            copy / path.relative_to(HERE) for path in (compiling.SOURCE.parent, ready_made.FOLDER)
        )
        for target in TARGETS:
            compile_for(target, source, out)
            print(f"{target.name:26} {(out / target.file).stat().st_size:,} bytes", flush=True)
        for path in ready_made.fitting(out):
            compiling.tried(path)
            print(f"{path.stem} works here")
        command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(args.out.resolve())]
        subprocess.run([*command, str(copy)], check=True, stdout=subprocess.DEVNULL)
    print(f"The wheel is in {args.out}.")


if __name__ == "__main__":
    main()
