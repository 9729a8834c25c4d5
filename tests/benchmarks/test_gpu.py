"""`benchmarks/gpu.py` as it is run on a machine with a GPU, here with tiny models on the CPU."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import gpu
import pytest
import torch
from gpu_parts import PARTS
from gpu_parts.material import write_prepared
from gpu_parts.table import tables

from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.tokenizer import Tokenizer

SCRIPT = Path(gpu.__file__)


def told(folder: Path) -> dict[str, dict]:
    """The lines of the parts, by name."""
    lines = map(json.loads, (folder / "gpu.jsonl").read_text().splitlines())
    return {line["part"]: line for line in lines if "part" in line}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def stories(tmp_path: Path, byte_tokenizer: Tokenizer) -> Path:
    end = byte_tokenizer.end_token
    story = byte_tokenizer.encode("Mia had a kite. The kite was red. Tom had a drum.")
    write_prepared(
        tmp_path / "stories",
        byte_tokenizer,
        {"train": [end, *([*story, end] * 40)], "val": [end, *([*story, end] * 8)]},
    )
    return tmp_path / "stories"


def test_all_parts_on_a_cpu(tmp_path: Path, stories: Path) -> None:
    out = tmp_path / "out"
    done = run(
        *("--device", "cpu", "--minutes", 0.3, "--grace", 3600),
        *("--data", stories, "--out", out),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = told(out)
    assert list(lines) == list(PARTS)
    for line in lines.values():
        assert line["ok"] and "error" not in line
        assert line["figures"]
        assert all(
            "skipped" in found or found.get("ok", True) for found in line["figures"].values()
        )
    assert lines["steps"]["figures"]["resume"]["largest difference"] == 0
    assert lines["story"]["figures"]["story"]["bits_per_byte"] > 0
    assert load_checkpoint(out / "storyteller-gpu").info.weights == "int8"
    assert done.stdout.strip() == (out / "gpu.md").read_text().strip()
    assert "| ours, compiled |" in done.stdout


def test_without_a_gpu_one_line_says_so(monkeypatch, capsys) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert gpu.main() == 2
    out, err = capsys.readouterr()
    assert out == "" and err == "There is no CUDA GPU here. Try it with --device cpu.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "speed"], "there is no part 'speed'"),
        (["--minutes", "0"], "a number above 0"),
        (["--data", "nowhere"], "nowhere holds no prepared stories"),
    ],
)
def test_bad_input(monkeypatch, capsys, words, said) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--device", "cpu", *words])
    with pytest.raises(SystemExit) as caught:
        gpu.main()
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_a_part_that_fails_says_why_and_others_go_on(
    tmp_path, stories, monkeypatch, capsys
) -> None:
    with (stories / "train.bin").open("ab") as stream:
        stream.write(b"x")
    arguments = [
        "gpu.py",
        "--device",
        "cpu",
        "--data",
        str(stories),
        "--out",
        str(tmp_path / "out"),
    ]
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    order = {name: PARTS[name] for name in ("story", "numbers")}
    monkeypatch.setattr(gpu, "PARTS", order)
    monkeypatch.setattr(sys, "argv", [*arguments, "--only", "story,numbers", "--grace=3600"])
    assert gpu.main() == 1
    lines = told(tmp_path / "out")
    assert list(lines) == ["story", "numbers"]
    assert not lines["story"]["ok"]
    assert "train.bin is damaged" in lines["story"]["figures"]["story"]["error"]
    assert lines["numbers"]["ok"]
    assert "FAILED" in capsys.readouterr().out


def test_a_part_that_hangs_or_dies_is_told(tmp_path, monkeypatch) -> None:
    words = ["--device", "cpu", "--minutes", "0.01", "--only", "numbers,steps", "--grace=-9"]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *words, "--out", str(tmp_path)])
    assert gpu.main() == 1
    lines = told(tmp_path)
    assert list(lines) == ["numbers", "steps"]
    assert all(line["error"].startswith("ended after") for line in lines.values())


def test_a_table_says_how_much_faster_ours_is() -> None:
    figures = {
        "ours, compiled": {"ok": True, "tokens_per_second": 300},
        "plain loop, compiled": {"ok": True, "tokens_per_second": 200},
        "Hugging Face, compiled": {"ok": False, "error": "a | b\nc"},
    }
    line = {"part": "training-small", "ok": False, "seconds": 1.0, "figures": figures}
    text = tables([{"machine": {"device": "GPU"}, "command": "x"}, line])
    assert "ours, compiled: 1.50 times plain loop, compiled." in text
    assert "**failed**: a / b / c" in text


def test_a_part_that_is_killed_says_so_though_it_left_no_words() -> None:
    assert gpu.how_it_ended(-9) == "ended by SIGKILL"
    assert gpu.how_it_ended(3) == "exit code 3"
