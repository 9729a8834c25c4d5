"""The card of an exported model: what it is and how to use it, for people."""

from __future__ import annotations

from pathlib import Path

from mgpt_tui.model.contents import Contents
from mgpt_tui.model.registry import ModelEntry
from mgpt_tui.model.summary import ModelSummary
from mgpt_tui.text import END_OF_TEXT, one_line, shortened

_TEXT = """\
---
library_name: transformers
pipeline_tag: text-generation
tags:
- {architecture}
- mgpt-tui
---

# {name}

A language model of {parameters} parameters, exported by mgpt-tui.{trained}

| layers | heads | width | context | vocabulary |
| --- | --- | --- | --- | --- |
| {n_layer} | {n_head} | {n_embd} | {block_size:,} tokens | {vocab_size:,} entries, byte-level BPE |

Every text that it has learned from begins and ends with `{end}`. So begin with it:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")
prompt = tokenizer("{end}Once upon a time", return_tensors="pt")
text = model.generate(**prompt, max_length={block_size}, do_sample=True, temperature=0.8, top_k=40)
print(tokenizer.decode(text[0], skip_special_tokens=True))
```
"""


def card(contents: Contents, name: str, architecture: str) -> str:
    """The text of `README.md`.

    Args:
        name: what the model is called.
        architecture: as transformers calls it.
    """
    info = contents.info
    return _TEXT.format(
        architecture=architecture,
        name=one_line(name),
        parameters=shortened(info.config.parameters()),
        trained=_trained(
            ModelSummary(entry=ModelEntry(name, Path()), info=info, error="", written=None)
        ),
        n_layer=info.config.n_layer,
        n_head=info.config.n_head,
        n_embd=info.config.n_embd,
        block_size=info.config.block_size,
        vocab_size=info.config.vocab_size,
        end=END_OF_TEXT,
    )


def _trained(summary: ModelSummary) -> str:
    """What is known of its training, as sentences with a space in front."""
    words = ""
    if summary.tokens and summary.step:
        words += f" It was trained on {summary.tokens:,} tokens in {summary.step:,} steps."
    if summary.bits_per_byte is not None:
        words += f" Of held-out text it makes {summary.bits_per_byte:.3f} bits per byte."
    return words
