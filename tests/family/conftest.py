"""What the tests of the family share."""

from __future__ import annotations

import pytest

from mgpt_tui.model.tokenizer import Tokenizer
from tests.family.models import VOCABULARY


@pytest.fixture(scope="session")
def trimmed() -> Tokenizer:
    """A vocabulary cut out of GPT-2's, as `prepare` does."""
    gpt2 = Tokenizer.gpt2()
    ids = gpt2.encode(" once upon a time there was the beautiful understanding of naïve 東京" * 2)
    return gpt2.trimmed({token: ids.count(token) for token in ids}, VOCABULARY)
