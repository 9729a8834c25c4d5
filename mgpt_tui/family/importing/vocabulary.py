"""Tokenizers of other programs as ranks: byte-level BPE, by its merges or by its ranks.

Here a token's id is its rank: merges are tried in the order of ids, and `<|endoftext|>` is the last
one. Elsewhere ids may be in any order, and some stand for nothing that text can hold. So beside a
tokenizer comes a list of the ids that its tokens have there, by which rows of weights are chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.family.byte_level import CHARACTERS, merges_of
from mgpt_tui.model.split_pattern import GPT2_PATTERN, problem_with
from mgpt_tui.model.tokenizer import END_OF_TEXT, GPT2_VOCABULARY, LARGEST_VOCABULARY, Tokenizer
from mgpt_tui.reading import parse_json, read_json, read_text

LARGEST = 32 * 2**20
"""Bytes of a tokenizer's file; GPT-2's has 3.5 million at most."""

LONGEST_TOKEN = 256
"""Bytes; GPT-2's longest has 128. To cut one into its merges takes time as their square."""

_BYTES = {character: byte for byte, character in CHARACTERS.items()}


class NoVocabulary(ValueError):
    """Why a tokenizer cannot be taken, in words without a full stop."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer, and what its tokens are elsewhere.

    Attributes:
        tokenizer: the same text gives the same tokens.
        ids: of each of its tokens, the id that it has there.
    """

    tokenizer: Tokenizer
    ids: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Vocabulary:
        """One whose ids are the same there."""
        return cls(tokenizer, tuple(range(tokenizer.vocab_size)))


def gpt2_for(entries: int, source: Path | str) -> Vocabulary:
    """GPT-2's own, for a model that comes without a tokenizer.

    Args:
        entries: rows of the model's embedding: as many, or more, which nothing uses.
        source: the model, for the message.

    Raises:
        UserError: where it has fewer.
    """
    if entries < GPT2_VOCABULARY:
        raise UserError(
            f"{source} has no tokenizer, and its vocabulary of {entries:,} is not GPT-2's.",
            "Say with --tokenizer whose it is: a model here, or a folder or file of the tokenizer.",
        )
    return Vocabulary.of(Tokenizer.gpt2())


def beside(folder: Path) -> Vocabulary | None:
    """The tokenizer that lies in a folder, or None.

    Raises:
        UserError: where there is one that cannot be taken.
    """
    names = ("tokenizer.json", "vocab.json", "tokenizer.tiktoken")
    for path in (folder / name for name in names):
        if path.is_file():
            return read_vocabulary(path)
    return None


def read_vocabulary(path: Path) -> Vocabulary:
    """A tokenizer by one of its files: tokenizer.json, vocab.json (with merges.txt) or ranks.

    Raises:
        UserError: where it cannot be read, or is no byte-level BPE.
    """
    if path.suffix == ".tiktoken":
        return Vocabulary.of(Tokenizer.load(path))
    try:
        if path.name.startswith("vocab"):
            merges = read_text(path.with_name(path.name.replace("vocab", "merges", 1)[:-4] + "txt"))
            lines = list(filter(None, merges.splitlines()))
            lines = lines[1:] if merges.startswith("#version") else lines
            return by_merges(_ids(read_json(path, LARGEST)), pairs(lines), GPT2_PATTERN)
        # Some have lone surrogates among what is special; numbers are checked one by one.
        return of_tokenizer_json(parse_json(read_text(path, LARGEST), any_number=True))
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {error}.", REMEDY) from None


REMEDY = "Only byte-level BPE with <|endoftext|> is read, as GPT-2 has it."


def of_tokenizer_json(content: Any) -> Vocabulary:
    """What the library `tokenizers` writes.

    Raises:
        NoVocabulary: where that is no byte-level BPE, or does more to a text than splitting it.
    """
    content = _object(content, "it")
    model = _object(content.get("model"), "its model")
    if model.get("type", "BPE") != "BPE":
        raise NoVocabulary(f"it is no byte-level BPE but {model.get('type')!r:.40}")
    for name in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(name):
            raise NoVocabulary(f"it is no byte-level BPE: it has a {name}")
    if content.get("normalizer") is not None:
        raise NoVocabulary("it changes texts before it splits them (normalizer)")
    vocab: dict[str, Any] = dict(_ids(model.get("vocab")))
    for added in _list(content.get("added_tokens"), "added tokens"):
        one = _object(added, "an added token")
        if one.get("content") == END_OF_TEXT:
            vocab[END_OF_TEXT] = one.get("id")
        elif one.get("special") is not True:  # and so in the way of what a text holds
            raise NoVocabulary(f"it cuts {one.get('content')!r:.40} out before it splits a text")
    vocab = _ids(vocab)
    pattern = _pattern(content.get("pre_tokenizer"))
    merges = pairs(_list(model.get("merges"), "merges"))
    return by_merges(vocab, merges, pattern, whole=model.get("ignore_merges") is True)


