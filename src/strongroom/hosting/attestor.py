"""An attestation authority for rehearsals and tests: it attests whatever it is asked to, to whoever can reach it.

It shows how keys are released without confidential hardware. It listens on loopback only, and its key lives as long as
its process: no server believes it unless its operator said so (`--attestation-authority`).
"""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

HOST: Final = "127.0.0.1"
KID: Final = "rehearsal"
LIFETIME_SECONDS = 3_600
MOST_BYTES = 64 * 1024


class Attestor(ThreadingHTTPServer):
    """An authority under way. port: 0 takes any that is free."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self._key: Final = rsa.generate_private_key(65537, 2048)

    @property
    def address(self) -> str:
        """The authority's address, which is the issuer of its tokens."""
        return f"http://{HOST}:{self.server_address[1]}"

    def attest(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims; issuer and times are its own unless they are among them."""
        now = int(time.time())
        said = {"iss": self.address, "iat": now, "nbf": now, "exp": now + LIFETIME_SECONDS} | claims
        return jwt.encode(said, self._key, algorithm="RS256", headers={"kid": KID})

    def documents(self) -> dict[str, dict[str, Any]]:
        """Return what is published, by its path."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True) | {"kid": KID, "use": "sig", "alg": "RS256"}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.address,
                "jwks_uri": f"{self.address}/certs",
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/certs": {"keys": [key]},
        }


class _Handler(BaseHTTPRequestHandler):
    server: Attestor
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer what is published."""
        found = self.server.documents().get(self.path)
        self._answer(200 if found else 404, found or {"error": "there is nothing of this path"})

    def do_POST(self) -> None:
        """Attest the claims of a JSON object, sent to /attest."""
        length = self.headers.get("content-length", "")
        if self.path != "/attest" or not length.isdigit() or int(length) > MOST_BYTES:
            self.close_connection = True
            return self._answer(400, {"error": "claims are a JSON object, sent to /attest"})
        try:
            claims = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            claims = None
        if not isinstance(claims, dict):
            return self._answer(400, {"error": "claims are a JSON object"})
        return self._answer(200, {"token": self.server.attest(claims)})

    def log_message(self, *_: Any) -> None:
        """Say nothing of requests: claims are nobody else's business."""

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
