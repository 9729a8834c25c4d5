"""decode.c compiled beforehand, for machines without a compiler.

A wheel made for release carries these (see tools/release.py); a checkout has none. All are of the
same C and differ in the instructions that they may use, and so in the last bits of their sums.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.inference.decoders import processor
from mgpt_tui.paths import assets_dir

FOLDER = assets_dir() / "native"
SUFFIXES = {"Linux": ".so", "Darwin": ".dylib", "Windows": ".dll"}
AVX2 = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "abm"})
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"}


@dataclass(frozen=True, slots=True)
class Target:
    """What it is compiled for.

    Attributes:
        name: of the file, without its suffix.
        system: as `platform.system` names it.
        machine: x86_64 or aarch64.
        triple: what the compiler calls that; glibc 2.17 is older than any that torch runs on.
        options: of the compiler, for the instructions.
        needs: what the processor must have, by Linux's names.
    """

    name: str
    system: str
    machine: str
    triple: str
    options: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()

    @property
    def file(self) -> str:
        """The name of its file."""
        return self.name + SUFFIXES[self.system]


_V3, _V1 = ("-mcpu=x86_64_v3",), ("-mcpu=x86_64",)
_V4 = ("-mcpu=x86_64_v4+avx512vnni", "-mprefer-vector-width=512")
_LINUX_X86, _LINUX_ARM = "x86_64-linux-gnu.2.17", "aarch64-linux-gnu.2.17"
_MAC_X86, _WINDOWS = "x86_64-macos", "x86_64-windows-gnu"

TARGETS = (
    Target("linux-x86_64-avx512vnni", "Linux", "x86_64", _LINUX_X86, _V4, AVX512),
    Target("linux-x86_64-avx2", "Linux", "x86_64", _LINUX_X86, _V3, AVX2),
    Target("linux-x86_64", "Linux", "x86_64", _LINUX_X86, _V1),
    Target(
        "linux-aarch64-dotprod", "Linux", "aarch64", _LINUX_ARM,
        ("-mcpu=generic+dotprod",), frozenset({"asimddp"}),
    ),
    Target("linux-aarch64", "Linux", "aarch64", _LINUX_ARM),
    Target("macos-aarch64", "Darwin", "aarch64", "aarch64-macos"),
    Target("macos-x86_64-avx2", "Darwin", "x86_64", _MAC_X86, _V3, AVX2),
    Target("macos-x86_64", "Darwin", "x86_64", _MAC_X86, _V1),
    Target("windows-x86_64-avx2", "Windows", "x86_64", _WINDOWS, _V3, AVX2),
    Target("windows-x86_64", "Windows", "x86_64", _WINDOWS, _V1),
)  # fmt: skip
"""All of them; of those that a machine can run, the faster stands before the slower."""


def fitting(folder: Path = FOLDER) -> Iterator[Path]:
    """The files that could run here, the fastest first.

    Where the system does not tell what the processor can do, whoever loads one tries it first.
    """
    here, known = (platform.system(), processor.machine()), processor.features()
    for target in TARGETS:
        fits = not known or target.needs <= known
        path = folder / target.file
        if fits and (target.system, target.machine) == here and path.is_file():
            yield path
