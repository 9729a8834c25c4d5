"""Whoever looks at what compiled code computed needs no torch for it."""

import subprocess
import sys

LOAD_ALL = """
import importlib, pkgutil, sys
from mgpt_tui.inference import inspection
for module in pkgutil.iter_modules(inspection.__path__, inspection.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted(name for name in ("torch", "textual", "safetensors") if name in sys.modules))
"""


def test_views_are_loaded_without_torch():
    done = subprocess.run([sys.executable, "-c", LOAD_ALL], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
