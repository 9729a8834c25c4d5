"""The layout shows the architecture: small modules, folders that can be taken in at a glance."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("mgpt_tui", "training", "tests", "benchmarks", "campaigns", "tools")
FOLDERS = sorted({path.parent for name in CODE for path in (ROOT / name).rglob("*.py")})
MOST_MODULES = 14
MOST_LINES = 360
SETS_UP = ("__init__.py", "conftest.py")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_holds_few_modules(folder: Path) -> None:
    modules = [path.name for path in folder.glob("*.py") if path.name not in SETS_UP]
    assert len(modules) <= MOST_MODULES, sorted(modules)


@pytest.mark.parametrize("package", ["mgpt_tui", "training"])
def test_a_module_is_read_in_one_go(package: str) -> None:
    lines = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / package).rglob("*.py")
    }
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
