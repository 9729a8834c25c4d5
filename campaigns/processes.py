"""Kill processes of a run under torchrun, and find it the same as one that was left alone.

    python campaigns/processes.py [--ends N] [--seed N] [--keep-files]

Two processes train a model undisturbed. They begin the same run anew; the second of them is
killed, then the first, then the second is asked to stop by SIGTERM, then torchrun by Ctrl-C, each
at a random moment, and both are resumed each time. Every end must come soon, with words that say
how to go on. In the end figures, weights and optimizer state must be the same, to the last bit.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

from lab import Before, Different, Lab, campaign, compare, logged, moments, wait_for

STEPS = 240
EVERY = 8
SETTINGS = (
    *("--preset", "tiny", "--n-embd", "32", "--block-size", "64", "--batch-size", "4"),
    *("--dropout", "0.1", "--learning-rate", "3e-3", "--grad-accumulation", "2"),
    *("--max-steps", str(STEPS), "--warmup-steps", "20", "--dtype", "fp32", "--device", "cpu"),
    *("--eval-every", str(EVERY), "--eval-stories", "12", "--sample-tokens", "8"),
    *("--log-every", "1"),
)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
ENDS = {
    "the second process is killed": (1, signal.SIGKILL),
    "the first process is killed": (0, signal.SIGKILL),
    "the second process is asked to stop": (1, signal.SIGTERM),
    "Ctrl-C reaches torchrun": (None, signal.SIGINT),
}
SOON = 30.0
"""Seconds within which all processes must have ended."""


def end(process: subprocess.Popen[bytes], rank: int | None, number: int) -> None:
    """Send a signal to torchrun or to the process of a rank, and wait for the end of all.

    Raises:
        Different: where that takes too long.
    """
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    processes = sorted(int(word) for word in listed.stdout.split())
    os.kill(process.pid if rank is None else processes[rank], number)
    try:
        process.wait(SOON)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Different(f"It had not ended {SOON:.0f} s later.") from None


def body(lab: Lab, draw: random.Random, ends: int) -> str:
    two = replace(lab, launcher=TORCHRUN, threads=1)
    data = ("train", "--data", str(lab.folder / "data"))
    two.finish(*data, "--name", "alone", *SETTINGS, log="alone.log")
    run, resume = lab.runs / "run", ("train", "--name", "run", "--resume")
    for number, step in enumerate(moments(draw, STEPS, EVERY, ends)):
        what = list(ENDS)[number % len(ENDS)]
        begin = resume if number else (*data, "--name", "run", *SETTINGS)
        before = Before.of(run)
        process = two.start(*begin, log=f"{number}.log")
        if not wait_for(process, run, step, before):
            raise Different(f"It ended by itself:\n{lab.said(f'{number}.log')}")
        time.sleep(draw.uniform(0, 0.05))
        end(process, *ENDS[what])
        if "mgpt-tui train --name run --resume" not in lab.said(f"{number}.log", 10_000):
            raise Different(f"It does not say how to go on:\n{lab.said(f'{number}.log')}")
        newest = max(path.name for path in run.glob("step-*"))
        print(f"  at step {logged(run)}, {what}; goes on from {newest}", flush=True)
    two.finish(*resume, log="last.log")
    compare(lab.runs / "alone", run, STEPS)
    return f"All the same after {ends} ends: {STEPS} steps, weights and optimizer state"


if __name__ == "__main__":
    sys.exit(campaign(__doc__ or "", 4, body))
