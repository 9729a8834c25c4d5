"""The Hugging Face hub: asked once, and briefly, before anything else is asked of it.

Its clients try an unreachable hub again and again for half a minute, and some of their questions
wait for ever. So whoever wants something from it lets `look_up` ask first: that tells within
seconds what is wrong, and afterwards the clients' patience is right.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo, ModelInfo

    Repository = ModelInfo | DatasetInfo

PATIENCE = 5.0
"""Seconds for the first answer, so that with the imports before it one is told within eight."""


class NotFromTheHub(Exception):
    """Why something cannot be had from the hub, in words without a full stop."""


def look_up(
    name: str, kind: Literal["dataset", "model"], revision: str | None = None
) -> Repository:
    """What the hub says of a repository: its files in `siblings`, with the sizes of a model's.

    Args:
        name: owner/name.
        kind: what it holds.
        revision: a branch, tag or commit; None for the main branch.

    Raises:
        NotFromTheHub: where there is none, it is not for everybody, or no answer comes in time.
    """
    from huggingface_hub import HfApi

    answers: queue.SimpleQueue[Repository | BaseException] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(
                HfApi().repo_info(  # type: ignore[arg-type]
                    name,
                    repo_type=kind,
                    revision=revision,
                    timeout=PATIENCE,
                    files_metadata=kind == "model",  # a data set may have thousands
                )
            )
        except BaseException as error:
            answers.put(error)

    # In a thread, since a name server that is silent knows no timeout, nor does a machine with
    # many addresses that are tried in turn.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=PATIENCE)
    except queue.Empty:
        raise NotFromTheHub(_SILENT) from None
    if isinstance(answer, BaseException):
        raise NotFromTheHub(problem(answer)) from answer
    return answer


def problem(error: BaseException) -> str:
    """What went wrong while the hub was asked, in words without a full stop."""
    from huggingface_hub import errors

    words = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, errors.GatedRepoError):
        return "it is for those alone whom its owner lets in; see `hf auth login`"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "the hub has none of that name, or it is private (see `hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the hub has no such revision of it"
    if isinstance(error, errors.EntryNotFoundError):
        return "the hub has no such file of it"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids it"
    if isinstance(error, errors.HfHubHTTPError):
        return f"the hub answers: {words}"
    if "Timeout" in type(error).__name__:
        return _SILENT
    return f"the hub cannot be reached ({words})"


_SILENT = f"the hub has not answered for {PATIENCE:.0f} seconds"
