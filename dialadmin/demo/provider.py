"""The embedded Cognito of the demo: moto's Cognito API and a hosted UI of our own, on one loopback port.

The hosted UI speaks the protocol of Cognito's: discovery, authorize, login, token, JWKS, userInfo and
logout, with the same claims and refusals, so that the dashboard signs people in by the code that runs in
production. It asks for no password. Refresh tokens are left out: the dashboard never keeps one.
"""

from __future__ import annotations

import hmac
import json
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
from django.template.loader import render_to_string
from moto.cognitoidp.models import CognitoIdpUser, CognitoIdpUserPool, CognitoIdpUserPoolClient
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from dialadmin.demo import organisation
from dialadmin.demo.keys import SigningKeys, challenge_of, half_hash, write_private

LOOPBACK = "127.0.0.1"
SESSION_COOKIE = "larkfield_sign_in"  # cookies ignore ports: it must not collide with the dashboard's
SESSION_SECONDS = 3600  # Cognito's browser session: one hour, not prolonged by use
CODE_SECONDS = 5 * 60
TOKEN_SECONDS = 3600
API_TARGET = "AWSCognitoIdentityProviderService."
CHANGES = {"CreateGroup", "AdminAddUserToGroup", "AdminRemoveUserFromGroup"}  # of groups, by this dashboard
STYLESHEET = Path(__file__).with_name("provider.css")

ROUTES = Map(
    [
        Rule("/oauth2/authorize", endpoint="authorize", methods=["GET"]),
        Rule("/login", endpoint="login", methods=["GET", "POST"]),
        Rule("/oauth2/token", endpoint="token", methods=["POST"]),
        Rule("/oauth2/userInfo", endpoint="user_info", methods=["GET", "POST"]),
        Rule("/logout", endpoint="logout", methods=["GET"]),
        Rule("/provider.css", endpoint="stylesheet", methods=["GET"]),
        Rule("/<pool_id>/.well-known/openid-configuration", endpoint="discovery", methods=["GET"]),
        Rule("/<pool_id>/.well-known/jwks.json", endpoint="jwks", methods=["GET"]),
    ]
)


class RefusedError(Exception):
    """A sign-in that Cognito would stop with a page of its own, because it may not redirect anywhere."""


@dataclass(frozen=True)
class Grant:
    """What one authorization code stands for."""

    client_id: str
    redirect_uri: str
    username: str
    scopes: tuple[str, ...]
    nonce: str
    challenge: str
    auth_time: int
    expires: float


@dataclass(frozen=True)
class Session:
    """A browser that has signed in here."""

    username: str
    auth_time: int


@dataclass(frozen=True)
class SignInRequest:
    """The parameters of /oauth2/authorize, which /login carries along."""

    client: CognitoIdpUserPoolClient
    redirect_uri: str
    state: str
    scopes: tuple[str, ...]
    nonce: str
    challenge: str
    prompt: str
    error: str = ""  # an error that goes back to the client, as Cognito words it

    @classmethod
    def read(cls, values: Mapping[str, str], pool: CognitoIdpUserPool) -> SignInRequest:
        """Raises RefusedError when client or address are unknown: then nothing may be redirected."""
        client = pool.clients.get(values.get("client_id", ""))
        if client is None:
            raise RefusedError("No app client of this pool has the client_id of this request.")
        redirect_uri = values.get("redirect_uri", "")
        if redirect_uri not in client.extended_config.get("CallbackURLs", []):
            raise RefusedError(
                f"redirect_mismatch: {redirect_uri or 'no redirect_uri'} is not a callback address of the app client. "
                "Addresses are compared letter by letter."
            )
        allowed = client.extended_config.get("AllowedOAuthScopes", [])
        scopes = tuple(values.get("scope", "").split()) or tuple(allowed)
        challenge = values.get("code_challenge", "")
        error = ""
        if values.get("response_type") != "code":
            error = "invalid_request"
        elif not set(scopes).issubset(allowed):
            error = "invalid_scope"
        elif challenge and values.get("code_challenge_method") != "S256":
            error = "invalid_request"
        return cls(
            client=client, redirect_uri=redirect_uri, state=values.get("state", ""), scopes=scopes,
            nonce=values.get("nonce", ""), challenge=challenge, prompt=values.get("prompt", ""), error=error,
        )  # fmt: skip

    def answer(self, **values: str) -> Response:
        """A redirect back to the client, with its state."""
        if self.state:
            values["state"] = self.state
        return redirect(f"{self.redirect_uri}?{urlencode(values)}")


