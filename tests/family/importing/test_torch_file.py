"""State dicts with GPT-2's names, as nanoGPT and the original scripts write them."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgpt_tui.family.byte_level import CHARACTERS
from mgpt_tui.family.importing.vocabulary import read_vocabulary
from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from tests.family.importing.conftest import stirred

V, T, L, H, C = 300, 16, 2, 2, 128


class Theirs(nn.Module):
    """What both compute, out of torch's own parts: names and order as in their files."""

    def __init__(self, norm_bias, layer_bias, gelu, masks=False):
        super().__init__()
        self.gelu, self.transformer = gelu, nn.ModuleDict()
        self.transformer["wte"], self.transformer["wpe"] = nn.Embedding(V, C), nn.Embedding(T, C)
        self.transformer["h"] = nn.ModuleList(
            nn.ModuleDict(
                {
                    "ln_1": nn.LayerNorm(C, bias=norm_bias),
                    "attn": nn.ModuleDict(
                        {
                            "c_attn": nn.Linear(C, 3 * C, bias=layer_bias),
                            "c_proj": nn.Linear(C, C, bias=layer_bias),
                        }
                    ),
                    "ln_2": nn.LayerNorm(C, bias=norm_bias),
                    "mlp": nn.ModuleDict(
                        {
                            "c_fc": nn.Linear(C, 4 * C, bias=layer_bias),
                            "c_proj": nn.Linear(4 * C, C, bias=layer_bias),
                        }
                    ),
                }
            )
            for _ in range(L)
        )
        self.transformer["ln_f"] = nn.LayerNorm(C, bias=norm_bias)
        self.lm_head = nn.Linear(C, V, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight
        if masks:
            for block in self.transformer["h"]:
                block["attn"].register_buffer("bias", torch.ones(T, T).tril().view(1, 1, T, T))

    def forward(self, tokens):
        parts = self.transformer
        x = parts["wte"](tokens) + parts["wpe"](torch.arange(tokens.shape[1]))
        for block in parts["h"]:
            q, k, v = block["attn"]["c_attn"](block["ln_1"](x)).split(C, dim=-1)
            heads = (part.view(1, -1, H, C // H).transpose(1, 2) for part in (q, k, v))
            y = F.scaled_dot_product_attention(*heads, is_causal=True)
            x = x + block["attn"]["c_proj"](y.transpose(1, 2).reshape(x.shape))
            x = x + block["mlp"]["c_proj"](self.gelu(block["mlp"]["c_fc"](block["ln_2"](x))))
        return self.lm_head(parts["ln_f"](x))


def by_tanh(x):
    return F.gelu(x, approximate="tanh")


@pytest.fixture
def folder(tmp_path, their_tokenizer):
    """Where a run's file lies, with the tokenizer beside it."""
    run = tmp_path / "my run"
    run.mkdir()
    their_tokenizer.save(str(run / "tokenizer.json"))
    return run


def save_nanogpt(folder, model, bias, **more):
    shape = {"n_layer": L, "n_head": H, "n_embd": C, "block_size": T, "vocab_size": V}
    state = {f"_orig_mod.{name}": weight for name, weight in model.state_dict().items()}
    content = {"model": state, "model_args": shape | {"bias": bias, "dropout": 0.25}}
    content |= {"iter_num": 700, "best_val_loss": torch.tensor(1.5), "config": {"dataset": "x"}}
    torch.save(content | {"optimizer": {"state": {0: {"step": torch.ones(1)}}}} | more,
               folder / "ckpt.pt")  # fmt: skip


def assert_same_logits(model, name):
    checkpoint = load_checkpoint(find_model(name).path)
    tokenizer, tokens = checkpoint.tokenizer, torch.arange(40, 40 + T)
    # <|endoftext|> is the first of theirs and the last here.
    ids = torch.tensor([*range(1, V), 0])
    assert tokenizer.vocab_size == V
    with torch.inference_mode():
        ours, theirs = checkpoint.model(tokens[None])[0], model(ids[tokens][None])[0][:, ids]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    return checkpoint


@pytest.mark.parametrize("bias", [False, True])
def test_a_checkpoint_of_nanogpt(folder, mgpt, bias):
    model = stirred(Theirs(norm_bias=bias, layer_bias=bias, gelu=F.gelu))
    save_nanogpt(folder, model, bias)
    outcome = mgpt("import", folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("my-run: ")
    checkpoint = assert_same_logits(model, "my-run")
    assert checkpoint.info.config.bias is bias and checkpoint.info.config.dropout == 0.25
    assert checkpoint.info.training["step"] == 700
    assert checkpoint.info.training["imported"]["format"] == "nanoGPT"
    outcome = mgpt("import", folder / "ckpt.pt", "--name", "other", "--n-head", 4)
    assert outcome.code == 2 and "2 heads" in outcome.err


def test_blocks_that_share_their_weights(folder, mgpt):
    model = stirred(Theirs(norm_bias=False, layer_bias=False, gelu=F.gelu))
    blocks = model.transformer["h"]
    blocks[1] = blocks[0]
    save_nanogpt(folder, model, False)
    assert mgpt("import", folder).code == 0
    assert_same_logits(model, "my-run")


def test_one_whose_gelu_is_by_tanh_says_so(folder, mgpt):
    model = stirred(Theirs(norm_bias=False, layer_bias=False, gelu=by_tanh))
    save_nanogpt(folder, model, False, config={"gelu": "tanh"})
    assert mgpt("import", folder).code == 0
    assert assert_same_logits(model, "my-run").info.config.exact_gelu is False


def test_the_state_dict_of_the_original_scripts(folder, mgpt):
    model = stirred(Theirs(norm_bias=True, layer_bias=False, gelu=by_tanh, masks=True))
    torch.save(model.state_dict(), folder / "best_model_params.pt")
    assert mgpt("import", folder / "best_model_params.pt").code == 0
    config = assert_same_logits(model, "my-run").info.config
    assert config.norm_bias and not config.bias and config.n_head == H  # 64 wide


def test_it_has_as_many_heads_as_is_said(folder, mgpt):
    model = stirred(Theirs(norm_bias=True, layer_bias=False, gelu=by_tanh))
    torch.save(model.state_dict(), folder / "best_model_params.pt")
    source = folder / "best_model_params.pt"
    assert mgpt("import", source, "--name", "many", "--n-head", 8).code == 0
    assert load_checkpoint(find_model("many").path).info.config.n_head == 8
    outcome = mgpt("import", source, "--name", "odd", "--n-head", 7)
    assert outcome.code == 2 and "n_head 7" in outcome.err


def test_a_tokenizer_can_be_named(folder, mgpt, tmp_path):
    model = stirred(Theirs(norm_bias=False, layer_bias=False, gelu=F.gelu))
    save_nanogpt(folder, model, False)
    named = tmp_path / "elsewhere"
    named.mkdir()
    (folder / "tokenizer.json").rename(named / "tokenizer.json")
    outcome = mgpt("import", folder)
    assert outcome.code == 2 and "--tokenizer" in outcome.err
    vocabulary = json.loads((named / "tokenizer.json").read_text())["model"]
    (named / "vocab.json").write_text(json.dumps(vocabulary["vocab"]))
    merges = (
        merge if isinstance(merge, str) else " ".join(merge) for merge in vocabulary["merges"]
    )
    (named / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    for number, name in enumerate((named, named / "tokenizer.json", named / "vocab.json")):
        assert mgpt("import", folder, "--name", f"m{number}", "--tokenizer", name).code == 0
        assert_same_logits(model, f"m{number}")
    assert mgpt("import", folder, "--name", "again", "--tokenizer", "m0").code == 0
    again, first = (load_checkpoint(find_model(name).path) for name in ("again", "m0"))
    assert again.tokenizer.digest == first.tokenizer.digest


@pytest.mark.parametrize("protocol", [2, 3])
def test_torch_s_own_advice_is_not_told(folder, mgpt, protocol):
    save_nanogpt(folder, model := stirred(Theirs(False, False, F.gelu)), False)
    content = torch.load(folder / "ckpt.pt", weights_only=True)
    torch.save(content, folder / "ckpt.pt", pickle_protocol=protocol)
    outcome = mgpt("import", folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert_same_logits(model, "my-run")


@pytest.mark.parametrize("content", [{}, [1], {"a": 1}, {"a": torch.ones(2)}, "text"])
def test_what_holds_no_such_weights_is_refused(tmp_path, mgpt, content):
    torch.save(content, tmp_path / "x.pt")
    outcome = mgpt("import", tmp_path / "x.pt")
    assert (outcome.code, outcome.out) == (2, "") and outcome.err.count("\n") == 2


def test_what_is_no_file_of_any_kind_is_refused(tmp_path, mgpt):
    (tmp_path / "bytes.pt").write_bytes(b"\x00\xff" * 50)
    (tmp_path / "empty.pt").write_bytes(b"")
    for source in ("bytes.pt", "empty.pt", "none.pt", "."):
        outcome = mgpt("import", tmp_path / source, "--name", "taken")
        assert (outcome.code, outcome.out) == (2, "") and outcome.err.count("\n") == 2, source


def spoilt(**changes):
    """What becomes of a checkpoint, by parts of it; weights under "weight"."""

    def spoil(content):
        for name, value in changes.items():
            if name == "weight":
                content["model"]["transformer.wpe.weight"] = value(
                    content["model"].pop("_orig_mod.transformer.wpe.weight")
                )
            else:
                content["model_args"][name] = value

    return spoil


def twice(content):
    weights = content["model"]
    weights["transformer.wpe.weight"] = weights["_orig_mod.transformer.wpe.weight"]


BAD = {
    "sparse": (spoilt(weight=torch.Tensor.to_sparse), "floating-point"),
    "complex": (spoilt(weight=lambda weight: weight.to(torch.complex64)), "floating-point"),
    "nowhere": (spoilt(weight=lambda weight: weight.to("meta")), "floating-point"),
    "twice": (twice, "twice"),
    "dropout": (spoilt(dropout=10**400), "dropout"),
    "layers": (spoilt(n_layer=9), "n_layer 9"),
    "context": (spoilt(block_size=8), "block_size 8"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_contradicts_itself_or_is_no_weight_is_refused(folder, mgpt, home, kind):
    spoil, said = BAD[kind]
    save_nanogpt(folder, Theirs(norm_bias=False, layer_bias=False, gelu=F.gelu), False)
    content = torch.load(folder / "ckpt.pt", weights_only=True)
    spoil(content)
    torch.save(content, folder / "ckpt.pt")
    outcome = mgpt("import", folder)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err and outcome.err.count("\n") == 2
    assert not list((home / "data" / "runs").glob("*"))


def test_a_merge_that_looks_like_the_heading_of_its_file_is_one(tmp_path):
    merges = ["# v", "#v x"]
    tokens = [*CHARACTERS.values(), "#v", "#vx", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({token: id for id, token in enumerate(tokens)}))
    for heading in ([], ["#version: 0.2"]):
        (tmp_path / "merges.txt").write_text("\n".join([*heading, *merges]))
        tokenizer = read_vocabulary(tmp_path / "vocab.json").tokenizer
        assert tokenizer.vocab_size == 259 and b"#vx" in tokenizer.ranks
