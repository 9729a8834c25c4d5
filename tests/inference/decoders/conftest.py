"""A machine on which nothing is compiled yet."""

from __future__ import annotations

import shutil

import pytest

from mgpt_tui.inference.decoders import compiling

CC = next(filter(None, map(shutil.which, compiling.COMPILERS)), None)
needs_compiler = pytest.mark.skipif(CC is None, reason="there is no C compiler")


@pytest.fixture
def nothing_compiled(home):
    """Nothing is compiled yet, and what a test compiles no other one sees."""
    shutil.move(home / "cache", home / "shared")
    compiling._library.cache_clear()
    yield
    compiling._library.cache_clear()