@dataclass
class HostedUI:
    """The provider of one pool as a WSGI application; `domain`, and `issuer` where the pool has none of its own, are
    set once the port is known."""

    keys: SigningKeys
    pool_id: str
    domain: str = ""
    issuer: str = ""
    grants: dict[str, Grant] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)

    @property
    def pool(self) -> CognitoIdpUserPool:
        """The pool as it is now: what the API changed counts at the next sign-in."""
        return organisation.backend().user_pools[self.pool_id]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        request = Request(environ)
        try:
            if request.host.partition(":")[0] not in ("localhost", LOOPBACK):
                # A page elsewhere may point a name of its own at 127.0.0.1 and read along.
                raise NotFound
            endpoint, arguments = ROUTES.bind_to_environ(environ).match()
            if arguments.get("pool_id", self.pool_id) != self.pool_id:
                raise NotFound
            view: Callable[[Request], Response] = getattr(self, endpoint)
            response = view(request)
        except RefusedError as refusal:
            response = page("refused", status=400, reason=str(refusal))
        except HTTPException as error:
            response = page("refused", status=error.code or 500, reason=error.description or "")
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response(environ, start_response)

    # --- signing in ---------------------------------------------------------------------------------

    def authorize(self, request: Request) -> Response:
        wanted = SignInRequest.read(request.args, self.pool)
        if wanted.error:
            return wanted.answer(error=wanted.error)
        session = self.session_of(request)
        if session and wanted.prompt != "login":
            return self.grant(wanted, session)
        if wanted.prompt == "none":
            return wanted.answer(error="login_required")
        return redirect(f"{self.domain}/login?{request.query_string.decode()}")

    def login(self, request: Request) -> Response:
        """The page on which the newcomer chooses who to be."""
        wanted = SignInRequest.read(request.args, self.pool)
        if wanted.error:
            return wanted.answer(error=wanted.error)
        if request.method == "GET":
            return self.choose(request, wanted)
        if request.headers.get("Origin", request.host_url.rstrip("/")) != request.host_url.rstrip("/"):
            raise RefusedError("This form was sent by another site.")
        user = self.pool.users.get(request.form.get("username", ""))
        if user is None:
            return self.choose(request, wanted, "Choose one of the people of the pool.")
        if not user.enabled:
            return self.choose(request, wanted, f"{name_of(user)} is disabled in the pool and cannot sign in.")
        if user.status == "UNCONFIRMED":
            return self.choose(request, wanted, f"{name_of(user)} has not confirmed the invitation yet.")
        session = Session(user.username, int(time.time()))
        identifier = secrets.token_urlsafe(32)
        self.sessions[identifier] = session
        response = self.grant(wanted, session)
        response.set_cookie(
            SESSION_COOKIE, identifier, max_age=SESSION_SECONDS, httponly=True, samesite="Lax"
        )  # not secure: the demo has no TLS
        return response

    def choose(self, request: Request, wanted: SignInRequest, problem: str = "") -> Response:
        users = self.pool.users
        welcomes = [
            {"welcome": welcome, "name": name_of(users[welcome.username]), "groups": groups_of(users[welcome.username])}
            for welcome in organisation.WELCOMES
            if welcome.username in users
        ]
        people = sorted(
            ({"username": user.username, "name": name_of(user), "state": state_of(user)} for user in users.values()),
            key=lambda person: person["name"].casefold(),
        )
        return page(
            "login",
            status=200,
            # A browser follows the redirect after the form only to an address that this policy names.
            form_targets=[origin_of(url) for url in wanted.client.extended_config["CallbackURLs"]],
            company=organisation.COMPANY,
            client=wanted.client.extended_config.get("ClientName", wanted.client.id),
            problem=problem,
            welcomes=welcomes,
            people=people,
            action=f"/login?{request.query_string.decode()}",
        )

    def grant(self, wanted: SignInRequest, session: Session) -> Response:
        now = time.time()
        for code in [code for code, grant in list(self.grants.items()) if grant.expires < now]:
            self.grants.pop(code, None)
        code = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        self.grants[code] = Grant(
            client_id=wanted.client.id, redirect_uri=wanted.redirect_uri, username=session.username,
            scopes=wanted.scopes, nonce=wanted.nonce, challenge=wanted.challenge, auth_time=session.auth_time,
            expires=now + CODE_SECONDS,
        )  # fmt: skip
        return wanted.answer(code=code)

    def logout(self, request: Request) -> Response:
        """End this provider's own session, then go back to an address that the app client registered."""
        client = self.pool.clients.get(request.args.get("client_id", ""))
        target = request.args.get("logout_uri", "")
        if client is None or target not in client.extended_config.get("LogoutURLs", []):
            raise RefusedError("client_id and logout_uri must be those of an app client of this pool.")
        self.sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)
        response = redirect(target)
        response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="Lax")
        return response

    def session_of(self, request: Request) -> Session | None:
        identifier = request.cookies.get(SESSION_COOKIE, "")
        session = self.sessions.get(identifier)
        if session is None:
            return None
        user = self.pool.users.get(session.username)
        if user is None or not user.enabled or time.time() - session.auth_time > SESSION_SECONDS:
            self.sessions.pop(identifier, None)
            return None
        return session

    # --- tokens -------------------------------------------------------------------------------------

    def token(self, request: Request) -> Response:
        """Exchange a code, once. Cognito answers every refusal with status 400."""
        client = self.client_of(request)
        if client is None:
            return json_answer({"error": "invalid_client"}, 400)
        if request.form.get("grant_type") != "authorization_code":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        grant = self.grants.pop(request.form.get("code", ""), None)
        if grant is None or not redeems(grant, client.id, request.form):
            return json_answer({"error": "invalid_grant"}, 400)
        user = self.pool.users.get(grant.username)
        if user is None or not user.enabled:
            return json_answer({"error": "invalid_grant"}, 400)
        access_token = self.keys.access.sign(self.access_claims(user, grant))
        id_token = self.keys.identity.sign(self.identity_claims(user, grant, access_token))
        return json_answer(
            {
                "id_token": id_token,
                "access_token": access_token,
                "expires_in": TOKEN_SECONDS,
                "token_type": "Bearer",
            }
        )

    def client_of(self, request: Request) -> CognitoIdpUserPoolClient | None:
        """The app client that proved its secret, in the Authorization header or in the body."""
        client_id = request.form.get("client_id", "")
        secret = request.form.get("client_secret", "")
        basic = request.authorization
        if basic is not None and basic.type == "basic":
            if client_id not in ("", basic.username):
                return None
            client_id, secret = basic.username or "", basic.password or ""
        client = self.pool.clients.get(client_id)
        if client is None:
            return None
        expected = client.secret if client.generate_secret else ""
        return client if hmac.compare_digest(expected.encode(), secret.encode()) else None

    def common_claims(self, user: CognitoIdpUser, grant: Grant) -> dict[str, Any]:
        now = int(time.time())
        claims: dict[str, Any] = {
            "sub": user.id, "iss": self.issuer, "auth_time": grant.auth_time, "iat": now,
            "exp": now + TOKEN_SECONDS, "jti": str(uuid.uuid4()),
        }  # fmt: skip
        if groups := groups_of(user):  # Cognito leaves the claim out for people without groups
            claims["cognito:groups"] = groups
        return claims

    def identity_claims(self, user: CognitoIdpUser, grant: Grant, access_token: str) -> dict[str, Any]:
        claims = self.common_claims(user, grant) | {
            "aud": grant.client_id, "token_use": "id", "cognito:username": user.username,
            "at_hash": half_hash(access_token),
        }  # fmt: skip
        if grant.nonce:
            claims["nonce"] = grant.nonce
        if "email" in grant.scopes and "email" in user.attribute_lookup:
            claims["email"] = user.attribute_lookup["email"]
            claims["email_verified"] = user.attribute_lookup.get("email_verified") == "true"
        if "profile" in grant.scopes and "name" in user.attribute_lookup:
            claims["name"] = user.attribute_lookup["name"]
        return claims

    def access_claims(self, user: CognitoIdpUser, grant: Grant) -> dict[str, Any]:
        return self.common_claims(user, grant) | {
            "client_id": grant.client_id, "token_use": "access", "scope": " ".join(grant.scopes),
            "username": user.username, "version": 2,
        }  # fmt: skip

    def user_info(self, request: Request) -> Response:
        """Attributes only. Like Cognito's it says nothing of groups: those are in the tokens."""
        bearer = request.authorization
        try:
            claims = self.keys.access.verify(bearer.token or "" if bearer else "", self.issuer)
        except jwt.InvalidTokenError:
            return json_answer({"error": "invalid_token"}, 401)
        user = self.pool.users.get(claims["username"])
        if user is None:
            return json_answer({"error": "invalid_token"}, 401)
        return json_answer(user.attribute_lookup | {"sub": user.id, "username": user.username})

    # --- what the provider says of itself -------------------------------------------------------------

    def discovery(self, request: Request) -> Response:
        return json_answer(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.domain}/oauth2/authorize",
                "token_endpoint": f"{self.domain}/oauth2/token",
                "userinfo_endpoint": f"{self.domain}/oauth2/userInfo",
                "end_session_endpoint": f"{self.domain}/logout",
                "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    def jwks(self, request: Request) -> Response:
        return json_answer(self.keys.jwks())

    def stylesheet(self, request: Request) -> Response:
        return Response(STYLESHEET.read_bytes(), mimetype="text/css")


