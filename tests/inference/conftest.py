"""What tests of decoders share."""

from collections.abc import Callable

import pytest
import torch

from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.decoder import OpenDecoder
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.model.checkpoint import weights_of
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT


@pytest.fixture(scope="session")
def random_model() -> Callable[..., GPT]:
    """Makes models far from uniform, whose norms and biases are random too."""

    def make(config: GPTConfig, seed: int = 0) -> GPT:
        generator = torch.Generator().manual_seed(seed)
        model = GPT(config, generator)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
        return model.eval()

    return make


@pytest.fixture(scope="session")
def native_decoder() -> Callable[[GPT], NativeDecoder]:
    """Makes a decoder in compiled code of a model."""
    if not compiling.is_available():
        pytest.skip("there is no C compiler")
    return lambda model: NativeDecoder(model.config, weights_of(model))


@pytest.fixture(scope="session", params=["torch", "native"])
def open_decoder(request: pytest.FixtureRequest) -> Callable[[GPT], OpenDecoder]:
    """Makes decoders, of each kind that can be looked into, of a model."""
    return PlainDecoder if request.param == "torch" else request.getfixturevalue("native_decoder")
