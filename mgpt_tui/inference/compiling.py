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
from mgpt_tui.text import clean_text

SOURCE = Path(__file__).with_name("decode.c")
COMPILERS = ("cc", "gcc", "clang")
"""Tried in this order, where the environment names none in `CC`."""

VECTORS = ("-fopenmp-simd", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno")
"""What lets loops be vectors; numbers that are none stay what they are."""

THREADS = "-fopenmp"
"""Left out where the compiler lacks it, as Apple's does: then one thread does all the work."""

PATIENCE = 20
"""Seconds for a compiler, which takes half a one."""

CHECK = """
import ctypes, sys
try:
    sys.exit(0 if ctypes.CDLL(sys.argv[1]).works() == 1 else "sums come out wrong")
except (OSError, AttributeError) as error:
    sys.exit(str(error))
"""


class NoCompiler(UserError):
    """Nothing here can compile decode.c."""


def library() -> ctypes.CDLL:
    """The compiled functions of decode.c.

    Kept in the cache folder, by the source, the compiler, and the processor it compiled for.

    Raises:
        NoCompiler: where there is no compiler, or it makes nothing that runs here.
    """
    made = _library()
    if isinstance(made, NoCompiler):
        raise made
    return made


@cache
def _library() -> ctypes.CDLL | NoCompiler:
    """It, or why there is none: a process asks a compiler once, who may take its time."""
    try:
        return _made()
    except NoCompiler as error:
        return error


def _made() -> ctypes.CDLL:
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


def found() -> str:
    """The compiler that there is, by its path; "" for none."""
    try:
        return _compiler()[0]
    except NoCompiler:
        return ""


def _compiler() -> list[str]:
    """The command to compile with, as words."""
    named = os.environ.get("CC", "").strip()
    try:
        commands = [shlex.split(named)] if named else [[name] for name in COMPILERS]
    except ValueError:
        commands = []
    for words in commands:
        path = shutil.which(words[0])
        if path:
            return [path, *words[1:]]
    if named:
        raise NoCompiler(
            f"CC names {named!r}, which is no program here.",
            "Let it name a C compiler, or nothing; or give --precision int8.",
        )
    raise NoCompiler(
        "There is no C compiler here, which --precision native needs.",
        "Install one (gcc or clang), or give --precision int8.",
    )


def _flags() -> list[str]:
    if platform.machine().lower() in ("x86_64", "amd64"):
        return ["-O3", "-march=native", "-mprefer-vector-width=512", *VECTORS]
    return ["-O3", "-mcpu=native", *VECTORS]


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
                _run(
                    [sys.executable, "-c", CHECK, str(made)], f"What {Path(command[0]).name} makes"
                )
                return made.read_bytes()
            except NoCompiler as error:  # or it takes the flag, and lacks the library
                refused = error
        raise refused


def _run(command: list[str], what: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a program.

    Args:
        what: it tries out; left out, it is the compiler.

    Raises:
        NoCompiler: where it fails.
    """
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error).encode()
        lines = said.decode(errors="replace").strip().splitlines()
        line = next((line for line in lines if "error" in line.lower()), lines[0])
        raise NoCompiler(
            f"{what or Path(command[0]).name} does not work here: {clean_text(line)}",
            "Name another C compiler in CC"
            + (", or a folder that programs may run in in TMPDIR" if what else "")
            + "; or give --precision int8.",
        ) from None