def redeems(grant: Grant, client_id: str, form: Mapping[str, str]) -> bool:
    """Whether this token request may have what the code stands for."""
    if grant.client_id != client_id or grant.expires < time.time():
        return False
    if grant.redirect_uri != form.get("redirect_uri"):
        return False
    return not grant.challenge or hmac.compare_digest(grant.challenge, challenge_of(form.get("code_verifier", "")))


def groups_of(user: CognitoIdpUser) -> list[str]:
    return sorted(group.group_name for group in user.groups)


def name_of(user: CognitoIdpUser) -> str:
    return str(user.attribute_lookup.get("name") or user.username)


def state_of(user: CognitoIdpUser) -> str:
    if not user.enabled:
        return "disabled"
    return "not confirmed" if user.status == "UNCONFIRMED" else ""


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def redirect(target: str) -> Response:
    return Response(status=302, headers={"Location": target})


def json_answer(values: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(values), status=status, mimetype="application/json")


def page(name: str, *, status: int, form_targets: Sequence[str] = (), **context: Any) -> Response:
    """A page of the hosted UI, under a policy that allows nothing but its own stylesheet and form."""
    response = Response(render_to_string(f"demo/{name}.html", context), status=status, mimetype="text/html")
    targets = " ".join(["'self'", *sorted(set(form_targets))])
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers["Referrer-Policy"] = "same-origin"
    return response


