"""A small hub on loopback: as much of the Hugging Face hub's HTTP as its clients ask for.

Written from what `huggingface_hub` and `datasets` request and read:

    GET  /api/{datasets,models}/OWNER/NAME[/revision/REV]      what the repository is
    GET  /api/{datasets,models}/OWNER/NAME/tree/REV[/FOLDER]   its files
    POST /api/{datasets,models}/OWNER/NAME/paths-info/REV      some of its files
    GET  [/datasets]/OWNER/NAME/resolve/REV/PATH               a file, or a range of it (HEAD too)

A repository is told apart from one that is missing only for whoever has the token, as there: to
others both are 401. The tests' `HF_ENDPOINT` leads here (`tests/conftest.py`), so that no test
reaches the real one; where no test has opened it, connections are refused, as without a network.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_test"
API = re.compile(
    r"/api/(?P<kind>datasets|models)/(?P<name>[^/]+/[^/]+)"
    r"(/(?P<part>revision|tree|paths-info)/(?P<revision>[^/]+)(/(?P<path>.*))?)?"
)
FILE = re.compile(
    r"/((?P<kind>datasets)/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)"
)
RANGE = re.compile(r"bytes=(?P<first>\d+)-(?P<last>\d*)")


@dataclass(frozen=True)
class Repository:
    """What a name holds, in its one commit."""

    files: Mapping[str, bytes]
    private: bool

    @property
    def commit(self) -> str:
        """The commit's id: another where anything is otherwise."""
        return _sha1(b"".join(name.encode() + b"\0" + text for name, text in self.files.items()))

    def entry(self, path: str) -> dict[str, Any] | None:
        """A file or folder as listings have it, or None where there is none."""
        if path in self.files:
            content = self.files[path]
            return {"type": "file", "path": path, "size": len(content), "oid": _sha1(content)}
        if any(name.startswith(path + "/") for name in self.files):
            return {"type": "directory", "path": path, "size": 0, "oid": _sha1(path.encode())}
        return None

    def below(self, folder: str, recursive: bool) -> list[dict[str, Any] | None]:
        """What lies in a folder ("" for all), and with `recursive` in those below it."""
        prefix = folder + "/" if folder else ""
        found = set()
        for name in self.files:
            if name.startswith(prefix):
                parts = name.removeprefix(prefix).split("/")
                depth = len(parts) if recursive else 1
                found |= {prefix + "/".join(parts[: n + 1]) for n in range(depth)}
        return [self.entry(path) for path in sorted(found)]


@dataclass
class Hub:
    """The server and what it holds.

    Attributes:
        asked: every request so far: method, path, and the range it wanted or "".
        breaks: paths of files whose next answer breaks off half-way, once for each time that they
            stand here.
        hangs_up: whether every connection is closed without an answer.
        hung_up: how often that was done.
        delay: seconds before every answer.
        answers: cleared, every answer waits until it is set again.
    """

    asked: list[tuple[str, str, str]] = field(default_factory=list)
    breaks: list[str] = field(default_factory=list)
    hangs_up: bool = False
    hung_up: int = 0
    delay: float = 0.0
    answers: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.hub = self
        self._server.server_bind()  # has the port, and lets nobody in
        self._serving: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What `HF_ENDPOINT` is to be."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | str],
        kind: str = "datasets",
        private: bool = False,
    ) -> None:
        """Put a repository there.

        Args:
            name: owner/name.
            files: contents by path.
            kind: "datasets" or "models".
            private: whether only `TOKEN` opens it.
        """
        contents = {
            path: text.encode() if isinstance(text, str) else text for path, text in files.items()
        }
        self._repositories[kind, name] = Repository(contents, private)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Hub]:
        """Let clients in; afterwards it is as it was at first, but that hangs up on them."""
        self.asked, self.breaks, self.hangs_up = [], [], False
        self.hung_up, self.delay = 0, 0.0
        self.answers.set()
        if self._serving is None:
            self._server.server_activate()
            self._serving = threading.Thread(
                target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
            )
            self._serving.start()
        try:
            yield self
        finally:
            self._repositories.clear()
            self.hangs_up = True
            self.answers.set()

    def repository(self, kind: str, name: str, token: str) -> Repository | None:
        """The one of that name, for whom it is there."""
        found = self._repositories.get((kind, name))
        return None if found is None or (found.private and token != TOKEN) else found


class _Server(ThreadingHTTPServer):
    hub: Hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has left is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""

    def handle_one_request(self) -> None:
        if self.server.hub.hangs_up:
            self._hang_up()
        else:
            super().handle_one_request()

    def _hang_up(self) -> None:
        self.server.hub.hung_up += 1
        self.close_connection = True

    def _answer(self) -> None:
        hub = self.server.hub
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hub.asked.append((self.command, url.path, self.headers.get("Range", "")))
        time.sleep(hub.delay)
        hub.answers.wait()
        if hub.hangs_up:
            self._hang_up()
            return
        match = FILE.fullmatch(unquote(url.path)) or API.fullmatch(unquote(url.path))
        if match is None:
            self._send(404, b"")
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        repository = hub.repository(match["kind"] or "models", match["name"], token)
        if repository is None:
            refusal = "Invalid username or password."
            self._refuse(401 if token != TOKEN else 404, "RepoNotFound", refusal)
        elif match["revision"] not in (None, "main", "refs%2Fconvert", repository.commit):
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {match['revision']}")
        elif match.re is FILE:
            self._send_file(repository, match["path"])
        else:
            self._send_json(repository, match, url.query, parse_qs(body.decode()))

    do_GET = do_HEAD = do_POST = _answer

    def _send_json(
        self, repository: Repository, match: re.Match[str], query: str, form: dict[str, list[str]]
    ) -> None:
        path = match["path"] or ""
        content: Any
        if match["part"] == "tree":
            if path and repository.entry(path) is None:
                self._refuse(404, "EntryNotFound", f"{path} does not exist")
                return
            recursive = parse_qs(query).get("recursive", ["false"])[0].lower() == "true"
            content = repository.below(path, recursive)
        elif match["part"] == "paths-info":
            content = [entry for name in form.get("paths", ()) if (entry := repository.entry(name))]
        else:
            content = {
                "id": match["name"],
                "sha": repository.commit,
                "private": repository.private,
                "siblings": [
                    {"rfilename": name, "size": len(text)}
                    for name, text in repository.files.items()
                ],
                "tags": [],
                "downloads": 0,
            }
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _send_file(self, repository: Repository, path: str) -> None:
        whole = repository.files.get(path)
        if whole is None:
            self._refuse(404, "EntryNotFound", "Entry not found", repository)
            return
        headers = {
            "ETag": f'"{_sha1(whole)}"',
            "X-Repo-Commit": repository.commit,
            "Accept-Ranges": "bytes",
        }
        wanted = RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted is None:
            self._send(200, whole, headers, path)
            return
        first = int(wanted["first"])
        end = min(int(wanted["last"] or len(whole)) + 1, len(whole))
        if first >= len(whole):
            self._send(416, b"", {"Content-Range": f"bytes */{len(whole)}"})
            return
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{len(whole)}"
        self._send(206, whole[first:end], headers, path)

    def _refuse(
        self, status: int, code: str, message: str, repository: Repository | None = None
    ) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        if repository is not None:
            headers["X-Repo-Commit"] = repository.commit
        self._send(status, json.dumps({"error": message}).encode(), headers)

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, path: str = ""
    ) -> None:
        breaks = self.server.hub.breaks
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if path in breaks:
            breaks.remove(path)
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        self.wfile.write(body)


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
