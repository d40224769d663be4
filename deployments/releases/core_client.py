"""The client of DIAL Core: its reload endpoint, and what it answers to one API key.

Written after core-semantics 2.1 and 4.3 and Core's public sources; tested against the stand-in of
`tests/releases/core_server.py`, never against a running Core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests
from django.conf import settings

from deployments.core.text import SettingsError, parse

TIMEOUT = (3.05, 15)  # seconds: for the connection, and between two bytes of the answer
SAID = 300  # characters of Core's own words

# Section of the settings -> where Core lists what the caller may use of it.
LISTINGS = {
    "models": "/openai/models",
    "applications": "/openai/applications",
    "addons": "/openai/addons",
    "assistants": "/openai/assistants",
    "toolsets": "/openai/toolsets",
}


class CoreError(Exception):
    """Core could not be asked. The text is for people: what, where, why, and how to mend it."""


class CoreRefusesError(CoreError):
    """Core could not load its files, and serves what it served before. The text holds Core's words."""


class NoEndpointError(CoreError):
    """This version of Core does not know the address."""


@dataclass(frozen=True)
class Core:
    """One Core. The token and the key are secrets: never in a message, never in a repr."""

    url: str
    admin_token: str = field(default="", repr=False)
    probe_key: str = field(default="", repr=False)

    def reload(self) -> Any:
        """Make Core read its files now; the whole configuration that it then runs, without its secrets.

        Raises CoreRefusesError, NoEndpointError (older than about 0.20), or CoreError.
        """
        response = self._call("POST", "/v1/ops/config/reload", {"Authorization": f"Bearer {self.admin_token}"})
        if response.status_code == 500:
            raise CoreRefusesError(f"Core refuses to load what it was given: {response.text[:SAID].strip()}")
        if response.status_code in (401, 403):
            raise CoreError(
                f"{self.url} does not take CORE_ADMIN_TOKEN for an administrator's ({response.status_code}). It may "
                "have expired; its claims have to match access.admin.rules of Core's static settings."
            )
        return self._parsed(response)

    def roles_of_key(self) -> list[str]:
        """The roles that Core sees for the probe key (`GET /v1/user/info`)."""
        return [str(role) for role in self._list("/v1/user/info", "roles")]

    def listed(self, section: str) -> list[str] | None:
        """The ids that the probe key may use of a section; None where this Core has no such listing."""
        try:
            items = self._list(LISTINGS[section], "data")
        except NoEndpointError:
            return None
        return [str(item["id"]) for item in items if isinstance(item, dict) and "id" in item]

    def _list(self, path: str, name: str) -> list[Any]:
        """A list inside the answer; a missing one is empty."""
        answer = self._ask(path)
        found = answer.get(name, []) if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise CoreError(f"{self.url} answered to {path} in another form than Core is known to. Check CORE_URL.")
        return found

    def _ask(self, path: str) -> Any:
        response = self._call("GET", path, {"Api-Key": self.probe_key})
        if response.status_code in (401, 403):
            raise CoreError(
                f"{self.url} does not accept the API key of CORE_PROBE_KEY ({response.status_code}). Set it to a key "
                "of the release that Core runs."
            )
        return self._parsed(response)

    def _call(self, method: str, path: str, headers: dict[str, str]) -> requests.Response:
        try:
            # A redirect would carry the secret elsewhere.
            return requests.request(method, self.url + path, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            raise CoreError(
                f"{self.url} does not answer ({type(error).__name__}). Check CORE_URL, the network, and that Core runs."
            ) from error

    def _parsed(self, response: requests.Response) -> Any:
        if response.status_code in (404, 405):
            raise NoEndpointError(f"The Core at {self.url} does not know {response.request.path_url}.")
        if response.status_code != 200:
            raise CoreError(
                f"{self.url} answered {response.status_code} to {response.request.path_url}. See Core's log."
            )
        try:
            return parse(response.content, "Core's answer")
        except SettingsError as error:
            raise CoreError(f"{self.url} did not answer with JSON to {response.request.path_url}. {error}") from error


def configured() -> Core | None:
    """The Core that the environment names; None where there is no address, or nothing to ask it with."""
    if not settings.CORE_URL or not (settings.CORE_ADMIN_TOKEN or settings.CORE_PROBE_KEY):
        return None
    return Core(settings.CORE_URL, settings.CORE_ADMIN_TOKEN, settings.CORE_PROBE_KEY)
