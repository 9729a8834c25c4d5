"""The GPU in one command: does everything run on it, is it right, and how fast is it.

    python benchmarks/gpu.py [--data FOLDER] [--minutes 6] [--only PART,...] [--out FOLDER]

Runs its parts one after another, each in a process of its own with a time limit, so that one that
fails or hangs does not hide the rest. `gpu.jsonl` has a line for each part as soon as it is over,
`gpu.md` the same as tables, which are printed at the end. With --data, a folder that `mgpt-tui
prepare` wrote, a storyteller is trained on it and left beside them, in 8 bits.

--minutes is for all parts but that training, which takes up to half as long again. `--device cpu`
runs the same parts with tiny models, to try them.

It needs torch, numpy, tiktoken, safetensors, click, rich, pyyaml and transformers. The exit code is
1 where a part failed, and 2 where there is no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from gpu_parts import PARTS  # noqa: E402
from gpu_parts.table import tables  # noqa: E402

GRACE = 30.0
"""Seconds beyond its share after which a part is ended."""
LONGEST_STORY = 180.0


def environment(home: Path, device: str) -> dict[str, str]:
    """Folders of its own for our program and for compilers, and no words from others."""
    places = {name: str(home / name) for name in ("config", "data", "state", "cache", "compiled")}
    return os.environ | {
        **{
            f"MGPT_{name.upper()}_DIR": places[name]
            for name in ("config", "data", "state", "cache")
        },
        "TORCHINDUCTOR_CACHE_DIR": places["compiled"],
        "TRITON_CACHE_DIR": str(home / "triton"),
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(
            [str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        ),
        "PYTHONUNBUFFERED": "1",
        **({"OMP_NUM_THREADS": "1"} if device == "cpu" else {}),  # tiny models are fastest so
    }


def machine(device: str) -> dict[str, Any]:
    """What the figures are of."""
    about: dict[str, Any] = {
        "device": device,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "transformers")},
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }
    if device == "cuda":
        import torch

        properties = torch.cuda.get_device_properties(0)
        about |= {
            "device": properties.name,
            "memory": properties.total_memory,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
        }
    return about


def child(given: argparse.Namespace) -> int:
    """Do one part in this process."""
    import torch
    from gpu_parts.job import Job

    job = Job(
        given.part,
        torch.device(given.device),
        given.minutes,
        given.seconds,
        given.data,
        given.out,
        given.scratch,
    )
    PARTS[given.part].run(job)
    return int(job.failed)


def run_part(name: str, seconds: float, given: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Do one part in a process of its own; its line."""
    command = [sys.executable, str(HERE / "gpu.py"), "--part", name, "--device", given.device]
    command += ["--minutes", str(given.minutes), "--seconds", str(seconds), "--scratch", str(home)]
    command += ["--out", str(given.out), *(["--data", str(given.data)] if given.data else [])]
    began, error = time.monotonic(), None
    found, said = home / f"{name}.found", home / f"{name}.said"
    with (
        found.open("wb") as out,
        said.open("wb") as err,
        subprocess.Popen(
            command,
            stdout=out,
            stderr=err,
            env=environment(home, given.device),
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait(seconds + given.grace)
        except subprocess.TimeoutExpired:
            code, error = 1, f"ended after {seconds + given.grace:.0f} s\n{last_words(said)}"
        finally:
            with suppress(ProcessLookupError):  # and what it began
                os.killpg(process.pid, signal.SIGKILL)
    figures: dict[str, Any] = {}
    for line in found.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            figures |= json.loads(line)
    line = {"part": name, "ok": code == 0, "seconds": round(time.monotonic() - began, 1)}
    # 1 says that a check failed, which its own figures tell.
    told = code == 1 and any(figure.get("ok") is False for figure in figures.values())
    if code and error is None and not told:
        error = last_words(said) or how_it_ended(code)
    return line | {"figures": figures} | ({"error": error} if error else {})


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def last_words(path: Path) -> str:
    """The last lines that a part wrote to standard error."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-8:])


def share_out(names: list[str], left: float) -> float:
    """Seconds for the first of the parts that are still to be done."""
    shares = [PARTS[name].share for name in names]
    return left * shares[0] / sum(shares)


def run_all(names: list[str], given: argparse.Namespace) -> bool:
    """Do the parts, and write down what they found; whether none failed."""
    given.out.mkdir(parents=True, exist_ok=True)
    lines: list[dict[str, Any]] = []
    left = 60 * given.minutes
    with (
        tempfile.TemporaryDirectory(prefix="mgpt-gpu-") as temporary,
        (given.out / "gpu.jsonl").open("w", encoding="utf-8") as stream,
    ):

        def keep(line: dict[str, Any]) -> None:
            lines.append(line)
            stream.write(json.dumps(line) + "\n")
            stream.flush()

        keep({"machine": machine(given.device), "command": " ".join(sys.argv)})
        for at, name in enumerate(names):
            if name == "story":
                seconds = min(LONGEST_STORY, 30 * given.minutes)
            else:
                seconds = share_out([n for n in names[at:] if n != "story"], max(left, 1.0))
            print(
                f"{name}: {PARTS[name].title}, {seconds:.0f} s at most",
                file=sys.stderr,
                flush=True,
            )
            keep(line := run_part(name, seconds, given, Path(temporary)))
            left -= 0 if name == "story" else line["seconds"]
            state = "ok" if line["ok"] else "FAILED"
            print(f"{name}: {state} after {line['seconds']} s", file=sys.stderr, flush=True)
    text = tables(lines)
    (given.out / "gpu.md").write_text(text, encoding="utf-8")
    print(text)
    return all(line.get("ok", True) for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="stories that `mgpt-tui prepare` wrote")
    parser.add_argument("--minutes", type=float, default=6.0, help="for all parts but the training")
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the results")
    parser.add_argument("--grace", type=float, default=GRACE, help=argparse.SUPPRESS)
    for hidden in ("--part", "--seconds", "--scratch"):
        kind = {"--seconds": float, "--scratch": Path}.get(hidden, str)
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        return child(given)
    if not 0 < given.minutes <= 600:
        parser.error("--minutes is a number above 0")
    names = list(PARTS)
    if given.only:
        asked = [name.strip() for name in given.only.split(",")]
        unknown = [name for name in asked if name not in PARTS]
        if unknown:
            parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
        names = [name for name in PARTS if name in asked]
    if given.data and not (given.data / "meta.json").is_file():
        parser.error(f"{given.data} holds no prepared stories; make them with `mgpt-tui prepare`")
    given.out = given.out.absolute()
    given.data = given.data and given.data.absolute()
    if given.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            print("There is no CUDA GPU here. Try it with --device cpu.", file=sys.stderr)
            return 2
    return 0 if run_all(names, given) else 1


if __name__ == "__main__":
    sys.exit(main())