# --- the server -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Provider:
    """A running provider: what a dashboard has to be told about it."""

    port: int
    issuer: str
    domain: str
    client_secret: str
    pool_id: str = organisation.POOL_ID
    client_id: str = organisation.CLIENT_ID
    region: str = organisation.REGION

    @property
    def endpoint_url(self) -> str:
        """Where the Cognito API answers."""
        return self.domain

    def environment(self) -> dict[str, str]:
        """The variables that point a dashboard here, and nowhere near a real account."""
        return {
            "COGNITO_USER_POOL_ID": self.pool_id,
            "COGNITO_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            "OIDC_ISSUER": self.issuer,
            "OIDC_DOMAIN": self.domain,
            "OIDC_CLIENT_ID": self.client_id,
            "OIDC_CLIENT_SECRET": self.client_secret,
            "AUDITOR_GROUPS": "dial-auditors",
            "EDITOR_GROUPS": "dial-editors",
            "PUBLISHER_GROUPS": "dial-publishers",
            "MANAGE_GROUPS": "true",
            "AWS_ACCESS_KEY_ID": "demo",
            "AWS_SECRET_ACCESS_KEY": "demo",
        }


@contextmanager
def running_provider(
    *,
    callback_urls: Sequence[str],
    sign_out_urls: Sequence[str] = (),
    listener: socket.socket | None = None,
    client_secret: str = "",
    keys_file: Path | None = None,
    groups_file: Path | None = None,
) -> Iterator[Provider]:
    """A provider with the demo's organisation that answers on this socket, or on a free port of the loopback interface.

    Keys and the app client's secret are made for this run when none are given; groups that were changed are kept in
    `groups_file`.
    Not beside moto's `mock_aws` in one process: that empties all of moto's memory, this pool included.
    """
    client_secret = client_secret or secrets.token_urlsafe(24)
    ui = HostedUI(SigningKeys.kept_in(keys_file) if keys_file else SigningKeys.made(), organisation.POOL_ID)
    organisation.build_pool(callback_urls=callback_urls, sign_out_urls=sign_out_urls, client_secret=client_secret)
    if groups_file is not None and groups_file.exists():
        organisation.take_groups(ui.pool, groups_file.read_bytes())
    try:
        with serving(ui, listener=listener, groups_file=groups_file) as taken:
            yield Provider(port=taken, issuer=ui.issuer, domain=ui.domain, client_secret=client_secret)
    finally:
        organisation.remove_pool()


