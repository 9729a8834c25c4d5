"""`mgpt-tui generate`."""

import io
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from mgpt_tui.cli.generate_command import RULE
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.model.manifest import WEIGHTS_FILE
from tests.waiting import PATIENCE

KEYS = [
    "sample",
    "prompt",
    "text",
    "token_ids",
    "tokens",
    "finish_reason",
    "seed",
    "tokens_per_second",
    "precision",
    "device",
    "threads",
    "batch_size",
]
EXACT = "--no-finish-sentence"


@pytest.fixture
def generate(mgpt, tiny_checkpoint):
    """Runs `mgpt-tui generate` with the tiny model, and a prompt unless told otherwise."""

    def run(*arguments, prompt="The fox"):
        prompt_arguments = [] if prompt is None else ["--prompt", prompt]
        return mgpt("generate", "--model", tiny_checkpoint, *prompt_arguments, *arguments)

    return run


@pytest.fixture
def expected(tiny_checkpoint):
    """The engine's own continuation."""
    engine = load_engine(tiny_checkpoint).engine

    def write(prompt, **sampling):
        generation = engine.stream([prompt], SamplingSettings(**sampling))
        return "".join(chunk.text for chunk in generation)

    return write


def pipe(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def samples(outcome):
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_prompt_and_continuation_go_to_stdout(generate, expected):
    outcome = generate("--seed", 3, "--max-tokens", 20)
    assert outcome.code == 0
    text = "The fox" + expected("The fox", seed=3, max_tokens=20)
    assert outcome.out == text + "\n" * (not text.endswith("\n"))
    assert "seed 3, " in outcome.err


def test_the_seed_that_was_drawn_is_told_and_tells_the_same_story(generate):
    first, second = generate("--max-tokens", 30), generate("--max-tokens", 30)
    assert first.out != second.out
    seed = re.search(r"seed (\d+)", first.err).group(1)
    assert generate("--max-tokens", 30, "--seed", seed).out == first.out


def test_settings_reach_the_engine(generate, expected):
    outcome = generate("--temperature", 3, "--top-k", "off", "--max-tokens", 9, "--seed", 1)
    assert expected("The fox", temperature=3, top_k=None, max_tokens=9, seed=1) in outcome.out
    greedy = {generate("--temperature", 0, "--seed", seed).out for seed in (1, 2)}
    assert len(greedy) == 1


def test_samples_are_told_apart(generate):
    text = generate("--num-samples", 3, "--max-tokens", 5, "--seed", 0).out
    parts = text.split(f"\n\n{RULE}\n\n")
    assert len(parts) == 3
    assert all(part.startswith("The fox") for part in parts)


def test_json_has_a_line_a_sample(generate, byte_tokenizer):
    found = samples(generate("--json", "--num-samples", 2, "--seed", 8, "--max-tokens", 40, EXACT))
    for at, sample in enumerate(found):
        assert list(sample) == KEYS
        assert sample["sample"] == at
        assert sample["prompt"] == "The fox"
        assert sample["seed"] == 8 + at
        assert sample["tokens"] == len(sample["token_ids"]) <= 40
        assert sample["finish_reason"] in ("end", "length")
        assert sample["tokens_per_second"] > 0
        # Cleaning leaves letters as they are.
        letters = re.findall("[a-z]", byte_tokenizer.decode(sample["token_ids"]))
        assert re.findall("[a-z]", sample["text"]) == letters
    assert found[0]["text"] != found[1]["text"]


def test_a_sample_is_reproduced_by_its_own_seed_alone(generate):
    found = samples(generate("--json", "--num-samples", 4, "--seed", 5))
    for sample in found:
        (alone,) = samples(generate("--json", "--seed", sample["seed"]))
        assert alone["token_ids"] == sample["token_ids"]
        assert alone["text"] == sample["text"]


def test_json_says_end_where_the_story_ends(generate):
    reasons = [
        sample["finish_reason"]
        for sample in samples(
            generate("--json", "--num-samples", 3, "--max-tokens", 5000, "--top-k", "off")
        )
    ]
    assert reasons == ["end"] * 3


def test_an_empty_prompt_starts_a_story(generate, expected):
    (sample,) = samples(generate("--json", "--seed", 2, prompt=""))
    assert sample["prompt"] == ""
    assert sample["text"] == expected("", seed=2)


@pytest.mark.parametrize("prompt", [None, "-"], ids=["pipe", "dash"])
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"A fox\n", "A fox"),
        (b"A fox\r\n\r\nsaid", "A fox\n\nsaid"),
        (b"A fox\n\n", "A fox\n"),
        (b"\xef\xbb\xbfA fox", "A fox"),
        ("\N{FOX FACE} caf\xe9\n".encode(), "\N{FOX FACE} caf\xe9"),
        (b"", ""),
    ],
)
def test_the_prompt_may_come_through_a_pipe(generate, monkeypatch, prompt, content, text):
    pipe(monkeypatch, content)
    (sample,) = samples(generate("--json", "--max-tokens", 2, prompt=prompt))
    assert sample["prompt"] == text


