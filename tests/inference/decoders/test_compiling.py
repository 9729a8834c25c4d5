"""decode.c: compiled once, checked, and done without where it cannot be."""

import os
import stat
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders import compiling, processor
from mgpt_tui.inference.decoders.compiling import NoCompiler, library
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import DecodingSettings
from mgpt_tui.model.checkpoint import weights_of
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.gpt import GPT
from tests.inference.decoders.conftest import CC, needs_compiler

pytestmark = pytest.mark.usefixtures("nothing_compiled")


SABOTAGE = """
for word; do
    shift
    case "$word" in
        *.c) mkdir -p "$0.d"
            for file in "${{word%/*}}"/*.[ch]; do sed '{}' "$file" >"$0.d/${{file##*/}}"; done
            word="$0.d/${{word##*/}}";;
        -I*) word="-I$0.d";;
    esac
    set -- "$@" "$word"
done
exec $cc "$@"
"""


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Set a script as the compiler; it has the real one as `cc` and its arguments as "$@"."""

    def set_compiler(script):
        path = tmp_path / "compiler"
        path.write_text(f"#!/bin/sh\ncc={CC}\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CC", str(path))

    return set_compiler


def native(model):
    return NativeDecoder(model.config, weights_of(model))


def kept():
    return sorted((paths.cache_dir() / "native").glob("*"))


@needs_compiler
def test_it_is_compiled_once(compiler, tmp_path):
    compiler(f'echo "$@" >> {tmp_path}/calls; exec $cc "$@"')
    assert library().works() == 1
    [made] = kept()
    compiling._library.cache_clear()
    library()
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sum("-shared" in call for call in calls) == 1
    assert kept() == [made]


@needs_compiler
def test_a_damaged_library_is_made_anew(tmp_path, monkeypatch):
    library()
    [made] = kept()
    monkeypatch.setenv("MGPT_CACHE_DIR", str(tmp_path / "other"))
    damaged = paths.cache_dir() / "native" / made.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(made.read_bytes()[:1000])
    compiling._library.cache_clear()
    assert library().works() == 1
    assert damaged.read_bytes() == made.read_bytes()


@needs_compiler
@pytest.mark.parametrize("without", ["echo no threads >&2; exit 1", 'exec $cc "$@" -Dworks=absent'])
def test_a_compiler_without_threads_will_do(compiler, tiny_model, without):
    """It says so, or makes something that does not load."""
    compiler(f'case "$* " in *"-pthread "*) {without};; esac; exec $cc "$@"')
    tokens = np.arange(20)[None]
    alone = native(tiny_model)
    one = alone.read(tokens, alone.new_cache(1))
    compiling._library.cache_clear()
    compiler('exec $cc "$@"')
    several = native(tiny_model)
    several.threads = 2
    assert np.array_equal(several.read(tokens, several.new_cache(1)), one)


@needs_compiler
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo in file x:; echo error: what is this >&2; exit 1", "^compiler .*: error: what is"),
        # It compiles, but to something that computes nonsense, or dies.
        (SABOTAGE.format("s/floorf(/-floorf(/"), "What compiler makes .*: sums come out wrong"),
        (SABOTAGE.format("s/return multiplies/__builtin_trap();&/"), "What compiler makes .* died"),
        ("sleep 9", "compiler does not work here: .* timed out"),
        ('case "$*" in *-shared*) exit 0;; esac; exec $cc "$@"', "What compiler makes .*: .*open"),
    ],
)
def test_what_does_not_work_is_not_used(compiler, monkeypatch, script, said):
    monkeypatch.setattr(compiling, "PATIENCE", 0.1 if "sleep" in script else 120)
    compiler(script)
    with pytest.raises(NoCompiler, match=said):
        library()
    assert not compiling.is_available()
    assert kept() == []


@pytest.mark.parametrize("name", ["nosuchcc", "gcc 'x", "/"])
def test_a_name_in_cc_that_is_no_program_is_told(monkeypatch, name):
    monkeypatch.setenv("CC", name)
    assert not compiling.is_available()
    with pytest.raises(NoCompiler, match="CC names"):
        library()


def test_without_a_compiler_the_rest_works(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr("mgpt_tui.inference.decoders.tuning.SMALL", 0)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    assert load_engine(tiny_checkpoint).tuning.precision != "native"
    with pytest.raises(UserError, match="no C compiler") as raised:
        load_engine(tiny_checkpoint, DecodingSettings(precision="native"))
    assert "--precision int8" in raised.value.remedy


@needs_compiler
@pytest.mark.skipif(sys.platform == "win32" or not hasattr(os, "geteuid"), reason="POSIX")
def test_a_cache_that_cannot_be_written_is_told():
    paths.cache_dir().parent.mkdir(parents=True, exist_ok=True)
    paths.cache_dir().write_text("in the way")
    with pytest.raises(NoCompiler, match="cannot be kept") as raised:
        library()
    assert "MGPT_CACHE_DIR" in raised.value.remedy


@needs_compiler
def test_tokens_beyond_the_vocabulary_or_the_cache_are_refused(tiny_model):
    decoder, size = native(tiny_model), tiny_model.config.vocab_size
    cache = decoder.new_cache(1)
    for bad in (np.array([[size]]), np.array([[-1]])):
        with pytest.raises(IndexError):
            decoder.read(bad, cache)
    full = np.zeros((1, tiny_model.config.block_size + 1), np.int64)
    with pytest.raises(IndexError):
        decoder.read(full, cache)
    assert cache.length == 0


@needs_compiler
def test_products_in_tiles_are_those_in_vectors(compiler):
    """Where the processor has both; from 2 rows to more than tiles hold at once."""
    if "amx_int8" not in processor.features():
        pytest.skip("the processor has no tiles")
    shape = replace(SHAPES["tiny"], vocab_size=300, block_size=64, n_layer=2, n_embd=64, n_head=2)
    model = GPT(shape, torch.Generator().manual_seed(1))
    read = {}
    for flag in ("", "-mno-amx-int8"):
        compiler(f'exec $cc "$@" {flag}')
        compiling._library.cache_clear()
        decoder = native(model)
        for rows in (1, 2, 15, 16, 17, 40):
            tokens = (np.arange(rows) * 37 % 300)[None]
            record = decoder.recorded(tokens[0].tolist(), logit_rows=range(rows))
            read.setdefault(rows, []).append(record.logits)
    for tiled, in_vectors in read.values():
        assert np.array_equal(tiled, in_vectors)
