"""An engine of compiled code loads no torch: which modules a real one has, and which libraries."""

import os
import re
import sys
from pathlib import Path

import pytest

from mgpt_tui import paths
from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.inspection.asked import Asked, View
from mgpt_tui.inference.process.client import EngineClient
from mgpt_tui.inference.process.messages import Ended, Failed, Inspected, Ready
from mgpt_tui.inference.request import SamplingSettings

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs shell scripts"),
    pytest.mark.skipif(not compiling.is_available(), reason="there is no C compiler"),
]
PATIENCE = 300.0
HEAVY = {"torch", "textual", "rich", "datasets", "pyarrow", "training"}


@pytest.fixture
def engine(tmp_path, tiny_checkpoint):
    """A real one with the tiny model, whose interpreter notes all that it imports."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -X importtime "$@"\n')
    python.chmod(0o755)
    client = EngineClient(str(tiny_checkpoint), python=str(python))
    client.start()
    yield client
    client.close()


def imported():
    """All that the engine has imported by now."""
    return set(re.findall(r"\| +([\w.]+)$", paths.engine_log().read_text(), re.MULTILINE))


def test_the_engine_writes_looks_and_measures_without_torch(engine):
    ready = engine.events.get(timeout=PATIENCE)
    assert isinstance(ready, Ready), ready
    assert ready.decoding.startswith("native on cpu")
    settings = SamplingSettings(max_tokens=20, seed=1, bias=("e=1",))
    engine.generate(["The fo"], settings)
    engine.generate(["The fox"], settings, samples=3)
    engine.look(["The fox"], settings, 5)
    engine.measure(["The fox"])
    ended = 0
    while ended < 4:
        event = engine.events.get(timeout=PATIENCE)
        assert not isinstance(event, Failed), event
        ended += isinstance(event, Ended)
    assert "numpy" in imported()
    assert {name.partition(".")[0] for name in imported()} & HEAVY == set()
    maps = Path(f"/proc/{engine.pid}/maps")
    if maps.exists():
        mapped = {Path(line.split()[-1]).name for line in maps.read_text().splitlines()}
        assert any(name.startswith("decode-") for name in mapped)
        assert not {name for name in mapped if "torch" in name}


def test_what_looks_inside_is_imported_when_it_is_asked_for(engine):
    looks_inside = {"mgpt_tui.inference.inspector", "mgpt_tui.inference.inspection.answers"}
    engine.generate(["The fo"], SamplingSettings(max_tokens=2, seed=1))
    while not isinstance(event := engine.events.get(timeout=PATIENCE), Ended):
        assert not isinstance(event, Failed), event
    assert imported() & looks_inside == set()
    engine.inspect(["The fox"], Asked(View.TOKENS))
    assert isinstance(engine.events.get(timeout=PATIENCE), Inspected)
    assert imported() >= looks_inside