def by_merges(
    vocab: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    pattern: str,
    whole: bool = False,
) -> Vocabulary:
    """A vocabulary spelled with a character for each byte, and the merges that make its tokens.

    Args:
        vocab: ids of tokens.
        merges: pairs, in the order in which they are tried.
        pattern: that splits text into pieces.
        whole: whether a piece is taken whole where it is a token, though no merges make it.

    Raises:
        NoVocabulary: where it is not byte-level, has no <|endoftext|>, or its merges cannot be
            ranks.
    """
    if END_OF_TEXT not in vocab:
        raise NoVocabulary(f"it has no {END_OF_TEXT}")
    if len(vocab) > 2 * LARGEST_VOCABULARY:
        raise NoVocabulary(f"it has more than {LARGEST_VOCABULARY:,} entries")
    found = _spelled(vocab)
    if any(len(token) > LONGEST_TOKEN for token in found):
        raise NoVocabulary(f"it has tokens of more than {LONGEST_TOKEN} bytes")
    made = {_joined(pair): pair for pair in merges}
    if len(made) != len(merges):
        raise NoVocabulary("two of its merges make the same token")
    if missing := next((token for token in made if token not in vocab), None):
        raise NoVocabulary(f"a merge makes {missing!r:.40}, which is no entry")
    single = [token for token in found if len(token) == 1]
    if len(single) != len(CHARACTERS):
        raise NoVocabulary("some of the 256 single bytes are missing")
    in_order = [_bytes_of(token) for token in made]
    order = sorted(found if whole else [*single, *in_order], key=found.__getitem__)
    are_made = set(in_order)
    if [token for token in order if token in are_made] != in_order:
        if whole:
            raise NoVocabulary("its ids are not in the order of its merges")
        order = [*sorted(single, key=found.__getitem__), *in_order]
    if problem := problem_with(pattern):
        raise NoVocabulary(f"its split pattern cannot be used ({problem})")
    tokenizer = _tokenizer(order, pattern)
    expected = [(_bytes_of(left), _bytes_of(right)) for left, right in merges]
    if merges_of(tokenizer)[0] != expected:
        raise NoVocabulary("its merges are not those that make its tokens")
    return Vocabulary(tokenizer, (*(found[token] for token in order), vocab[END_OF_TEXT]))


def _tokenizer(order: Sequence[bytes], pattern: str) -> Tokenizer:
    try:
        return Tokenizer({token: rank for rank, token in enumerate(order)}, pattern)
    except UserError as error:
        raise NoVocabulary(error.message.rstrip(".")) from None


def _spelled(vocab: Mapping[str, int]) -> dict[bytes, int]:
    """Ids by the bytes of tokens; what is spelled otherwise stands for no text."""
    return {
        bytes(map(_BYTES.__getitem__, token)): id
        for token, id in vocab.items()
        if token and token != END_OF_TEXT and all(character in _BYTES for character in token)
    }


def _bytes_of(token: str) -> bytes:
    try:
        return bytes(map(_BYTES.__getitem__, token))
    except KeyError:
        raise NoVocabulary(f"it is no byte-level BPE: it has a token {token!r:.40}") from None


def _joined(pair: tuple[str, str]) -> str:
    return pair[0] + pair[1]


def _object(content: Any, what: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise NoVocabulary(f"{what} is no JSON object")
    return content


def _list(content: Any, what: str) -> list[Any]:
    if not isinstance(content, list | None):
        raise NoVocabulary(f"its {what} are no list")
    return content or []


def _ids(content: Any) -> dict[str, int]:
    ids = _object(content, "its vocabulary")
    if any(type(id) is not int or not 0 <= id < 2**31 for id in ids.values()):
        raise NoVocabulary("some of its ids are no numbers")
    if len(set(ids.values())) != len(ids):
        raise NoVocabulary("two of its tokens have the same id")
    return ids


def pairs(merges: Iterable[Any]) -> list[tuple[str, str]]:
    """Merges as text ("a b") or as lists of two."""
    found = []
    for merge in merges:
        parts = merge.split(" ") if isinstance(merge, str) else merge
        texts = isinstance(parts, list) and all(isinstance(part, str) and part for part in parts)
        if not texts or len(parts) != 2:
            raise NoVocabulary(f"a merge is {merge!r:.40}")
        found.append((parts[0], parts[1]))
    return found


def _pattern(pre_tokenizer: Any) -> str:
    """What splits text into pieces before merging, as a regular expression."""
    steps = [pre_tokenizer]
    if isinstance(pre_tokenizer, dict) and pre_tokenizer.get("type") == "Sequence":
        steps = _list(pre_tokenizer.get("pretokenizers"), "steps of splitting text")
    steps = [_object(step, "how it splits text") for step in steps]
    kinds = [step.get("type") for step in steps]
    if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
        raise NoVocabulary(f"it splits text in a way that is not known here ({kinds!r:.60})")
    if steps[-1].get("add_prefix_space"):
        raise NoVocabulary("it puts a space in front of every text (add_prefix_space)")
    by_itself = steps[-1].get("use_regex", True)
    if len(steps) == 1:
        if not by_itself:
            raise NoVocabulary("it does not split text")
        return GPT2_PATTERN
    pattern = _object(steps[0].get("pattern"), "its split pattern").get("Regex")
    plain = steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
    if not isinstance(pattern, str) or not plain or by_itself:
        raise NoVocabulary("it splits text in a way that is not known here")
    return pattern
