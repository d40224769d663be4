"""A stand-in for DIAL Core: what core-semantics 2, 4.3 and Core's public sources say of the endpoints that we call.

It reads one file, keeps what it runs when a reload is refused, and answers as the sources read: defaults
filled in, API keys and keys of upstreams left out, `/v1/user/info` and the listings by the caller's roles.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deployments.core.load import Settings, load
from deployments.core.versions import DEFAULT, Version

LONG_MAX = 2**63 - 1
ADMIN = "admin-token-secret"
LIMIT = {"minute": LONG_MAX, "day": LONG_MAX, "requestHour": LONG_MAX, "requestDay": LONG_MAX}
LISTED = ("models", "applications", "addons", "assistants", "toolsets")


class StandIn:
    """One running Core. `reloadable` is False for versions that have no reload endpoint."""

    def __init__(self, file: Path, version: Version = DEFAULT, *, reloadable: bool = True) -> None:
        self.file = file
        self.version = version
        self.reloadable = reloadable
        self.url = ""
        self.document: dict[str, Any] = {}
        self.calls: list[str] = []
        self.reload()

    def reload(self) -> str:
        """Read the file; what Core says when it refuses it, else nothing."""
        try:
            document = json.loads(self.file.read_text())
        except (OSError, ValueError) as error:
            return f"Failed to read: {error}"
        loaded = load(document, self.version)
        if loaded.settings is None:
            key = next(iter(document.get("keys", {})), "")
            return f"Cannot deserialize: {loaded.findings[0].message} (reference chain: keys[{key}])"
        self.document = document
        return ""

    @property
    def settings(self) -> Settings:
        settings = load(self.document, self.version).settings
        assert settings is not None
        return settings

    def configuration(self) -> dict[str, Any]:
        """The answer to a reload: Core's objects written out again."""
        answer: dict[str, Any] = {}
        for section, entries in self.document.items():
            if section == "keys":
                continue
            if section == "roles":
                answer["roles"] = {
                    name: {"name": name, "limits": {of: self._limit(limit) for of, limit in role["limits"].items()}}
                    for name, role in entries.items()
                }
            elif section == "assistant":
                answer["assistant"] = {
                    **entries,
                    "assistants": {name: self._entry(name, e) for name, e in entries.get("assistants", {}).items()},
                }
            elif isinstance(entries, dict):
                answer[section] = {name: self._entry(name, entry) for name, entry in entries.items()}
            else:
                answer[section] = entries
        return answer

    @staticmethod
    def _limit(limit: dict[str, Any]) -> dict[str, Any]:
        return {**LIMIT, **{window: int(value) for window, value in limit.items()}}

    @staticmethod
    def _entry(name: str, entry: dict[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in entry.items() if key not in ("upstreams", "token")}
        upstreams = [{"endpoint": up["endpoint"], "weight": 1} for up in entry.get("upstreams", [])]
        if "type" in kept:
            kept["type"] = kept["type"].upper()  # an enum, in Core's own spelling
        return {"name": name, "forwardAuthToken": False, "maxRetryAttempts": 1, **kept, "upstreams": upstreams}

    def seen_by(self, key: str, section: str) -> list[str]:
        roles = set(self.settings.keys[key].roles)
        return [
            deployment.name
            for deployment in self.settings.deployments
            if deployment.section == section
            and not deployment.implicit
            and (deployment.user_roles is None or roles & deployment.user_roles)
        ]


@contextmanager
def running(core: StandIn) -> Iterator[StandIn]:
    """Serve the stand-in on a free port; its address is `core.url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            core.calls.append(self.path)
            if self.path != "/v1/ops/config/reload" or not core.reloadable:
                self.answer(404, "")
            elif self.headers.get("Authorization") != f"Bearer {ADMIN}":
                self.answer(403, "User must be admin")
            elif problem := core.reload():
                self.answer(500, problem)
            else:
                self.answer(200, json.dumps(core.configuration()))

        def do_GET(self) -> None:
            core.calls.append(self.path)
            key = self.headers.get("Api-Key", "")
            if key not in core.settings.keys:
                self.answer(401, "Unknown api key")
                return
            section = self.path.removeprefix("/openai/")
            if self.path == "/v1/user/info":
                known = core.settings.keys[key]
                self.answer(200, json.dumps({"roles": list(known.roles), "project": known.project}))
            elif section in LISTED and section in core.settings.rules.sections:
                own = [{"id": "applications/own/mine"}] if section == "applications" else []
                data = [{"id": name, "object": "model"} for name in core.seen_by(key, section)]
                self.answer(200, json.dumps({"data": data + own, "object": "list"}))
            else:
                self.answer(404, "")

        def answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    core.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield core
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
