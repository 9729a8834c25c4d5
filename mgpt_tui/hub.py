"""The Hugging Face hub: asked once, and briefly, before anything else is asked of it.

Its clients try an unreachable hub again and again for half a minute, and some of their questions
wait for ever. So whoever wants something from it lets `look_up` ask first: that tells within
seconds what is wrong, and afterwards the clients' patience is right.
"""

from __future__ import annotations

import queue
import re
import threading
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo, ModelInfo

    Repository = ModelInfo | DatasetInfo

PATIENCE = 5.0
"""Seconds for the first answer, so that with the imports before it one is told within eight."""


class NotFromTheHub(Exception):
    """Why something cannot be had from the hub, in words without a full stop.

    Attributes:
        remedy: what to do about it, likewise.
    """

    def __init__(self, reason: str, remedy: str = "Check the name and the network") -> None:
        super().__init__(reason)
        self.remedy = remedy


class NotReached(NotFromTheHub):
    """It gives no answer; what is here of it already may do."""


def look_up(
    name: str, kind: Literal["dataset", "model"], revision: str | None = None
) -> Repository:
    """What the hub says of a repository: its files in `siblings`, with the sizes of a model's.

    Args:
        name: owner/name.
        kind: what it holds.
        revision: a branch, tag or commit; None for the main branch.

    Raises:
        NotReached: where no answer comes in time, or none is to be asked for.
        NotFromTheHub: where there is none, it is not for everybody, or `HF_ENDPOINT` is no address.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.constants import ENDPOINT

    if not _ADDRESS.match(ENDPOINT):
        raise NotFromTheHub(
            f"HF_ENDPOINT is {ENDPOINT!r:.60}, which is no address of a hub",
            "Set HF_ENDPOINT to one that begins with https://, or unset it",
        )
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
        raise NotReached(_SILENT) from None
    if isinstance(answer, BaseException):
        raise problem(answer) from answer
    return answer


def problem(error: BaseException) -> NotFromTheHub:
    """What went wrong while the hub was asked."""
    from huggingface_hub import errors

    words = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, errors.HFValidationError):
        return NotFromTheHub("nothing there can have that name", "Check the name")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return NotReached("HF_HUB_OFFLINE forbids it", "Unset HF_HUB_OFFLINE")
    for kind, reason in _ANSWERS.items():
        if isinstance(error, getattr(errors, kind)):
            return NotFromTheHub(reason or f"the hub answers: {words}")
    if "Timeout" in type(error).__name__:
        return NotReached(_SILENT)
    return NotReached(f"the hub cannot be reached ({words})")


_ADDRESS = re.compile(r"https?://[^/\s]")
_ANSWERS = {
    "GatedRepoError": "it is for those alone whom its owner lets in; see `hf auth login`",
    "RepositoryNotFoundError": "the hub has none of that name, or it is private (see `hf auth "
    "login`)",
    "RevisionNotFoundError": "the hub has no such revision of it",
    "EntryNotFoundError": "the hub has no such file of it",
    "HfHubHTTPError": "",
}
"""Errors of its client, the nearest first, and what they say."""

_SILENT = f"the hub has not answered for {PATIENCE:.0f} seconds"
