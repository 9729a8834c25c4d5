"""`mgpt-tui eval` as it is typed."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from rich.text import Text

from mgpt_tui.inference.loading import engine_of
from mgpt_tui.inference.request import DecodingSettings
from mgpt_tui.model.checkpoint import save_checkpoint
from mgpt_tui.model.gpt import GPT

STORIES = "Mia had a kite. It was red.\n<|endoftext|>\nTom had a drum. It was loud.\n"


@pytest.fixture
def files(tmp_path):
    """Held-out stories, beginnings and a training text."""
    (tmp_path / "held-out.txt").write_text(STORIES)
    (tmp_path / "beginnings.yaml").write_text('- "Mia had"\n- "[bold]Tom"\n')
    (tmp_path / "training.txt").write_text(STORIES)
    return tmp_path


@pytest.fixture
def model(tiny_checkpoint):
    return tiny_checkpoint


def lines(outcome):
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_a_score_alone(mgpt, files, model):
    (figures,) = lines(mgpt("eval", model, "--data", files / "held-out.txt", "--json"))
    assert figures["model"] == str(model)
    assert figures["bytes"] == len(STORIES) - len("\n<|endoftext|>\n") - 1
    assert "writing" not in figures
    shown = mgpt("eval", model, "--data", files / "held-out.txt").out
    assert f"{figures['bits_per_byte']:.4f}" in shown
    assert "bits/byte" in shown and "repetitive" not in shown


def test_a_score_is_of_the_precision_that_is_asked_for(mgpt, files, model, monkeypatch):
    """Without one, of the model itself."""
    asked = []

    def make(contents, decoding, device):
        asked.append(decoding)
        return engine_of(contents, decoding, device)

    monkeypatch.setattr("mgpt_tui.inference.loading.engine_of", make)
    found = {}
    for precision in (None, "fp32", "bf16", "int8", "auto"):
        chosen = [] if precision is None else ["--precision", precision, "--threads", 1]
        (line,) = lines(mgpt("eval", model, "--data", files / "held-out.txt", "--json", *chosen))
        found[precision] = line["loss"]
    decoded = [DecodingSettings(precision=name, threads=1) for name in ("bf16", "int8", "auto")]
    assert asked == decoded
    assert found[None] == found["fp32"]
    for loss in found.values():
        assert loss == pytest.approx(found[None], abs=0.01)


def test_what_is_left_out_of_sources_is_told(mgpt, files, model):
    """Once, however many models read it, and apart from the figures."""
    (files / "held-out.csv").write_text('id,text\n1,"Mia, too, had a kite."\n2,\n3,\n')
    (files / "beginnings.jsonl").write_text('{"text": "Mia had"}\n{"text": null}\n')
    (files / "training").mkdir()
    (files / "training" / "a.txt").write_text(STORIES)
    (files / "training" / "notes.pdf").write_bytes(b"x")
    told = mgpt(
        *("eval", model, model, "--data", files / "held-out.csv", "--max-tokens", 3, "--json"),
        *("--prompts", files / "beginnings.jsonl", "--against", files / "training"),
    )
    assert len(lines(told)) == 3
    names = f"{files}/beginnings.jsonl, {files}/held-out.csv"
    assert f"left out, rows without text: 3 ({names})" in told.err
    assert f"left out, files of other kinds: 1 ({files}/training/notes.pdf)" in told.err


def test_models_stand_side_by_side(mgpt, files, model, tmp_path, tiny_model, byte_tokenizer):
    other = GPT(tiny_model.config, torch.Generator().manual_seed(5))
    save_checkpoint(tmp_path / "other", other, byte_tokenizer, {})
    found = lines(
        mgpt("eval", model, tmp_path / "other", "--data", files / "held-out.txt", "--json")
    )
    assert [line["model"] for line in found] == [str(model), str(tmp_path / "other")]
    assert found[0]["loss"] != found[1]["loss"]
    shown = mgpt("eval", model, tmp_path / "other", "--data", files / "held-out.txt").out
    for line in found:
        assert f"{line['loss']:.4f}" in shown


def test_what_a_model_writes(mgpt, files, model):
    arguments = (
        "eval", model, "--prompts", files / "beginnings.yaml", "--num-samples", 2,
        "--max-tokens", 6, "--seed", 3, "--against", files / "training.txt",
        "--data", files / "held-out.txt",
    )  # fmt: skip
    tiny, people = lines(mgpt(*arguments, "--json"))
    assert tiny["writing"]["completions"] == 4
    assert [one["seed"] for one in tiny["completions"]] == [3, 4, 3, 4]
    generated = mgpt(
        "generate", "--model", model, "--prompt", "Mia had", "--seed", 4, "--max-tokens", 6,
        "--no-finish-sentence", "--json",
    )  # fmt: skip
    assert tiny["completions"][1]["text"] == json.loads(generated.out)["text"]
    # Held-out stories that stand in the training text are found there whole.
    assert people["model"] == "held-out"
    assert people["completions"][0]["longest_shared"] == "mia had a kite it was red"
    assert people["writing"]["known_share"] == 1
    outcome = mgpt(*arguments)
    assert "[bold]Tom" in outcome.out
    assert "mia had a kite it was red" in outcome.out
    assert "longest shared" in outcome.out
    assert outcome.err == "" and "\x1b" not in outcome.out


def test_how_it_writes_is_chosen_as_for_generate(mgpt, files, model, monkeypatch):
    asked = []

    def make(contents, decoding, device):
        asked.append(decoding)
        return engine_of(contents, decoding, device)

    monkeypatch.setattr("mgpt_tui.inference.loading.engine_of", make)
    threads = torch.get_num_threads()
    beginnings = ("--prompts", files / "beginnings.yaml", "--max-tokens", 3, "--json")
    lines(mgpt("eval", model, *beginnings))
    lines(mgpt("eval", model, *beginnings, "--precision", "bf16", "--threads", 1))
    lines(mgpt("eval", model, *beginnings, "--threads", "auto"))
    bf16 = DecodingSettings(precision="bf16", threads=1)
    assert asked == [DecodingSettings(), bf16, DecodingSettings()]
    assert torch.get_num_threads() == threads


def test_each_story_and_what_is_recited_of_the_training_text(mgpt, files, model):
    text = " ".join(f"word{number}" for number in range(40))
    (files / "private.txt").write_text(f"Mia [bold]had {text}\n<|endoftext|>\n{STORIES}")
    arguments = ("eval", model, "--per-story", "--data", files / "held-out.txt")
    against = ("--against", files / "private.txt")
    (figures,) = lines(mgpt(*arguments, *against, "--json"))
    one, two = figures["stories"]
    assert one["bytes"] + two["bytes"] == figures["bytes"]
    mean = (one["loss"] * one["tokens"] + two["loss"] * two["tokens"]) / figures["tokens"]
    assert mean == pytest.approx(figures["loss"])
    recital = figures["recital"]
    assert (recital["asked"], recital["exposed"]) == (1, 0), "the others are too short"
    assert recital["stories"][0]["beginning"].startswith("Mia [bold]had word0")
    shown = mgpt(*arguments, model, *against)
    assert shown.code == 0, shown.err
    for words in ("Mia had a kite. It was", f"{two['loss']:.4f}", "Mia [bold]had word0"):
        assert words in shown.out
    assert "first 10 words of 1 training stories; of 0 of them more than 20" in shown.out
    short = ("--against", files / "training.txt")
    (figures,) = lines(mgpt(*arguments, *short, "--json"))
    assert figures["recital"] == {"asked": 0, "exposed": 0, "longest_shared": 0, "stories": []}
    assert "asked for none of the training stories" in mgpt(*arguments, *short).out
    alone = mgpt(*arguments)
    assert alone.code == 0 and "Tom had a drum." in alone.out and "training" not in alone.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to measure"),
        (["--data", "held-out.txt", "--num-samples", "2"], "--num-samples"),
        (["--data", "held-out.txt", "--temperature", "1"], "--temperature"),
        (["--data", "held-out.txt", "--top-k", "off"], "--top-k"),
        (["--data", "held-out.txt", "--precision", "fp8"], "fp32"),
        (["--prompts", "beginnings.yaml", "--precision", "fp8"], "fp32"),
        (["--data", "~nobody-at-all/x"], "nobody's home"),
        (["--data", "held-out.txt", "--against", "training.txt"], "--against"),
        (["--per-story", "--prompts", "beginnings.yaml"], "--per-story"),
        (["--data", "nowhere.txt"], "does not exist"),
        (["--prompts", "nowhere.txt"], "does not exist"),
        (["--prompts", "beginnings.yaml", "--against", "nowhere.txt"], "does not exist"),
        (["--prompts", "beginnings.yaml", "--against", "owner/name"], "does not exist"),
        (["--prompts", "beginnings.yaml", "--num-samples", "0"], "1 or more"),
        (["--prompts", "beginnings.yaml", "--num-samples", "2", "--seed", str(2**63 - 1)], "seed"),
    ],
)
def test_bad_input_gets_one_clear_message(mgpt, files, model, monkeypatch, arguments, words):
    monkeypatch.chdir(files)
    monkeypatch.setattr(
        "training.evaluation.completions.complete", None
    )  # not before all is checked
    outcome = mgpt("eval", model, *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert outcome.out == "" and "Traceback" not in outcome.err


def test_names_with_brackets_are_no_markup(files, model):
    """On a terminal, where a bar and a spinner tell what goes on."""
    pty = pytest.importorskip("pty")
    from tests.real_terminal import read_all

    strange = files / "[b]x[/].txt"
    strange.parent.mkdir()
    strange.write_text(STORIES)
    named = files / "[red]model[/blue]"
    shutil.copytree(model, named)
    command = [sys.executable, "-m", "mgpt_tui", "eval", named, "--data", strange]
    command += ["--prompts", strange, "--against", strange, "--max-tokens", "2"]
    terminal, inside = pty.openpty()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=inside, text=True)
    os.close(inside)
    with ThreadPoolExecutor() as pool:
        drawn = pool.submit(read_all, terminal)
        out, _ = child.communicate()
    os.close(terminal)
    shown = drawn.result().decode().replace("\r\n", "")  # it folds long names
    assert child.returncode == 0, shown
    assert "[red]model[/blue]" in shown and "[b]x[/].txt" in shown
    assert "[red]model[/blue]" in out.replace("\n", "")


@pytest.mark.parametrize(("columns", "beside"), [(40, 1), (60, 2), (80, 4), (200, 4)])
def test_models_that_do_not_fit_stand_below(
    mgpt, files, tiny_model, byte_tokenizer, monkeypatch, columns, beside
):
    monkeypatch.chdir(files)
    names = [f"model-{letter * 8}" for letter in "abc"]
    for name in names:
        save_checkpoint(files / name, tiny_model, byte_tokenizer, {})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    outcome = mgpt(
        *("eval", *names, "--data", "held-out.txt", "--prompts", "beginnings.yaml"),
        *("--max-tokens", 4, "--against", "training.txt"),
    )
    lines = Text.from_ansi(outcome.out).plain.splitlines()
    assert all(len(line) <= columns for line in lines)
    headings = [line.split() for line in lines if line.startswith(" " * 10) and line.strip()]
    for name in names:
        assert sum(name in heading for heading in headings) == 1
    assert len(headings[0]) == beside
    assert sum("[bold]Tom" in line for line in lines) == 3