def test_a_given_prompt_leaves_the_pipe_alone(generate, monkeypatch):
    pipe(monkeypatch, b"\xff not read")
    (sample,) = samples(generate("--json", "--max-tokens", 2))
    assert sample["prompt"] == "The fox"


def test_a_terminal_is_not_waited_for(generate, monkeypatch):
    pipe(monkeypatch, b"typed")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    (sample,) = samples(generate("--json", "--max-tokens", 2, prompt=None))
    assert sample["prompt"] == ""


def test_a_pipe_that_is_not_utf8_is_refused(generate, monkeypatch):
    pipe(monkeypatch, "caf\xe9".encode("latin-1"))
    outcome = generate(prompt=None)
    assert outcome.code == 2
    assert outcome.out == ""
    assert "not UTF-8 (byte 4)" in outcome.err
    assert "iconv" in outcome.err


def test_a_closed_standard_input_is_told(generate, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    outcome = generate(prompt="-")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Standard input is closed" in outcome.err
    assert "--prompt" in outcome.err
    (sample,) = samples(generate("--json", "--max-tokens", 2, prompt=None))
    assert sample["prompt"] == ""


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes streams")
@pytest.mark.parametrize("closing", ["<&-", ">&-"])
def test_streams_that_a_shell_closed(closing):
    command = f'exec "$0" -m mgpt_tui generate --prompt - --seed 1 {closing}'
    outcome = subprocess.run(
        ["sh", "-c", command, sys.executable], stdin=subprocess.DEVNULL, capture_output=True
    )
    assert outcome.returncode == 2
    assert b"is closed" in outcome.stderr and b"Traceback" not in outcome.stderr


def test_nothing_reaches_the_terminal_as_a_control(generate):
    outcome = generate("--max-tokens", 100, "--top-k", "off", prompt="\x1b[2J\x9b1m\u202egnp")
    assert outcome.out.startswith("\u241b[2J")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", outcome.out)


def test_a_prompt_longer_than_the_context_is_told_once(generate):
    outcome = generate("--num-samples", 2, "--max-tokens", 3, prompt="word " * 30)
    assert outcome.code == 0
    assert outcome.out.startswith("word " * 30)
    assert outcome.err.count("The prompt has 151 tokens, more than the model can see") == 1
    assert "reads the last 23." in outcome.err


BAD = [
    ("--temperature", "-0.1", "temperature cannot be -0.1"),
    ("--temperature", "nan", "temperature cannot be nan"),
    ("--temperature", "hot", "temperature cannot be 'hot'"),
    ("--top-k", "0", "top_k cannot be 0"),
    ("--max-tokens", "0", "max_tokens cannot be 0"),
    ("--max-tokens", "1.5", "max_tokens cannot be '1.5'"),
    ("--num-samples", "0", "num_samples cannot be 0"),
    ("--seed", "-2", "seed cannot be -2"),
    ("--stop", "|", "stop cannot be '|'"),
    ("--ban", "\\x", "ban cannot be"),
    ("--model", "nobody", "There is no model 'nobody'"),
]


@pytest.mark.parametrize(("flag", "value", "message"), BAD)
def test_bad_values_are_told_with_a_remedy(mgpt, flag, value, message):
    outcome = mgpt("generate", "--prompt", "x", flag, value)
    assert outcome.code == 2
    assert outcome.out == ""
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 2


@pytest.mark.parametrize("seed", ["-1", "random"])
def test_a_random_seed_is_a_fresh_one_and_is_told(generate, seed):
    told = [samples(generate("--json", "--seed", seed, "--max-tokens", 2))[0] for _ in range(2)]
    assert told[0]["seed"] != told[1]["seed"]
    assert min(sample["seed"] for sample in told) >= 0


def test_a_line_end_stops_as_it_does_in_the_app(generate):
    plain = {"--seed": 3, "--max-tokens": 200, "--temperature": 3, "--top-k": "off"}
    options = [part for pair in plain.items() for part in pair]
    whole = samples(generate("--json", *options))[0]["text"]
    assert "\n" in whole
    stopped = samples(generate("--json", *options, "--stop", r"\n"))[0]
    assert stopped["finish_reason"] == "stop"
    assert stopped["text"] == whole.partition("\n")[0]


def test_a_seed_for_every_sample_must_exist(generate):
    last = 2**63 - 1
    assert generate("--seed", last, "--max-tokens", 2).code == 0
    outcome = generate("--seed", last, "--num-samples", 2)
    assert outcome.code == 2
    assert "seed cannot be" in outcome.err


def test_bad_values_are_told_before_torch_is_imported():
    code = (
        "import sys\n"
        "from mgpt_tui.cli import main\n"
        f"for flag, value, _ in {BAD!r}:\n"
        "    try:\n"
        "        main(['generate', '--prompt', 'x', flag, value])\n"
        "    except SystemExit as end:\n"
        "        assert end.code == 2\n"
        "assert 'torch' not in sys.modules\n"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


def test_a_damaged_checkpoint_is_told(generate, tiny_checkpoint):
    weights = tiny_checkpoint / WEIGHTS_FILE
    weights.write_bytes(weights.read_bytes()[:-100])
    outcome = generate()
    assert outcome.code == 2
    assert "damaged" in outcome.err
    assert outcome.out == ""


@pytest.fixture
def ctrl_c(monkeypatch):
    """Ctrl-C, pressed while the model reads for the n-th time."""

    def press_at(n_read):
        read, original = 0, Reader.read

        def counting(*told):
            nonlocal read
            read += 1
            if read == n_read:
                os.kill(os.getpid(), signal.SIGINT)
            return original(*told)

        monkeypatch.setattr(Reader, "read", counting)

    return press_at


def test_ctrl_c_keeps_what_was_printed(generate, expected, ctrl_c):
    handler = signal.getsignal(signal.SIGINT)
    ctrl_c(11)
    outcome = generate("--seed", 3, "--num-samples", 5, "--max-tokens", 100)
    assert outcome.code == 130
    for seed in range(3, 8):
        assert (
            f"The fox{expected('The fox', seed=seed, max_tokens=11, finish_sentence=False)}".strip()
            in outcome.out
        )
    assert "stopped" in outcome.err
    assert "Traceback" not in outcome.err
    assert signal.getsignal(signal.SIGINT) is handler


def test_ctrl_c_with_json_prints_what_there_is_of_each_sample(generate, ctrl_c):
    ctrl_c(11)
    outcome = generate("--json", "--seed", 3, "--num-samples", 5)
    assert outcome.code == 130
    found = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(found) == 5
    for sample in found:
        assert sample["finish_reason"] in ("cancelled", "end")
        assert 0 < sample["tokens"] <= 11


def test_text_streams_and_a_reader_that_leaves_is_no_error(tiny_checkpoint):
    command = [sys.executable, "-m", "mgpt_tui", "generate", "--num-samples", "1000000"]
    with subprocess.Popen(
        [*command, "--model", str(tiny_checkpoint), "--prompt", "The fox"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(7) == b"The fox"
        assert process.poll() is None  # it prints while it writes
        process.stdout.close()
        noise = process.stderr.read()
        process.wait(timeout=PATIENCE)
    assert process.returncode != 0
    assert b"Traceback" not in noise
    assert b"Exception" not in noise


def test_alternatives_are_told_in_the_json(generate):
    options = ("--json", "--seed", 4, "--max-tokens", 6, EXACT)
    (plain,) = samples(generate(*options))
    (told,) = samples(generate(*options, "--alternatives", 3))
    assert told["token_ids"] == plain["token_ids"]
    assert len(told["steps"]) == 6
    for step in told["steps"]:
        assert step["log_probability"] < 0 < step["entropy"]
        likely = [entry["before"] for entry in step["alternatives"]]
        assert len(likely) == 3 and likely == sorted(likely, reverse=True)
        assert all(0 <= entry["after"] <= 1 for entry in step["alternatives"])
    refused = generate("--alternatives", 3)
    assert refused.code == 2 and "--json" in refused.err


def test_all_sampling_settings_reach_the_engine(generate, expected):
    outcome = generate(
        "--seed", 3, "--max-tokens", 30, "--top-p", 0.5, "--min-p", 0.01, "--top-k", "off",
        "--repetition-penalty", 1.5, "--ban", "e", "--ban", "a", "--bias", "o=2", "--ignore-end",
        "--precision", "auto", "--threads", 1,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    text = expected(
        "The fox", seed=3, max_tokens=30, top_p=0.5, min_p=0.01, top_k=None,
        repetition_penalty=1.5, ban=("e", "a"), bias=("o=2",), ignore_end=True,
    )  # fmt: skip
    assert outcome.out.strip() == f"The fox{text}".strip()


def test_a_stop_string_is_told(generate, expected):
    text = expected("The fox", seed=3, max_tokens=30)
    (sample,) = samples(generate("--seed", 3, "--max-tokens", 30, "--stop", text[8:10], "--json"))
    assert sample["finish_reason"] == "stop"
    assert sample["text"] == text[: text.index(text[8:10])]


def test_more_samples_than_are_decoded_together(generate):
    found = samples(generate("--json", "--num-samples", 10, "--seed", 1, "--max-tokens", 3))
    assert [sample["seed"] for sample in found] == list(range(1, 11))
    assert [sample["batch_size"] for sample in found] == [8] * 8 + [2] * 2
    (last,) = samples(generate("--json", "--seed", 10, "--max-tokens", 3))
    assert last["token_ids"] == found[-1]["token_ids"]


def test_the_sentence_is_finished_unless_that_is_not_wanted(mgpt):
    """By the embedded model, which writes sentences."""
    options = ("--json", "--prompt", "Once upon a ti", "--seed", 1, "--max-tokens", 12)
    (finished,) = samples(mgpt("generate", *options))
    (exact,) = samples(mgpt("generate", *options, EXACT))
    assert finished["text"].startswith(exact["text"])
    assert exact["tokens"] == 12 < finished["tokens"] <= 12 + 40
    assert finished["text"].startswith("me")
    assert finished["text"].endswith((".", "!", "?", '"'))
    assert finished["finish_reason"] == exact["finish_reason"] == "length"


def test_words_that_must_come_are_told_where_they_did(generate) -> None:
    options = ("--words", "ox,cat", "--seed", 5, "--max-tokens", 60, EXACT)
    (told,) = samples(generate(*options, "--json"))
    assert told["words"] == {"ox": True, "cat": True} and "steps" not in told
    (again,) = samples(generate("--words", "ox", "--words", "cat", *options[2:], "--json"))
    assert again["text"] == told["text"] and again["seed"] == told["seed"]
    assert "[all words came" in generate(*options).err
    assert "[missing: cat" in generate(*options, "--ban", "c").err


def test_words_that_cannot_be_are_refused_in_a_line(generate) -> None:
    for words in (",", "a1", "x" * 25, "a,b,c,d,e,f,g,h,i", "дом"):
        refused = generate("--words", words)
        assert refused.code == 2 and "Traceback" not in refused.err, words
