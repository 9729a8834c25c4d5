"""What stands there already is not written again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.replay import replay
from mgpt_tui.inference.request import Note, SamplingSettings
from mgpt_tui.inference.said.runs import Runs

SETTINGS = SamplingSettings(
    temperature=0, max_tokens=60, ignore_end=True, finish_sentence=False, seed=1
)


@pytest.mark.parametrize("length", [2, 3, 5])
def test_what_would_repeat_is_what_hugging_face_bans(length: int) -> None:
    module = pytest.importorskip("transformers.generation.logits_process")
    generator = torch.Generator().manual_seed(length)
    for size in (0, 1, 2, 4, 40):
        tokens = torch.randint(3, (size,), generator=generator).tolist()
        expected = set()
        if size:
            scores = torch.zeros(1, 4)
            banned = module.NoRepeatNGramLogitsProcessor(length)(torch.tensor([tokens]), scores)
            expected = set(torch.nonzero(banned[0] == -torch.inf).flatten().tolist())
        assert Runs(length).repeating(tokens) == expected


def test_a_text_that_grows_is_read_once_and_a_note_is_none_of_it() -> None:
    generator = torch.Generator().manual_seed(7)
    tokens = torch.randint(3, (50,), generator=generator).tolist()
    runs, note = Runs(3, kept=4), [0, 1, 2, 0]
    for size in range(len(tokens) + 1):
        assert runs.repeating(note + tokens[:size]) == Runs(3).repeating(tokens[:size])


def test_a_greedy_loop_is_broken_and_replays(tiny_model, byte_tokenizer) -> None:
    engine = Engine(PlainDecoder(tiny_model), byte_tokenizer)
    context, settings = [Note("x"), "The fox"], replace(SETTINGS, no_repeat=3)

    def tokens(settings: SamplingSettings) -> list[int]:
        return [token for chunk in engine.stream(context, settings) for token in chunk.tokens]

    def often(told: list[int]) -> int:
        triples = list(zip(told, told[1:], told[2:], strict=False))
        return len(triples) - len(set(triples))

    told = tokens(settings)
    assert often(tokens(SETTINGS)) > often(told[: engine.config.block_size - 10]) == 0
    assert replay(engine, context, "", told, settings, 1) == len(told)
