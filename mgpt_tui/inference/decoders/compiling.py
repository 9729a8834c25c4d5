"""decode.c for the machine it runs on: compiled, once, with the compiler that is there.

Where there is none that works, one of those that were made beforehand is taken, see `ready_made`.
"""

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
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.inference.decoders import processor, ready_made
from mgpt_tui.text import clean_text

SOURCE = Path(__file__).with_name("decode.c")
INCLUDED = sorted(SOURCE.parent.glob("*.h"))
COMPILERS = ("cc", "gcc", "clang")
"""Tried in this order, where the environment names none in `CC`."""

VECTORS = ("-fopenmp-simd", "-fno-signed-zeros", "-fno-trapping-math", "-fno-math-errno")
"""What lets loops be vectors; numbers that are none stay what they are."""

THREADS = "-pthread"
"""Left out where the compiler refuses it."""

PATIENCE = 120
"""Seconds for a compiler, which takes a few where nothing else keeps the machine busy."""

CHECK = """
import ctypes, sys
try:
    sys.exit(0 if ctypes.CDLL(sys.argv[1]).works() == 1 else "sums come out wrong")
except (OSError, AttributeError) as error:
    sys.exit(str(error))
"""


class NoCompiler(UserError):
    """Nothing here can compile decode.c, nor does one that was compiled beforehand run."""


def library() -> ctypes.CDLL:
    """The compiled functions of decode.c.

    Kept in the cache folder, by the source, the compiler, and the processor it compiled for. The
    order is fixed, as another library may give other last bits: what the compiler here makes, then
    what was made beforehand.

    Raises:
        NoCompiler: where there is no compiler, or it makes nothing that runs here, and nothing
            made beforehand does.
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
    try:
        command = [*_compiler(), *_flags()]
        source = b"".join(path.read_bytes() for path in (SOURCE, *INCLUDED))
        return _kept(source + _taken_for_granted(command), partial(_compiled, command))
    except NoCompiler as error:
        for path in ready_made.fitting():
            with suppress(NoCompiler):
                return _kept(_of_processor() + path.read_bytes(), partial(tried, path))
        raise error from None


def _kept(made_of: bytes, make: Callable[[], bytes]) -> ctypes.CDLL:
    """The library that is kept in the cache folder, or is made and kept now.

    Args:
        made_of: what decides what it is.
        make: gives its content, or raises NoCompiler.
    """
    folder = paths.cache_dir() / "native"
    made_for = _digest(made_of)
    try:
        # The name holds the digest of the content: to load a damaged library is to crash.
        for path in folder.glob(f"decode-{made_for}-*.so"):
            if path.stem.endswith(_digest(path.read_bytes())):
                return ctypes.CDLL(str(path))
        content = make()
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


def file() -> Path:
    """Where the library is; its name differs from that of every other one.

    Raises:
        NoCompiler: as in `library`.
    """
    return Path(library()._name)


def made_by() -> str:
    """The compiler that made the library, and its version; errors as in `file`."""
    compiler = library().compiler
    compiler.restype = ctypes.c_char_p
    version: bytes = compiler()
    return version.decode()


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
    if processor.machine() == "x86_64":
        return ["-O3", "-march=native", "-mprefer-vector-width=512", *VECTORS]
    return ["-O3", "-mcpu=native", *VECTORS]


def _taken_for_granted(command: list[str]) -> bytes:
    """What decides what a compiler makes of a source: itself, and the processor.

    Where the system tells of the processor, nothing is run, which would take a tenth of a start.

    Raises:
        NoCompiler: where the compiler is to tell of it, and does not work.
    """
    program = Path(command[0]).stat()
    if processor.described():
        parts = [*command, str(program.st_size), str(program.st_mtime_ns)]
        return "\n".join(parts).encode() + _of_processor()
    done = _run([*command, "-dM", "-E", os.devnull])
    return " ".join(command).encode() + done.stdout


def _of_processor() -> bytes:
    """What tells this processor from others, as far as the system says."""
    return "\n".join(processor.described() or [platform.processor()]).encode()


def _compiled(command: list[str]) -> bytes:
    """The library that a compiler makes, tried out in a process of its own.

    Raises:
        NoCompiler: where it makes none that works.
    """
    with tempfile.TemporaryDirectory(prefix="mgpt-") as folder:
        made = Path(folder) / "decode.so"
        last = [str(SOURCE), f"-I{SOURCE.parent}", "-shared", "-fPIC", "-lm", "-o", str(made)]
        for threads in ([THREADS], []):
            try:
                _run([*command, *threads, *last])
                return tried(made, f"What {Path(command[0]).name} makes")
            except NoCompiler as error:  # or it takes the flag, and lacks the library
                refused = error
        raise refused


def tried(library: Path, what: str = "What was made beforehand") -> bytes:
    """The content of a library that works, as a process of its own has found.

    Raises:
        NoCompiler: where it does not.
    """
    _run([sys.executable, "-c", CHECK, str(library)], what)
    return library.read_bytes()


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
