"""Models of transformers, imported: all that they compute is computed here."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.precisions import decoder_in
from mgpt_tui.inference.inspection.window import Reading
from mgpt_tui.model.checkpoint import load_checkpoint, weights_of
from mgpt_tui.model.registry import find_model
from tests.family.importing.conftest import CONTEXT, SHAPES, change_json

NEAR = {"atol": 1e-4, "rtol": 0}


def random_tokens(model, length):
    generator = torch.Generator().manual_seed(7)
    return torch.randint(model.config.vocab_size, (length,), generator=generator)


@pytest.fixture(params=SHAPES)
def both(request, theirs, mgpt):
    """One of theirs, and what it is here."""
    found = theirs(request.param)
    outcome = mgpt("import", found.folder, "--name", "taken")
    assert (outcome.code, outcome.err) == (0, "")
    return found, load_checkpoint(find_model("taken").path)


def vocabulary(checkpoint):
    tokenizer = checkpoint.tokenizer
    return [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]


def their_logits(found, checkpoint, tokens):
    """(T, V), with tokens numbered as here."""
    names = vocabulary(checkpoint)
    everything = found.ids(range(len(names)), names)
    return found.logits(found.ids(tokens.tolist(), names))[:, everything]


def test_logits_are_theirs_whole_and_token_by_token(both):
    found, checkpoint = both
    tokens = random_tokens(checkpoint.model, CONTEXT)
    expected = their_logits(found, checkpoint, tokens)
    assert expected.std() > 0.3
    with torch.inference_mode():
        torch.testing.assert_close(checkpoint.model(tokens[None])[0], expected, **NEAR)
    precisions = {"fp32": 1e-4}
    if compiling.is_available():
        precisions["native"] = 0.05 * float(expected.abs().max())
    for precision, near in precisions.items():
        decoder = decoder_in(precision, checkpoint.info.config, weights_of(checkpoint.model))
        cache = decoder.new_cache(1)
        for at, token in enumerate(tokens.tolist()):
            scores = decoder.read(np.array([[token]]), cache)
            np.testing.assert_allclose(scores[0], expected[at], atol=near, rtol=0)


def test_past_the_context_each_token_is_chosen_in_its_window(both):
    found, checkpoint = both
    tokens = random_tokens(checkpoint.model, 3 * CONTEXT)
    reading = Reading(PlainDecoder(checkpoint.model), tokens.tolist())
    for number in (CONTEXT + 1, 2 * CONTEXT + 7, 3 * CONTEXT):
        start = checkpoint.info.config.window_start(number)
        expected = their_logits(found, checkpoint, tokens[start:number])[-1]
        ours = reading.logits(range(number, number + 1))[0]
        np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=0)


def test_texts_have_the_same_tokens(both):
    found, checkpoint = both
    names = vocabulary(checkpoint)
    for text in ("Once upon a time, a gïrl 你好\n\n  ran   \t", "they're 12 ¡little! woods", ""):
        ours = checkpoint.tokenizer.encode(text)
        assert found.ids(ours, names) == found.tokenizer.encode(text).ids
        assert checkpoint.tokenizer.decode(ours) == text


def test_the_model_stands_among_the_others_and_tells_where_it_is_from(theirs, mgpt):
    folder = theirs("gpt2").folder
    assert mgpt("import", folder).code == 0  # by the folder's name
    assert "gpt2\t" in mgpt("models").out
    assert json.loads(mgpt("models", "--json").out)[1]["name"] == "gpt2"
    told = json.loads((find_model("gpt2").path / "config.json").read_text())["training"]
    assert told["imported"] == {"format": "Hugging Face gpt2", "source": str(folder)}
    outcome = mgpt("generate", "--model", "gpt2", "--prompt", "Once", "--max-tokens", 5)
    assert outcome.code == 0 and outcome.out.startswith("Once")
    outcome = mgpt("train", "--name", "gpt2", "--data", folder)
    assert (outcome.code, outcome.out) == (2, "") and "imported" in outcome.err
    assert mgpt("runs").code == 0
    outcome = mgpt("import", folder)
    assert outcome.code == 2 and "There is a model or a run gpt2 already." in outcome.err


def same_weights(first, second):
    ours, theirs = (load_checkpoint(find_model(name).path).model for name in (first, second))
    return all(
        torch.equal(weight, theirs.state_dict()[name]) for name, weight in ours.state_dict().items()
    )


@pytest.mark.parametrize("shape", ["gpt2", "gpt_neo", "untied"])
def test_every_form_of_the_weights_gives_the_same_bits(theirs, mgpt, shape):
    found = theirs(shape)
    assert mgpt("import", found.folder, "--name", "whole").code == 0
    index = found.folder / "model.safetensors.index.json"
    weights = load_file(found.folder / "model.safetensors")
    mask = "transformer.h.0.attn.bias" if "2" in shape else "transformer.h.0.attn.attention.bias"

    names = sorted(weights)
    parts = {"a-00001.safetensors": names[::2], "b-00002.safetensors": names[1::2]}
    for file, chosen in parts.items():
        save_file({name: weights[name] for name in chosen}, found.folder / file)
    where = {name: file for file, chosen in parts.items() for name in chosen}
    index.write_text(json.dumps({"weight_map": where}))
    (found.folder / "model.safetensors").unlink()
    assert mgpt("import", found.folder, "--name", "shards").code == 0

    index.unlink()
    torch.save(weights | {mask: torch.ones(1, 1, 4, 4)}, found.folder / "pytorch_model.bin")
    assert mgpt("import", found.folder, "--name", "pickled").code == 0
    bare = {name.removeprefix("transformer."): weight for name, weight in weights.items()}
    torch.save(bare, found.folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert mgpt("import", found.folder, "--name", "bare").code == 0
    for other in ("shards", "pickled", "bare"):
        assert same_weights("whole", other)


def test_what_is_asked_for_is_held_against_what_is_there(theirs, mgpt, home):
    folder = theirs("gpt2").folder
    outcome = mgpt("import", folder, "--n-head", 7)
    assert outcome.code == 2 and "has 2 heads a layer" in outcome.err
    outcome = mgpt("import", folder, "--name", "")
    assert outcome.code == 2 and "cannot be named ''" in outcome.err
    runs = home / "data" / "runs"
    runs.mkdir(parents=True)
    (runs / "mine").symlink_to("nowhere")
    outcome = mgpt("import", "nowhere", "--name", "mine")  # before anything is looked for
    assert outcome.code == 2 and "There is a model or a run mine already." in outcome.err
    outcome = mgpt("import", folder, "--n-head", 2)
    assert outcome.code == 0 and outcome.out.startswith("gpt2: 29.7 k parameters, 3 layers")


def test_smaller_forms_keep_less_and_write_on(theirs, mgpt):
    found = theirs("gpt_neo")
    for form in ("bf16", "int8"):
        assert mgpt("import", found.folder, "--name", form, "--weights", form).code == 0
    whole = dict(found.model.named_parameters())["transformer.wpe.weight"]
    for form, near in (("bf16", 2**-8), ("int8", 1 / 127)):
        checkpoint = load_checkpoint(find_model(form).path)
        assert checkpoint.info.weights == form
        kept = checkpoint.model.position_embedding.weight
        assert 0 < (kept - whole).abs().max() <= near * whole.abs().max()


def test_a_vocabulary_of_gpt2_needs_no_tokenizer_and_rows_that_none_has_are_left_out(
    theirs, mgpt, their_tokenizer
):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = theirs("gpt2").folder
    (folder / "tokenizer.json").unlink()
    outcome = mgpt("import", folder)
    assert outcome.code == 2 and "--tokenizer" in outcome.err
    shape = GPT2Config(vocab_size=50304, n_positions=8, n_embd=8, n_layer=1, n_head=1)
    GPT2LMHeadModel(shape).save_pretrained(folder)
    assert mgpt("import", folder).code == 0
    checkpoint = load_checkpoint(find_model("gpt2").path)
    assert checkpoint.info.config.vocab_size == checkpoint.tokenizer.vocab_size == 50257


def a_shard_is_missing(folder):
    change = {"weight_map": {"transformer.wte.weight": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(change))
    (folder / "model.safetensors").unlink()


def with_weights(change):
    def do(folder):
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors")

    return do


def with_config(**changes):
    return lambda folder: change_json(folder / "config.json", **changes)


def with_tokenizer(change):
    def do(folder):
        content = json.loads((folder / "tokenizer.json").read_text())
        change(content)
        (folder / "tokenizer.json").write_text(json.dumps(content))

    return do


def evil_pickle(folder):
    (folder / "model.safetensors").unlink()
    torch.save({"x": torch.nn.Linear(1, 1)}, folder / "pytorch_model.bin")


def cut_off(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def whole_numbers(folder):
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {WTE: weights[WTE].to(torch.int32)}, folder / "model.safetensors")


WTE = "transformer.wte.weight"
BAD = {
    "architecture": (with_config(model_type="llama\x1b[2J"), "architecture"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
    "shard": (a_shard_is_missing, "does not exist"),
    "cut off": (cut_off, "damaged"),
    "pickle": (evil_pickle, "more than weights"),
    "shape": (with_config(n_embd=48), "has shape"),
    "layers": (with_config(n_layer=4), "lack"),
    "more layers": (with_config(n_layer=2), "not known here"),
    "activation": (with_config(activation_function="relu"), "activation"),
    "odd": (with_config(n_positions=31), "31"),
    "numbers": (with_config(n_head="two"), "n_head"),
    "NaN": (with_weights(lambda found: found[WTE].fill_(float("nan"))), "not finite"),
    "normalizer": (
        with_tokenizer(lambda found: found.update(normalizer={"type": "NFC"})),
        "normalizer",
    ),
    "unigram": (with_tokenizer(lambda found: found["model"].update(type="Unigram")), "Unigram"),
    "no end": (
        with_tokenizer(
            lambda found: (
                found["model"]["vocab"].pop("<|endoftext|>"),
                found.update(added_tokens=[]),
            )
        ),
        "<|endoftext|>",
    ),
    "split": (
        with_tokenizer(lambda found: found.update(pre_tokenizer={"type": "Whitespace"})),
        "splits text",
    ),
    "merges": (with_tokenizer(lambda found: found["model"]["merges"].reverse()), "merges"),
    "ids": (with_config(vocab_size=290), "has shape"),
    "tied": (with_config(tie_word_embeddings="false"), "tie_word_embeddings"),
    "added": (
        with_tokenizer(lambda found: found["added_tokens"].append({"content": "Once", "id": 5})),
        "'Once'",
    ),
    "no id": (
        with_tokenizer(
            lambda found: found.update(added_tokens=[{"content": "<|endoftext|>", "id": -1}])
        ),
        "ids",
    ),
    "same id": (
        with_tokenizer(
            lambda found: found.update(added_tokens=[{"content": "<|endoftext|>", "id": 9}])
        ),
        "same id",
    ),
    "a long token": (
        with_tokenizer(lambda found: found["model"]["vocab"].update({"a" * 300: 2**20})),
        "256 bytes",
    ),
    "whole numbers": (whole_numbers, "floating-point"),
    "JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_taken_is_one_line_and_leaves_nothing(theirs, mgpt, home, kind):
    spoil, said = BAD[kind]
    folder = theirs("gpt2").folder
    spoil(folder)
    outcome = mgpt("import", folder, "--name", "taken")
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err and outcome.err.count("\n") == 2 and "\x1b" not in outcome.err
    runs = home / "data" / "runs"
    assert not runs.exists() or not list(runs.iterdir())
