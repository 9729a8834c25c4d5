"""`mgpt-tui learn`: a model of the stories in the library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.learning import begun
from mgpt_tui.learning.events import Learnt, Planned, Scored, Stepped, Stopped, decode
from mgpt_tui.model.checkpoint import save_checkpoint
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Story
from tests.training.conftest import story
from tests.waiting import gone
from training.runs.log import read_metrics

Usage = namedtuple("Usage", "total used free")


def keep(count: int) -> None:
    for number in range(count):
        StoryLibrary().add(Story().write(story(number)), f"story {number}")


def events(text: str) -> list[object]:
    found = [decode(line) for line in text.splitlines()]
    assert None not in found
    return found


@pytest.fixture
def learn(mgpt, tiny_checkpoint: Path):
    return lambda *more: mgpt("learn", "--model", tiny_checkpoint, *more)


def test_a_model_learns_the_stories_and_stands_among_the_others(learn, mgpt):
    keep(7)
    outcome = learn("--passes", 6, "--json")
    assert outcome.code == 0, outcome.err
    told = events(outcome.out)
    planned = next(event for event in told if isinstance(event, Planned))
    assert (planned.name, planned.stories + planned.held_out) == ("mine", 7)
    assert planned.held_out >= 1 and planned.memory > 0 and planned.disk > 0
    steps = [event.step for event in told if isinstance(event, Stepped)]
    assert steps == list(range(1, planned.steps + 1))
    scores = [event for event in told if isinstance(event, Scored)]
    assert scores[0].step == 0 and scores[1].sample
    learnt = told[-1]
    assert isinstance(learnt, Learnt)
    assert learnt.before == scores[0].bits_per_byte
    assert learnt.after == min(score.bits_per_byte for score in scores[1:]) < learnt.before
    assert learnt.asked == 7
    names = [row["name"] for row in json.loads(mgpt("models", "--json").out)]
    assert "mine/best" in names
    assert len(list((paths.runs_dir() / "mine").glob("step-*"))) == 1, "the best is enough"
    assert begun.find("mine").done and not begun.unfinished()
    assert mgpt("generate", "--model", "mine", "--prompt", "A", "--max-tokens", 3).code == 0


def test_people_are_told_in_words(learn):
    keep(7)
    outcome = learn("--passes", 2, "--name", "island", "story 1", "story 2", "story 3")
    assert outcome.code == 2 and "Some" in outcome.err, "three of them are too little"
    outcome = learn("--passes", 2, "--name", "island")
    assert outcome.code == 0, outcome.err
    assert "becomes island" in outcome.out and "This will take about" in outcome.out
    assert "step 1 of 2" in outcome.err
    assert "mgpt-tui --model island" in outcome.out


def test_what_it_takes_is_told_without_anything_being_kept(learn):
    keep(7)
    outcome = learn("--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    (planned,) = events(outcome.out)
    assert isinstance(planned, Planned) and planned.seconds is not None
    assert not paths.runs_dir().exists()


def test_too_little_text_is_refused_with_what_would_be_enough(learn):
    assert "no story" in learn().err
    keep(1)
    outcome = learn()
    assert outcome.code == 2
    assert "1 story with 26 words" in outcome.err and "would be enough" in outcome.err
    told = learn("--json")
    assert told.code == 2 and json.loads(told.out)["event"] == "refused"
    assert not paths.runs_dir().exists()


def test_one_paragraph_alone_has_nothing_to_hold_out(learn):
    StoryLibrary().add(Story().write("The sea was flat. " * 60), "one")
    outcome = learn()
    assert outcome.code == 2 and "held out" in outcome.err


def test_names_stay_in_their_folder_and_are_not_taken_twice(learn, mgpt):
    keep(7)
    assert "cannot be named" in learn("--name", "../mine").err
    (paths.runs_dir() / "other").mkdir(parents=True)
    (paths.runs_dir() / "other" / "run.json").write_text("{}")
    assert "There is a model other" in learn("--name", "other").err
    assert learn("--passes", 1).code == 0
    again = learn("--name", "mine", "--passes", 1)
    assert again.code == 2 and "--drop" in again.err
    assert "has learnt" in mgpt("learn", "--name", "mine", "--resume").err
    assert "nothing" in mgpt("learn", "--name", "none", "--drop").err.lower()
    assert mgpt("learn", "--name", "other", "--drop").code == 2, "nothing was learnt as that"
    dropped = mgpt("learn", "--name", "mine", "--drop")
    assert dropped.code == 0 and not (paths.runs_dir() / "mine").exists()
    assert (paths.runs_dir() / "other" / "run.json").exists()
    assert "exclude" in mgpt("learn", "--drop", "--resume", "--name", "mine").err
    assert "needs a name" in mgpt("learn", "--drop").err


def test_two_at_once_are_refused(learn):
    keep(7)
    with begun.alone("first"):
        outcome = learn("--name", "second")
        assert outcome.code == 2 and "first is learning already" in outcome.err
        assert not (paths.runs_dir() / "second").exists()
        assert begun.under_way() == "first"
    assert begun.under_way() is None


def test_a_machine_without_room_says_so(learn, monkeypatch):
    keep(7)
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda path: Usage(10**6, 10**6, 1000))
        outcome = learn("--dry-run")
    assert outcome.code == 2 and "not enough room on the disk" in outcome.err
    monkeypatch.setattr("training.report.estimate.memory_free", lambda *_: 1000)
    outcome = learn("--dry-run")
    assert outcome.code == 2 and "not enough memory" in outcome.err


def test_of_what_is_refused_nothing_is_left(learn, mgpt, monkeypatch):
    keep(7)
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda path: Usage(10**6, 10**6, 1000))
        outcome = learn()
    assert outcome.code == 2 and "not enough room on the disk" in outcome.err
    assert not list(paths.runs_dir().iterdir()), "the next one can have its name"
    assert not begun.unfinished()


def test_a_save_that_fails_says_how_to_go_on_with_learning(learn, monkeypatch):
    """It said how to train."""
    keep(7)
    writes = iter((save_checkpoint,))

    def save(*given):
        if (write := next(writes, None)) is None:
            raise UserError("The disk is full.", "Free some space.")
        write(*given)

    monkeypatch.setattr("training.runs.checkpoints.save_checkpoint", save)
    outcome = learn("--passes", 2)
    assert outcome.code == 2 and "is as it was" in outcome.err
    assert "Go on from there with: mgpt-tui learn --name mine --resume" in outcome.err


def test_what_a_kill_leaves_before_the_stories_are_there_can_be_dropped(learn, mgpt, monkeypatch):
    keep(7)
    with monkeypatch.context() as killed:
        killed.setattr("training.learning.job.keep_tales", lambda *_: sys.exit(137))
        assert learn().code == 137
    outcome = mgpt("learn", "--name", "mine", "--resume")
    assert outcome.code == 2 and "is missing" in outcome.err and "Drop" in outcome.err
    assert mgpt("learn", "--name", "mine", "--drop").code == 0
    assert not (paths.runs_dir() / "mine").exists()


def test_damaged_stories_are_left_out_and_named(learn):
    keep(7)
    (paths.stories_dir() / "torn.json").write_text("{")
    outcome = learn("--dry-run")
    assert outcome.code == 0
    assert "Left out, as their files are damaged: torn." in outcome.err


@pytest.mark.parametrize("end", ["interrupted", "closed", "unread", "killed"])
def test_what_was_stopped_at_any_moment_is_gone_on_with(mgpt, tiny_checkpoint, end):
    keep(7)
    command = [sys.executable, "-m", "mgpt_tui", "learn", "--json", "--attended"]
    child = subprocess.Popen(
        [*command, "--model", str(tiny_checkpoint), "--passes", "400"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert child.stdin is not None and child.stdout is not None
    looks = 0
    for line in child.stdout:
        event = decode(line)
        looks += isinstance(event, Scored) and event.step > 0
        if looks == 2:  # the checkpoint of the first one is there
            break
    assert begun.under_way() == "mine"
    assert begun.unfinished() == [], "it goes on"
    if end == "unread":  # the app was killed
        child.stdout.close()
        child.stdin.close()
        assert child.wait() != 0
        last_step = read_metrics(paths.runs_dir() / "mine")[-1]["step"]
        assert begun.find("mine").step == last_step, "all that was done is saved"
    elif end == "closed":
        child.stdin.close()
        last = [decode(line) for line in child.stdout][-1]
        assert isinstance(last, Stopped) and last.step >= event.step
        assert child.wait() == 128 + signal.SIGTERM
        assert begun.find("mine").step == last.step
    elif end == "interrupted":
        child.send_signal(signal.SIGINT)
        assert isinstance([decode(line) for line in child.stdout][-1], Stopped)
        assert child.wait() == 130, "as any command that Ctrl-C ends"
        child.stdin.close()
    else:
        child.kill()
        child.wait()
        child.stdin.close()
    child.stdout.close()
    gone(child.pid)
    (left,) = begun.unfinished()
    assert left.name == "mine" and left.step > 0
    config = begun.find("mine").folder / "run.json"
    content = json.loads(config.read_text())
    content["settings"]["max_steps"] = left.step + 1  # it has learnt enough for this test
    config.write_text(json.dumps(content))
    outcome = mgpt("learn", "--name", "mine", "--resume", "--json")
    assert outcome.code == 0, outcome.err
    assert isinstance(events(outcome.out)[-1], Learnt)
    assert not begun.unfinished()
