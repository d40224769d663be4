"""A pool to forge with: signing keys, a token endpoint and a key endpoint on a real local server."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

Answer = tuple[int, bytes]


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def at_hash(access_token: str) -> str:
    return urlsafe_b64encode(sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()


class Pool:
    """What Cognito would be to the dashboard. Tests change `claims`, `header`, `key` and the answers."""

    ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_TestPool1"
    CLIENT_ID = "test-client"
    ACCESS_TOKEN = "an-access-token"

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.key: Any = key
        self.header: dict[str, Any] = {"kid": "one"}
        self.algorithm = "RS256"
        self.published: dict[str, rsa.RSAPrivateKey] = {"one": key}
        self.changes: dict[str, Any] = {}
        self.without: set[str] = set()
        self.token_answer: Callable[[dict[str, str]], Answer] | None = None
        self.keys_answer: Callable[[], Answer] | None = None
        self.key_requests = 0
        self.token_requests: list[dict[str, str]] = []
        self.nonce = ""
        self.access_token_sent = self.ACCESS_TOKEN
        pool = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                sent = {name: values[0] for name, values in parse_qs(body).items()}
                pool.token_requests.append(sent)
                self.answer(*(pool.token_answer or pool.token)(sent))

            def do_GET(self) -> None:
                pool.key_requests += 1
                self.answer(*(pool.keys_answer or pool.keys)())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if 300 <= status < 400:
                    self.send_header("Location", f"{pool.url}/elsewhere")
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # who asked gave up waiting
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def claims(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.ISSUER,
            "aud": self.CLIENT_ID,
            "sub": "sub-grace",
            "token_use": "id",
            "nonce": self.nonce,
            "iat": now,
            "exp": now + 3600,
            "at_hash": at_hash(self.ACCESS_TOKEN),
            "cognito:username": "grace",
            "cognito:groups": ["dial-editors", "analysts"],
            "email": "grace@example.com",
            "name": "Grace Hopper",
            **self.changes,
        }
        return {name: value for name, value in claims.items() if name not in self.without}

    def token(self, sent: dict[str, str]) -> Answer:
        token = jwt.encode(self.claims(), self.key, algorithm=self.algorithm, headers=self.header)
        return 200, json.dumps({"id_token": token, "access_token": self.access_token_sent}).encode()

    def keys(self) -> Answer:
        found = []
        for key_id, key in self.published.items():
            jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
            found.append({**jwk, "kid": key_id, "alg": "RS256", "use": "sig"})
        return 200, json.dumps({"keys": found}).encode()
