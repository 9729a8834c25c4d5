"""decode.c compiled beforehand, on machines without a compiler."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest

from mgpt_tui import paths
from mgpt_tui.inference.decoders import compiling, processor, ready_made
from mgpt_tui.inference.decoders.compiling import NoCompiler, library, made_by
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.model.checkpoint import weights_of
from tests.inference.decoders.conftest import CC, needs_compiler

PATH = os.environ["PATH"]


@pytest.fixture(autouse=True)
def bare(nothing_compiled, tmp_path, monkeypatch):
    """A machine that has no compiler, and nothing kept."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(ready_made, "fitting", lambda: sorted(tmp_path.glob("*.so")))


@pytest.fixture
def make(tmp_path):
    """Makes a library beforehand, as tools/release.py would."""

    def make(name):
        path = tmp_path / f"{name}.so"
        files = [compiling.SOURCE, "-shared", "-fPIC", "-lm", "-o", path]
        named = f'-DMADE_FOR="ready-made {name}"'
        command = [CC, "-O1", *compiling.VECTORS, named, *files]
        subprocess.run(command, check=True, env={"PATH": PATH})
        return path

    return make


def kept():
    return list((paths.cache_dir() / "native").glob("*"))


@needs_compiler
def test_it_decodes_and_says_what_it_is(make, tiny_model):
    make("plain")
    assert made_by().startswith("ready-made plain, ")
    decoder = NativeDecoder(tiny_model.config, weights_of(tiny_model))
    assert decoder.made_by == made_by()
    tokens = np.arange(20)[None]
    ready = decoder.read(tokens, decoder.new_cache(1))
    compiling._library.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", PATH)
        decoder = NativeDecoder(tiny_model.config, weights_of(tiny_model))
        np.testing.assert_allclose(decoder.read(tokens, decoder.new_cache(1)), ready, atol=1e-4)


@needs_compiler
def test_a_compiler_that_is_there_goes_first(make, monkeypatch):
    make("plain")
    monkeypatch.setenv("PATH", PATH)
    assert "ready-made" not in made_by()


@needs_compiler
def test_one_that_was_tried_is_not_tried_again(make, monkeypatch):
    make("plain")
    library()
    [path] = kept()
    compiling._library.cache_clear()
    monkeypatch.setattr(compiling, "tried", lambda *_: pytest.fail("tried again"))
    assert library().works() == 1
    assert kept() == [path]


@needs_compiler
@pytest.mark.parametrize("fault", ["cut", "trap"])
def test_the_next_is_taken_where_one_does_not_work(make, tmp_path, fault):
    """It has instructions that the processor lacks, or the file is no library."""
    best = make("a")
    if fault == "trap":
        source = tmp_path / "trap.c"
        source.write_text("int works(void) { __builtin_trap(); }")
        command = [CC, "-shared", "-fPIC", source, "-o", best]
        subprocess.run(command, check=True, env={"PATH": PATH})
    else:
        best.write_bytes(best.read_bytes()[:500])
    make("b")
    assert made_by().startswith("ready-made b, ")
    assert len(kept()) == 1


def test_where_none_works_the_missing_compiler_is_told(tmp_path):
    (tmp_path / "a.so").write_bytes(b"no library")
    with pytest.raises(NoCompiler, match="There is no C compiler here"):
        library()
    assert kept() == []


def test_a_processor_gets_the_fastest_that_it_can_run(tmp_path, monkeypatch):
    monkeypatch.undo()
    for target in ready_made.TARGETS:
        (tmp_path / target.file).touch()

    def fitting(system, machine, *features):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ready_made.platform, "system", lambda: system)
            patch.setattr(ready_made.platform, "machine", lambda: machine)
            patch.setattr(processor, "features", lambda: frozenset(features))
            return [path.name for path in ready_made.fitting(tmp_path)]

    avx2, plain = "linux-x86_64-avx2.so", "linux-x86_64.so"
    assert fitting("Linux", "x86_64", "sse2", *ready_made.AVX512) == [
        "linux-x86_64-avx512vnni.so", avx2, plain,
    ]  # fmt: skip
    assert fitting("Linux", "x86_64", *ready_made.AVX2) == [avx2, plain]
    assert fitting("Linux", "x86_64", "sse2", "avx2") == [plain]
    assert fitting("Linux", "aarch64", "asimd") == ["linux-aarch64.so"]
    assert fitting("Linux", "riscv64", "v") == []
    assert fitting("Darwin", "arm64") == ["macos-aarch64.dylib"]
    assert fitting("Windows", "AMD64") == ["windows-x86_64-avx2.dll", "windows-x86_64.dll"]
    assert fitting("FreeBSD", "amd64") == []


def test_what_a_processor_can_do_is_read_from_the_system():
    processor.described.cache_clear()
    features = processor.features()
    if features:
        assert features & {"sse2", "asimd", "fp"}
        assert not any(":" in word for word in features)


def test_every_target_has_a_file_of_its_own():
    files = [target.file for target in ready_made.TARGETS]
    assert len(set(files)) == len(files)
