"""GGUF files, as `export` and llama.cpp's own tools write them."""

import struct

import pytest
import torch

from mgpt_tui.family.gguf_layout import Kind, TensorKind
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from tests.family.models import checkpoint_of


@pytest.fixture
def exported(tmp_path, trimmed, mgpt):
    """Exports a model with other settings than the usual ones."""

    def run(form="f32", **shape):
        ours = checkpoint_of(tmp_path / "ours", trimmed, **shape)
        path = tmp_path / f"{form}.gguf"
        assert mgpt("export", tmp_path / "ours", path, "--to", "gguf", "--weights", form).code == 0
        return ours, path

    return run


def imported(mgpt, path, name="taken"):
    outcome = mgpt("import", path, "--name", name)
    assert (outcome.code, outcome.err) == (0, ""), outcome.err
    return load_checkpoint(find_model(name).path)


def assert_near(ours, found, near):
    state = found.model.state_dict()
    assert state.keys() == ours.model.state_dict().keys()
    for name, weight in ours.model.state_dict().items():
        most = near * float(weight.abs().max())
        torch.testing.assert_close(state[name], weight, atol=most, rtol=0)


@pytest.mark.parametrize(("form", "near"), [("f16", 2**-11), ("q8_0", 1 / 127)])
def test_smaller_forms_come_back_as_near_as_they_are(exported, mgpt, form, near):
    ours, path = exported(form, bias=True)
    assert_near(ours, imported(mgpt, path), near)


def test_bf16_is_read_where_it_stands(exported, mgpt):
    ours, path = exported("f16")
    content = path.read_bytes()
    name = b"token_embd.weight"
    at = content.index(name) + len(name) + 4 + 16  # behind two sizes
    assert struct.unpack_from("<I", content, at) == (TensorKind.F16,)
    path.write_bytes(content[:at] + struct.pack("<I", TensorKind.BF16) + content[at + 4 :])
    found = imported(mgpt, path).model.token_embedding.weight.detach()
    half = ours.model.token_embedding.weight.detach().half().view(torch.int16)
    assert torch.equal(found.bfloat16().view(torch.int16), half)


def text(value):
    return struct.pack("<Q", len(value)) + value


def header(*values, tensors=0, version=3):
    parts = [text(name) + struct.pack("<I", kind) + content for name, kind, content in values]
    return b"GGUF" + struct.pack("<IQQ", version, tensors, len(parts)) + b"".join(parts)


LLAMA = (b"general.architecture", Kind.STRING, text(b"lla\x1bma"))
GPT2 = (b"general.architecture", Kind.STRING, text(b"gpt2"))
LONG = (b"x", Kind.ARRAY, struct.pack("<IQ", Kind.U8, 2**60))
NESTED = (b"x", Kind.ARRAY, struct.pack("<IQ", Kind.ARRAY, 2**19) + b"\0" * 100)
BAD = {
    "architecture": (header(LLAMA), "architecture"),
    "no shape": (header(GPT2), "lacks"),
    "empty": (b"GGUF", "cut off"),
    "version": (header(version=1), "version"),
    "many": (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60), "more than any model"),
    "long list": (header(LONG), "too long"),
    "list of lists": (header(NESTED), "unknown kind"),
    "long text": (header((b"x", Kind.STRING, struct.pack("<Q", 2**50))), "too long"),
    "kind": (header((b"x", 99, b"")), "unknown kind"),
    "tensor": (header(tensors=1) + text(b"t") + struct.pack("<IQIQ", 1, 8, 14, 0), "kind 14"),
    "dimensions": (header(tensors=1) + text(b"t") + struct.pack("<I", 9), "9 dimensions"),
    "far": (header(tensors=1) + text(b"t") + struct.pack("<IQIQ", 1, 2**62, 0, 0), "cut off"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_read_is_told(tmp_path, mgpt, kind):
    content, said = BAD[kind]
    (tmp_path / "x.gguf").write_bytes(content)
    outcome = mgpt("import", tmp_path / "x.gguf")
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err and outcome.err.count("\n") == 2 and "\x1b" not in outcome.err


def test_a_file_that_is_cut_off_anywhere_leaves_nothing(exported, mgpt, tmp_path, home):
    _, path = exported()
    content = path.read_bytes()
    for end in (*range(4, 400, 23), len(content) // 2, len(content) - 1):
        (tmp_path / "cut.gguf").write_bytes(content[:end])
        assert mgpt("import", tmp_path / "cut.gguf").code == 2
    assert not list(home.glob("data/runs/*"))
