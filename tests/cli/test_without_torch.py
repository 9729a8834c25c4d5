"""Commands that write by compiled code load no torch."""

import subprocess
import sys

import pytest

from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.loading import load_engine
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.stories.story import Maker, Story

pytestmark = pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler")
SETTINGS = SamplingSettings(max_tokens=8, seed=5)
WATCHED = """
import sys
from mgpt_tui.cli import main
try:
    main({arguments!r})
finally:
    assert "torch" not in sys.modules, "torch was loaded"
"""


def without_torch(*arguments):
    """What a command prints in a process of its own, in which torch is looked for."""
    code = WATCHED.format(arguments=[str(argument) for argument in arguments])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("precision", ["auto", "native"])
def test_generate(tiny_checkpoint, precision):
    told = without_torch(
        *("generate", "--model", tiny_checkpoint, "--prompt", "A fo", "--max-tokens", 5, "--json"),
        *("--num-samples", 2, "--precision", precision),
    )
    assert told.count('"precision": "native"') == 2


def test_replay(tiny_checkpoint):
    loaded = load_engine(tiny_checkpoint)
    fingerprint = loaded.info.fingerprint
    maker = Maker(model=str(tiny_checkpoint), fingerprint=fingerprint, decoding=loaded.decoding)
    story = Story().write("A fox").begin(SETTINGS, maker)
    generation = loaded.engine.stream(["A fox"], SETTINGS)
    for chunk in generation:
        story = story.extend(chunk.text, chunk.tokens)
    StoryLibrary().add(story.extend(seed=5), "Fox")
    assert "draws are the same, with native" in without_torch("replay", "Fox")


def test_eval_of_what_is_written_and_of_a_score_in_native(tiny_checkpoint, tmp_path):
    (tmp_path / "held-out.txt").write_text("Mia had a kite.\n<|endoftext|>\nTom had a drum.\n")
    (tmp_path / "beginnings.yaml").write_text('- "Mia had"\n')
    printed = without_torch(
        *("eval", tiny_checkpoint, "--data", tmp_path / "held-out.txt", "--precision", "native"),
        *("--prompts", tmp_path / "beginnings.yaml", "--max-tokens", 3, "--json"),
        *("--against", tmp_path / "held-out.txt"),
    )
    assert '"bits_per_byte"' in printed and '"completions"' in printed
