"""Compile decode.c for the machine it runs on: once, with the compiler that is there."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write

SOURCE = Path(__file__).with_name("decode.c")
COMPILERS = ("cc", "gcc", "clang")
"""Tried in this order, where the environment names none in `CC`."""

ROUNDING = ("-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno")
"""Sums may be taken in the order that suits vectors; numbers that are none stay what they are."""

THREADS = "-fopenmp"
"""Left out where the compiler lacks it, as Apple's does: then one thread does all the work."""

CHECK = "import ctypes, sys; sys.exit(ctypes.CDLL(sys.argv[1]).works() != 1)"


class NoCompiler(UserError):
    """Nothing here can compile decode.c."""


@cache
def library() -> ctypes.CDLL:
    """The compiled functions of decode.c.

    Kept in the cache folder, by the source, the compiler, and the processor it compiled for.

    Raises:
        NoCompiler: where there is no compiler, or it makes nothing that runs here.
    """
    command = [*_compiler(), *_flags()]
    folder = paths.cache_dir() / "native"
    made_for = _digest(SOURCE.read_bytes() + _taken_for_granted(command))
    try:
        # The name holds the digest of the content: to load a damaged library is to crash.
        for path in folder.glob(f"decode-{made_for}-*.so"):
            if path.stem.endswith(_digest(path.read_bytes())):
                return ctypes.CDLL(str(path))
        content = _compiled(command)
        path = folder / f"decode-{made_for}-{_digest(content)}.so"
        atomic_write(path, content)
        return ctypes.CDLL(str(path))
    except NoCompiler:
        raise
    except (UserError, OSError):
        raise NoCompiler(
            f"Compiled code cannot be kept or run in {folder}.",
            f"Let {paths.LOCATIONS['cache'].variable} name a folder where it can, "
            "or give --precision int8.",
        ) from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def is_available() -> bool:
    """Whether there is such a library, or can be."""
    try:
        library()
    except NoCompiler:
        return False
    return True


def _compiler() -> list[str]:
    """The command to compile with, as words."""
    named = shlex.split(os.environ.get("CC", ""))
    for words in [named] if named else [[name] for name in COMPILERS]:
        found = shutil.which(words[0])
        if found:
            return [found, *words[1:]]
    raise NoCompiler(
        "There is no C compiler here, which --precision native needs.",
        "Install one (gcc or clang), or give --precision int8.",
    )


def _flags() -> list[str]:
    if platform.machine().lower() in ("x86_64", "amd64"):
        return ["-O3", "-march=native", "-mprefer-vector-width=512", *ROUNDING]
    return ["-O3", "-mcpu=native", *ROUNDING]


def _taken_for_granted(command: list[str]) -> bytes:
    """The compiler, and all that it takes for granted of this processor.

    Raises:
        NoCompiler: where it does not work.
    """
    done = _run([*command, "-dM", "-E", os.devnull])
    return " ".join(command).encode() + done.stdout


def _compiled(command: list[str]) -> bytes:
    """The library that a compiler makes, tried out in a process of its own.

    Raises:
        NoCompiler: where it makes none that works.
    """
    with tempfile.TemporaryDirectory(prefix="mgpt-") as folder:
        made = Path(folder) / "decode.so"
        last = [str(SOURCE), "-shared", "-fPIC", "-lm", "-o", str(made)]
        for threads in ([THREADS], []):
            try:
                _run([*command, *threads, *last])
                _run([sys.executable, "-c", CHECK, str(made)])
                return made.read_bytes()
            except NoCompiler as error:
                refused = error
    raise refused


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        first = said.decode(errors="replace").strip().partition("\n")[0]
        raise NoCompiler(
            f"{Path(command[0]).name} makes nothing that runs here: {first}",
            "Name another C compiler in CC, or give --precision int8.",
        ) from None
