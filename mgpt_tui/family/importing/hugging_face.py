"""A folder of Hugging Face's with a model of the architecture `gpt2` or `gpt_neo`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.family.importing.foreign import Foreign, shape_of
from mgpt_tui.family.importing.vocabulary import Vocabulary, beside, gpt2_for
from mgpt_tui.family.importing.weights_files import Stored, in_folder
from mgpt_tui.family.names import GPT2, GPT_NEO, Naming
from mgpt_tui.reading import read_json

CONFIG_FILE = "config.json"

GELUS = {"gelu_new": False, "gelu_pytorch_tanh": False, "gelu": True}
"""Activations that are known here, and whether they are GELU itself rather than by tanh."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """What `config.json` says, each part of the kind that it should be."""

    path: Path
    content: Mapping[str, Any]

    def number(self, name: str, default: int | None = None) -> int:
        value: int = self._of(name, int, default)
        return value

    def real(self, name: str, default: float) -> float:
        value = self.content.get(name)
        whole: float = value if type(value) is int else self._of(name, float, default)
        return float(whole)

    def flag(self, name: str, default: bool) -> bool:
        value: bool = self._of(name, bool, default)
        return value

    def gelu(self) -> bool:
        name = self.content.get("activation_function", "gelu_new")
        if not isinstance(name, str) or name not in GELUS:
            raise self.wrong(f"its activation is {name!r:.40}, not GELU")
        return GELUS[name]

    def _of(self, name: str, kind: type, default: Any) -> Any:
        value = self.content.get(name)
        value = default if value is None else value
        if type(value) is not kind:
            raise self.wrong(f"its {name} is {value!r:.40}")
        return value

    def wrong(self, reason: str) -> UserError:
        return UserError(f"{self.path} cannot be used: {reason}.", "Take another model.")


def read_folder(
    folder: Path, origin: dict[str, Any], vocabulary: Vocabulary | None = None
) -> Foreign:
    """The model in a folder, its weights not read yet.

    Args:
        folder: with `config.json`, weights, and as a rule a tokenizer.
        origin: what is known of where it is from.
        vocabulary: in place of the tokenizer there.

    Raises:
        UserError: where it is of another architecture, or a file is missing or damaged.
    """
    path = folder / CONFIG_FILE
    content = read_json(path)
    if isinstance(content, dict) and "fingerprint" in content:
        raise UserError(f"{folder} is a checkpoint already.", "Give its path as --model.")
    kind = content.get("model_type") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in _ARCHITECTURES:
        raise UserError(
            f"{folder} is of the architecture {kind!r:.40}, and "
            f"{' and '.join(_ARCHITECTURES)} are known here.",
            "Take a model of one of these.",
        )
    naming, shape = _ARCHITECTURES[kind]
    config = shape_of(path, **shape(_Stated(path, content)))
    tensors = _with_prefix(in_folder(folder), naming)
    if _Stated(path, content).flag("tie_word_embeddings", True):
        tensors.pop(naming.head, None)  # a copy of the embedding, or what was never used
    elif naming.head not in tensors:
        raise UserError(f"{folder} lacks its head, {naming.head}.", "Fetch all of its files.")
    return Foreign(
        source=folder,
        naming=naming,
        config=config,
        tensors=tensors,
        vocabulary=vocabulary or beside(folder) or gpt2_for(config.vocab_size, folder),
        origin={"format": f"Hugging Face {kind}", **origin},
    )


def _gpt2(stated: _Stated) -> dict[str, Any]:
    for name in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        if stated.flag(name, False):
            raise stated.wrong(f"its {name} is not known here")
    inner = stated.content.get("n_inner")
    return {
        "vocab_size": stated.number("vocab_size"),
        "block_size": stated.number("n_positions", stated.content.get("n_ctx")),
        "n_layer": stated.number("n_layer"),
        "n_head": stated.number("n_head"),
        "n_embd": stated.number("n_embd"),
        "dropout": stated.real("resid_pdrop", 0.1),
        "mlp_width": None if inner is None else stated.number("n_inner"),
        "exact_gelu": stated.gelu(),
        "scaled_scores": stated.flag("scale_attn_weights", True),
        "norm_epsilon": stated.real("layer_norm_epsilon", 1e-5),
    }


def _gpt_neo(stated: _Stated) -> dict[str, Any]:
    inner = stated.content.get("intermediate_size")
    context, window = stated.number("max_position_embeddings"), stated.number("window_size", 256)
    layers = stated.number("num_layers")
    windows = [window if kind == "local" and window < context else 0 for kind in _kinds(stated)]
    if len(windows) != layers:
        raise stated.wrong(f"it names {len(windows)} layers' attention of {layers}")
    return {
        "vocab_size": stated.number("vocab_size"),
        "block_size": context,
        "n_layer": layers,
        "n_head": stated.number("num_heads"),
        "n_embd": stated.number("hidden_size"),
        "dropout": stated.real("resid_dropout", 0.0),
        "mlp_width": None if inner is None else stated.number("intermediate_size"),
        "exact_gelu": stated.gelu(),
        "scaled_scores": False,
        "local_windows": tuple(windows) if any(windows) else (),
        "norm_epsilon": stated.real("layer_norm_epsilon", 1e-5),
    }


def _kinds(stated: _Stated) -> list[str]:
    """The kind of attention of each layer, "global" or "local"."""
    found = stated.content.get("attention_layers")
    if found is None:  # [[["global", "local"], 4]] are eight
        try:
            found = [
                kind
                for pattern, times in stated.content["attention_types"]
                for kind in list(pattern) * min(int(times), 1000)
            ]
        except (KeyError, TypeError, ValueError):
            found = None
    if not isinstance(found, list) or not all(kind in ("global", "local") for kind in found):
        raise stated.wrong("its attention is neither global nor local")
    return found


_ARCHITECTURES: dict[str, tuple[Naming, Callable[[_Stated], dict[str, Any]]]] = {
    "gpt2": (GPT2, _gpt2),
    "gpt_neo": (GPT_NEO, _gpt_neo),
}


def _with_prefix(tensors: Mapping[str, Stored], naming: Naming) -> dict[str, Stored]:
    """Names as the whole model has them; files of the bare one leave "transformer." out."""
    whole = naming.layer.partition(".")[0] + "."
    return {
        name if name == naming.head or name.startswith(whole) else whole + name: stored
        for name, stored in tensors.items()
    }
