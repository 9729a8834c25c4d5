"""`mgpt-tui inspect`, as a user runs it."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

from mgpt_tui import paths
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.inference.shipped import shipped_stories
from mgpt_tui.model.checkpoint import load_checkpoint, save_checkpoint
from mgpt_tui.model.gpt import GPT
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Maker, Story

KEYS = [
    *("model", "fingerprint", "precision", "window_start", "tokens", "token", "attention"),
    *("carried", "heads", "lens", "parts", "neurons"),
]


@pytest.fixture
def look(mgpt, tiny_checkpoint):
    """What it prints, as an object."""

    def run(*arguments, precision="fp32"):
        outcome = mgpt(
            "inspect", "--model", tiny_checkpoint, "--precision", precision, "--json", *arguments
        )
        assert outcome.code == 0, outcome.err
        assert outcome.out.count("\n") == 1 and not outcome.err
        return json.loads(outcome.out)

    return run


def logprobs(tiny_checkpoint, text, skip=None):
    """Of every token of a text, and of all that could come next, from the model as it is."""
    checkpoint = load_checkpoint(tiny_checkpoint)
    tokens = [checkpoint.tokenizer.end_token, *checkpoint.tokenizer.encode(text)]

    def left_out(name, number, x):
        return torch.zeros_like(x) if (name, number) == skip else x

    with torch.inference_mode():
        logits = checkpoint.model(torch.tensor([tokens]), hook=left_out)[0]
    return tokens, torch.log_softmax(logits.double(), -1).numpy()


@pytest.mark.parametrize("token", [None, 1, 5])
def test_the_object_has_every_number(look, tiny_checkpoint, token):
    found = look("--prompt", "The fox", *(() if token is None else ("--token", token)))
    assert list(found) == KEYS
    assert (found["precision"], found["window_start"], found["token"]) == ("fp32", 0, token)
    tokens, expected = logprobs(tiny_checkpoint, "The fox")
    at = (len(tokens) if token is None else token) - 1
    assert [entry["id"] for entry in found["tokens"]] == tokens[1:]
    assert "".join(entry["text"] for entry in found["tokens"]) == "The fox"
    for number, entry in enumerate(found["tokens"], 1):
        own = expected[number - 1]
        assert list(entry) == ["id", "text", "logprob", "rank", "entropy"]
        assert entry["logprob"] == pytest.approx(own[tokens[number]], abs=1e-4)
        assert entry["rank"] == 1 + (own > own[tokens[number]]).sum()
        assert entry["entropy"] == pytest.approx(-(np.exp(own) * own).sum(), abs=1e-4)

    assert np.array(found["attention"]).shape == (2, 2, at + 1)
    np.testing.assert_allclose(np.array(found["attention"]).sum(-1), 1, atol=1e-6)
    assert np.array(found["carried"]).shape == (2, 2, at + 1)
    assert len(found["heads"]) == len(found["heads"][0]) == 2
    assert list(found["heads"][0][0]) == ["previous", "first", "same", "induction"]

    target = tokens[token] if token else int(expected[at].argmax())
    stations = [station["station"] for station in found["lens"]]
    assert stations == ["embedding", "A1", "M1", "A2", "M2"]
    last = found["lens"][-1]
    assert last["p"] == pytest.approx(math.exp(expected[at][target]), abs=1e-6)
    assert last["rank"] == 1 + (expected[at] > expected[at][target]).sum()
    assert len(last["top"]) == 5
    assert list(last["top"][0]) == ["id", "text", "p"]
    assert last["top"][0]["id"] == expected[at].argmax()

    parts = found["parts"]
    assert list(parts) == [
        *("target", "logit", "embedding", "heads", "mlps", "rest", "rounding", "sum")
    ]
    assert list(parts["target"]) == ["id", "text"] and parts["target"]["id"] == target
    total = parts["embedding"] + np.sum(parts["heads"]) + sum(parts["mlps"])
    assert total + parts["rest"] + parts["rounding"] == pytest.approx(parts["sum"])
    assert parts["sum"] == pytest.approx(parts["logit"])
    assert abs(parts["rounding"]) < 1e-4 and parts["rest"] == 0

    assert [(n["layer"]) for n in found["neurons"]] == [1] * 10 + [2] * 10
    assert list(found["neurons"][0]) == ["layer", "neuron", "activation", "towards"]
    assert all(1 <= n["neuron"] <= 64 for n in found["neurons"])


def test_a_target_and_how_many_guesses_can_be_chosen(look, byte_tokenizer):
    found = look("--prompt", "The fox", "--token", 3, "--target", "z", "--top", 2)
    assert found["parts"]["target"] == {"id": byte_tokenizer.ranks[b"z"], "text": "z"}
    assert [len(station["top"]) for station in found["lens"]] == [2] * 5
    assert found["lens"][-1]["rank"] > 2


@pytest.mark.parametrize(
    ("mute", "hook"), [("A2", ("added", 2)), ("M1", ("added", 1)), ("L2H1 l2h2", ("gathered", 1))]
)
def test_muting_tells_the_chances_without_a_part(look, tiny_checkpoint, mute, hook):
    found = look("--prompt", "The fox", "--mute", mute)
    assert list(found) == [*KEYS, "muted"]
    tokens, expected = logprobs(tiny_checkpoint, "The fox", hook)
    own = expected[np.arange(len(tokens) - 1), tokens[1:]]
    np.testing.assert_allclose(found["muted"]["logprobs"], own, atol=1e-4)
    by_mean = look("--prompt", "The fox", "--mute", mute, "--mute-by", "mean")
    assert by_mean["muted"] != found["muted"]
    assert by_mean["tokens"] == found["tokens"]


def test_native_tells_what_drew_the_text(look, native_checkpoint_decoder, byte_tokenizer):
    found = look("--prompt", "The fox", precision="native")
    assert found["precision"] == "native"
    tokens = [byte_tokenizer.end_token, *byte_tokenizer.encode("The fox")]
    logits = native_checkpoint_decoder.recorded(tokens).logits.astype(np.float64)
    own = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    for number, entry in enumerate(found["tokens"], 1):
        assert entry["logprob"] == pytest.approx(own[number - 1][tokens[number]], abs=1e-6)
    assert found["parts"]["logit"] == pytest.approx(logits[-1].max(), abs=1e-6)
    assert found["parts"]["sum"] == pytest.approx(found["parts"]["logit"])


@pytest.fixture
def native_checkpoint_decoder(tiny_checkpoint):
    compiling = pytest.importorskip("mgpt_tui.inference.decoders.compiling")
    if not compiling.is_available():
        pytest.skip("there is no C compiler")
    from mgpt_tui.inference.loading import load_engine
    from mgpt_tui.inference.request import DecodingSettings

    return load_engine(tiny_checkpoint, DecodingSettings(precision="native")).open_decoder


def test_a_long_text_is_looked_at_through_its_windows(look, tiny_checkpoint):
    text = "A fox and a dog. " * 4
    found = look("--prompt", text)
    assert len(found["tokens"]) == len(text) == 68
    assert found["window_start"] == 48
    assert np.array(found["attention"]).shape == (2, 2, 21)
    early = look("--prompt", text, "--token", 20)
    assert early["window_start"] == 0 and early["tokens"] == found["tokens"]
    tokens, expected = logprobs(tiny_checkpoint, text[:20])
    assert found["tokens"][9]["logprob"] == pytest.approx(expected[9][tokens[10]], abs=1e-4)


def test_a_saved_story_is_read_as_its_model_wrote_it(mgpt, tiny_checkpoint, byte_tokenizer):
    fingerprint = load_checkpoint(tiny_checkpoint).info.fingerprint
    maker = Maker(model=str(tiny_checkpoint), fingerprint=fingerprint, decoding="")
    halves = tuple(byte_tokenizer.encode("é"))
    story = Story().write("A fox ").begin(SamplingSettings(), maker).extend("é", halves)
    StoryLibrary().add(story, "Keys")
    outcome = mgpt("inspect", "Keys", "--json", "--precision", "fp32")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert found["model"] == str(tiny_checkpoint)
    assert [entry["id"] for entry in found["tokens"]][-2:] == list(halves)
    assert found["tokens"][-1]["text"] == "\ufffd"


def test_a_pipe_is_read_and_tables_are_printed(mgpt, tiny_checkpoint, monkeypatch):
    import io

    stdin = io.TextIOWrapper(io.BytesIO(b"The \x1b[31mfox\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    outcome = mgpt(
        "inspect", "--model", tiny_checkpoint, "--precision", "fp32", "--mute", "L1", "--top", 300
    )
    assert outcome.code == 0, outcome.err
    assert "\x1b" not in outcome.out
    for said in ("What could come next", "Layers", "Attention", "Parts", "Neurons", "Without L1"):
        assert said in outcome.out
    rows = outcome.out.splitlines()
    assert rows[0].split() == ["number", "token", "bits", "rank", "entropy", "without"]
    assert [row.split()[1] for row in rows[1:4]] == ['"T"', '"h"', '"e"']
    assert '"\u241b"' in outcome.out  # a guess that the model has, too
    _, expected = logprobs(tiny_checkpoint, "T")
    token = load_checkpoint(tiny_checkpoint).tokenizer.ranks[b"T"]
    assert float(rows[1].split()[2]) == pytest.approx(-expected[0][token] / math.log(2), abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prompt", ""], "no text"),
        (["--prompt", "The fox", "--token", "8"], "no token 8"),
        (["--prompt", "The fox", "--token", "0"], "token"),
        (["--prompt", "The fox", "--target", "two"], "not one token"),
        (["--prompt", "The fox", "--target", ""], "not one token"),
        (["--prompt", "The fox", "--mute", "L3"], "no layer 3"),
        (["--prompt", "The fox", "--mute", "L2H3"], "no head 3"),
        (["--prompt", "The fox", "--mute", "head 2"], "no part 'head'"),
        (["--prompt", "The fox", "--mute-by", "half"], "half"),
        (["--prompt", "The fox", "--top", "0"], "top"),
        (["--prompt", "The fox", "--precision", "int8"], "int8 cannot be looked into"),
        (["Nothing"], "Nothing"),
        (["Nothing", "--prompt", "The fox"], "one too many"),
        (["--prompt", "The fox", "--model", "nobody"], "nobody"),
    ],
)
def test_bad_input_is_one_clear_message(mgpt, tiny_checkpoint, arguments, said):
    model = [] if "--model" in arguments else ["--model", tiny_checkpoint]
    precision = [] if "--precision" in arguments else ["--precision", "fp32"]
    outcome = mgpt("inspect", *model, *precision, *arguments)
    assert outcome.code == 2
    assert said in outcome.err and "Traceback" not in outcome.err
    assert not outcome.out


def test_what_takes_too_much_memory_is_told_and_the_rest_is_shown(
    mgpt, tiny_checkpoint, monkeypatch
):
    monkeypatch.setattr("mgpt_tui.inference.decoders.record.memory_left", lambda: 8 * 257 * 4 + 10)
    command = ["inspect", "--model", tiny_checkpoint, "--precision", "fp32", "--prompt", "The fox"]
    outcome = mgpt(*command)
    assert outcome.code == 0, outcome.err
    assert "entropy" in outcome.out and "MB" in outcome.out
    outcome = mgpt(*command, "--json")
    assert outcome.code == 2 and "MB" in outcome.err and not outcome.out


def test_the_readable_model_says_the_same(look, tiny_checkpoint):
    checkpoint = load_checkpoint(tiny_checkpoint)
    tokens = [checkpoint.tokenizer.end_token, *checkpoint.tokenizer.encode("The fox")]
    record = PlainDecoder(checkpoint.model).recorded(tokens)
    found = look("--prompt", "The fox")
    np.testing.assert_allclose(found["attention"], record.attention[:, :, -1], atol=1e-6)


@pytest.fixture
def run(tiny_checkpoint, tiny_model, byte_tokenizer):
    """A run that has kept two checkpoints, of which the second is another model."""
    folder = paths.runs_dir() / "mine"
    shutil.copytree(tiny_checkpoint, folder / "step-00000002")
    later = GPT(tiny_model.config, torch.Generator().manual_seed(1))
    save_checkpoint(folder / "step-00001000", later, byte_tokenizer, {"step": 1000})


@pytest.mark.parametrize("prompt", [None, "The fox"])
def test_a_run_grows_up(mgpt, look, run, prompt):
    given = [] if prompt is None else ["--prompt", prompt]
    outcome = mgpt("inspect", "--run", "mine", "--seed", 3, "--precision", "fp32", *given, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert list(found) == ["run", "precision", "seed", "beginning", "held_out", "steps"]
    held_out = prompt or shipped_stories()[0]
    assert found["held_out"] == held_out
    assert held_out.startswith(found["beginning"])
    assert (found["beginning"] == held_out) is (prompt is not None)
    first, second = found["steps"]
    assert (first["step"], second["step"]) == (2, 1000)
    own = look("--prompt", held_out)
    nats = -sum(token["logprob"] for token in own["tokens"])
    assert first["bits"] == pytest.approx(nats / math.log(2))
    assert first["bits_per_character"] == pytest.approx(first["bits"] / len(held_out))
    assert second["bits"] != pytest.approx(first["bits"])
    assert np.array(first["heads"]).shape == (2, 2)
    plain = mgpt("inspect", "--run", "mine", "--seed", 3, "--precision", "fp32", *given).out
    for step in (first, second):
        assert f"{step['bits_per_character']:.3f}" in plain
    assert "step   1,000" in plain


def test_a_run_is_looked_at_by_itself(mgpt, run):
    for arguments, why in [
        (("--run", "nobody"), "no run 'nobody'"),
        (("--run", "../mine"), "cannot be named"),
        (("--run", "mine", "--token", 3), "looked at by itself"),
        (("--run", "mine", "--model", "mine"), "looked at by itself"),
    ]:
        outcome = mgpt("inspect", *arguments)
        assert (outcome.code, outcome.out) == (2, "")
        assert why in outcome.err