@contextmanager
def serving(ui: HostedUI, *, listener: socket.socket | None = None, groups_file: Path | None = None) -> Iterator[int]:
    """Serve a pool that is in moto's memory on this socket, or on a free port of the loopback interface; the port."""
    fd = None if listener is None else listener.fileno()
    server = make_server(LOOPBACK, 0, Embedded(ui, groups_file), threaded=True, request_handler=QuietHandler, fd=fd)
    ui.domain = f"http://localhost:{server.port}"
    ui.issuer = ui.issuer or f"{ui.domain}/{ui.pool_id}"
    # The poll is how long stopping may take; requests are answered at once.
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="demo-provider", daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Embedded:
    """One port for both: Cognito API calls go to moto, everything else to the hosted UI."""

    def __init__(self, ui: HostedUI, groups_file: Path | None = None) -> None:
        self.ui, self.groups_file = ui, groups_file
        self.api = create_backend_app("cognito-idp")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # Browsers name an origin with such a request, AWS clients do not: web pages may not call the API.
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith(API_TARGET) and "HTTP_ORIGIN" not in environ:
            answer = self.api(environ, start_response)
            if self.groups_file is not None and target.removeprefix(API_TARGET) in CHANGES:
                write_private(self.groups_file, organisation.groups_text(self.ui.pool))
            return answer
        return self.ui(environ, start_response)


class QuietHandler(WSGIRequestHandler):
    """Failures are logged, requests are not."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass
