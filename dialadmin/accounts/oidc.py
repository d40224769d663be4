"""Sign-in through Cognito: mozilla-django-oidc's flow, with its gaps closed.

The library drives state, nonce, PKCE and the exchange of the code. What is believed of the answer is
decided here: RS256 alone, signing keys of the pool alone, and the claims that `claims.identity` asks for.
Every failure becomes a `SignInError` that the callback view turns into a page.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic, time
from typing import Any
from urllib.parse import urlencode

import jwt
import requests
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from dialadmin.accounts import actions
from dialadmin.accounts.claims import ClaimsError, ClockError, identity
from dialadmin.accounts.models import Staff

log = logging.getLogger(__name__)

KEYS_LIVE = 3600  # seconds for which the pool's signing keys are kept
FORCED_REFRESH = 10  # seconds at least between two refreshes because of an unknown key
TOKEN_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"}
)


class SignInError(Exception):
    """A sign-in that did not succeed.

    `reason` picks the page, the text goes into history and the log, `staff` is who it was when that is proven.
    """

    def __init__(self, reason: str, text: str, staff: Staff | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.staff = staff


class SigningKeys:
    """The pool's public keys, kept for an hour, fetched again at once when an unknown key id appears."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._forced = float("-inf")
        self._url = ""

    def find(self, key_id: str) -> jwt.PyJWK:
        """The key of this id; raises SignInError when the pool has none, or cannot be reached."""
        with self._lock:
            url, now = settings.OIDC_OP_JWKS_ENDPOINT, monotonic()
            if url != self._url or now - self._fetched > KEYS_LIVE:
                self._keys, self._fetched, self._url = published_keys(url), now, url
            elif key_id not in self._keys and now - max(self._fetched, self._forced) > FORCED_REFRESH:
                self._forced = now
                self._keys, self._fetched = published_keys(url), now
            if key_id not in self._keys:
                raise SignInError("token", "the token is signed with a key that the pool does not publish")
            return self._keys[key_id]


def published_keys(url: str) -> dict[str, jwt.PyJWK]:
    """The RS256 keys of a JWKS document, by id. What is no such key is passed over; raises SignInError for none."""
    published = _json(_send("GET", url)).get("keys")
    keys: dict[str, jwt.PyJWK] = {}
    for key in published if isinstance(published, list) else []:
        try:
            if key.get("kty") == "RSA" and key.get("use", "sig") == "sig" and key.get("alg", "RS256") == "RS256":
                keys[str(key["kid"])] = jwt.PyJWK(key, algorithm="RS256")
        except (jwt.PyJWTError, KeyError, AttributeError, TypeError, ValueError):
            log.warning("a signing key at %s cannot be read and is passed over", url)
    if not keys:
        raise SignInError("unreachable", "the pool publishes no usable signing key; is OIDC_ISSUER right?")
    return keys


signing_keys = SigningKeys()


def _send(method: str, url: str, **arguments: Any) -> requests.Response:
    try:
        return requests.request(method, url, timeout=settings.OIDC_TIMEOUT, allow_redirects=False, **arguments)
    except requests.RequestException as error:
        # The text of the error may hold the request's address, never its body, which has the code.
        raise SignInError("unreachable", f"Cognito did not answer ({type(error).__name__})") from error


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json() if response.status_code == 200 else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SignInError("unreachable", f"Cognito answered {response.status_code} with something unexpected")
    return body


def _error_of(response: requests.Response) -> str:
    """The error code of a refused exchange; nothing else of the answer is repeated anywhere."""
    try:
        error = response.json().get("error")
    except (ValueError, AttributeError):
        error = None
    return error if isinstance(error, str) and error in TOKEN_ERRORS else f"status {response.status_code}"


class CognitoBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # the library has no types
    """Turns the answer of Cognito into a member of staff, or raises SignInError."""

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Exchange the code; raises SignInError. The refusals are those of RFC 6749, 5.2."""
        response = _send("POST", settings.OIDC_OP_TOKEN_ENDPOINT, data=payload)
        if response.status_code in (400, 401, 403):
            error = _error_of(response)
            if error in ("invalid_client", "unauthorized_client"):
                raise SignInError("client", f"Cognito does not know this dashboard ({error})")
            raise SignInError("code", f"Cognito refused the code ({error})")
        return _json(response)

    def verify_token(self, token: object, **kwargs: Any) -> dict[str, Any]:
        """The claims of a token that the pool signed with RS256."""
        try:
            header = jwt.get_unverified_header(token)  # type: ignore[arg-type]  # anything else raises
            key = signing_keys.find(str(header.get("kid")))
            claims: dict[str, Any] = jwt.decode(
                token,  # type: ignore[arg-type]
                key.key,
                algorithms=["RS256"],  # whatever its header says
                # Times, issuer and audience are judged by claims.identity, which says why it refuses.
                options={
                    "verify_aud": False, "verify_iss": False, "verify_exp": False,
                    "verify_iat": False, "verify_nbf": False, "verify_sub": False,
                },
            )  # fmt: skip
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise SignInError(
                "token", f"the token cannot be read or its signature is wrong ({type(error).__name__})"
            ) from error
        return claims

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> Staff | None:
        """The member of staff who just came back from Cognito with a code; raises SignInError.

        `nonce` and `code_verifier`: those that the sign-in began with.
        """
        if request is None or not request.GET.get("code"):
            return None
        data = {
            "grant_type": "authorization_code",
            "client_id": settings.OIDC_RP_CLIENT_ID,
            "code": request.GET["code"],
            "code_verifier": kwargs["code_verifier"],
            "redirect_uri": callback_url(),
        }
        if settings.OIDC_RP_CLIENT_SECRET:  # a public client has none, and must not send an empty one
            data["client_secret"] = settings.OIDC_RP_CLIENT_SECRET
        answer = self.get_token(data)
        claims = self.verify_token(answer.get("id_token"))
        access_token = answer.get("access_token")
        try:
            person = identity(
                claims,
                issuer=settings.OIDC_ISSUER,
                client_id=settings.OIDC_RP_CLIENT_ID,
                nonce=kwargs["nonce"],
                access_token=access_token if isinstance(access_token, str) else None,
                now=time(),
            )
        except ClaimsError as error:
            raise SignInError("clock" if isinstance(error, ClockError) else "token", str(error)) from error
        staff = actions.sign_in(person=person)
        if not staff.is_active:
            raise SignInError("inactive", "their access is switched off in this dashboard", staff)
        return staff

    def get_user(self, user_id: Any) -> Staff | None:
        """The owner of a session: who is switched off has none. The library would not look."""
        return Staff.objects.filter(pk=user_id, is_active=True).first()


def callback_url() -> str:
    """Where Cognito sends people back to: by PUBLIC_URL, never by the Host header of a request."""
    return f"{settings.PUBLIC_URL}{reverse('accounts:callback')}"


def logout_url(request: HttpRequest) -> str:
    """Cognito's own sign-out, which ends its session in the browser and comes back to our page."""
    query = urlencode(
        {
            "client_id": settings.OIDC_RP_CLIENT_ID,
            "logout_uri": f"{settings.PUBLIC_URL}{reverse('accounts:signed-out')}",
        }
    )
    return f"{settings.OIDC_DOMAIN}/logout?{query}"
