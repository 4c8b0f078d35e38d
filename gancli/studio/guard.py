"""Who may talk to the studio: a token, the right Host, no other Origin; and what a page may do (CSP).

The token comes once in the address that `gan studio` prints, and is a cookie from then on (HttpOnly, SameSite=Strict, named by
the port). Programs send it as `Authorization: Bearer`. A request that changes something must come from a page of this server
(Origin, Sec-Fetch-Site), or carry the token in its header.
"""

from __future__ import annotations

import hmac
import html
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOCAL = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
LONGEST = 16_384  # bytes of a request's path and query
SAFE = ("GET", "HEAD")
AGAIN = "open the address that gan studio printed; gan studio prints it again"


class Guard:
    """The outermost layer of the server.

    Args:
        app: what is guarded.
        token: the secret.
        names: hosts by which the server may be called, besides the local ones.
        anywhere: whether it may be called by any IP address (it listens on all of them).
    """

    def __init__(self, app: App, token: str, names: tuple[str, ...] = (), anywhere: bool = False) -> None:
        self.app, self.token, self.anywhere = app, token, anywhere
        self.names = {name.lower() for name in (*LOCAL, *names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        refusal = self.refusal(scope)
        if refusal is not None:
            await _answer(scope, sent, *refusal)
            return
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        if "token" in query and scope["method"] in SAFE:  # from now on by the cookie
            rest = urlencode({k: v for k, v in query.items() if k != "token"})
            place = (
                "/" + scope["raw_path"].decode("latin-1").partition("?")[0].lstrip("/") + (f"?{rest}" if rest else "")
            )
            cookie = f"{self.cookie(scope)}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            headers = [(b"location", place.encode("latin-1")), (b"set-cookie", cookie.encode())]
            await sent({"type": "http.response.start", "status": 303, "headers": headers})
            await sent({"type": "http.response.body", "body": b""})
            return
        await self.app(scope, receive, sent)

    @staticmethod
    def cookie(scope: Scope) -> str:
        """The cookie's name: studios on several ports of a host do not overwrite each other's."""
        return f"gan-studio-{(scope.get('server') or ('', 0))[1]}"

    def refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        """Status, cause and remedy, if a request must not be carried out."""
        headers = scope["headers"]
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return 400, "the Host of the request is not that of this studio", "call it by the address that it printed"
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > LONGEST:
            return 414, "the address is too long", ""
        named = {name: value.decode("latin-1") for name, value in headers}
        if (foreign := self._foreign(scope, named, hosts[0])) is not None:
            return foreign
        if not self._known(scope, named):
            return 401, "this address needs its token", AGAIN
        return None

    def _foreign(self, scope: Scope, named: dict[bytes, str], host: str) -> tuple[int, str, str] | None:
        """The refusal of a request that would change something and comes from elsewhere."""
        if scope["method"] in SAFE:
            return None
        if b"origin" in named and named[b"origin"] != f"{scope.get('scheme', 'http')}://{host}":
            return 403, "the request comes from a page of another site", ""
        if named.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403, "the request comes from another site", ""
        if b"origin" not in named and not self._bearer(named):
            return 403, "a request that changes something needs Origin or the token", "Authorization: Bearer TOKEN"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names and "@" not in host:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.anywhere and "@" not in host

    def _bearer(self, named: dict[bytes, str]) -> bool:
        kind, _, value = named.get(b"authorization", "").partition(" ")
        return kind.lower() == "bearer" and self._equal(value.strip())

    def _known(self, scope: Scope, named: dict[bytes, str]) -> bool:
        if self._bearer(named):
            return True
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["method"] in SAFE and self._equal(query.get("token", "")):
            return True
        try:
            found = SimpleCookie(named.get(b"cookie", "")).get(self.cookie(scope))
        except CookieError:
            return False
        return found is not None and self._equal(found.value)

    def _equal(self, said: str) -> bool:
        return hmac.compare_digest(said.encode("utf-8", "replace"), self.token.encode())


async def _answer(scope: Scope, send: Send, code: int, cause: str, remedy: str) -> None:
    """A refusal, as JSON for the API, else as a page."""
    if scope["path"].startswith("/api/"):
        body, kind = json.dumps({"error": cause, "remedy": remedy}).encode(), b"application/json"
    else:
        text = f"<main><h1>{html.escape(cause)}</h1><p>{html.escape(remedy)}</p></main>"
        body = f"<!doctype html><html lang=en><title>gan studio</title>{text}".encode()
        kind = b"text/html; charset=utf-8"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
